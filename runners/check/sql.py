"""Asks a database one read-only question and judges the number that comes back."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import AfterValidator, Field

from runners.contract import (
    Context,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    SecretMissing,
    SecretRef,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import Looking

MARGIN = 0.3
CONNECT_SECONDS = 3.0


def _question(value: str) -> str:
    if not re.match(r"(?is)\s*(select|with|values|table)\b", value):
        raise ValueError("the query must begin with SELECT, WITH, VALUES or TABLE: it may only read")
    return value


class CheckSqlParams(Frozen):
    """Runs one query in a READ ONLY transaction, with a statement time-out, and looks at the first value.

    Proves: this question gets this answer from this database now.
    Cannot see: what a function does that the query calls; give the dsn of a role that may only read.
    Needs: PostgreSQL, and the dsn at the site of the worker.
    Bad input: no dsn or no connection is *could not look*; a query that writes, fails or takes too long, no row, no
    number, or a number outside the bounds is *failed*. A second statement after a semicolon is refused.
    """

    dsn: SecretRef
    query: Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(_question)]
    measure: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = "value"
    """Name of the measurement."""
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None


class CheckSql(Looking):
    """``check.sql``: one number from a database."""

    name = "check.sql"
    Params = CheckSqlParams

    def preview(self, params: CheckSqlParams, context: Context) -> Preview:
        """The one query."""
        calls = (f"SQL on {params.dsn}, READ ONLY: {params.query}",)
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckSqlParams, context: Context) -> Outcome:
        """Ask, and hold the answer against the bounds."""
        try:
            link = _connect(params, context)
        except SecretMissing:
            nl, en = f"Deze locatie heeft {params.dsn} niet.", f"This site does not hold {params.dsn}."
            return could_not_look(nl, en)
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            return could_not_look(f"De database liet ons niet toe: {said}", f"No connection to the database: {said}")
        with link:
            try:
                # Prepared by the server, which takes one statement only: nothing can end our transaction.
                row = link.execute(params.query.encode(), prepare=True).fetchone()
            except psycopg.Error as error:
                said = " ".join(str(error).split())[:300]
                return failed(f"De vraag mislukte: {said}", f"The query failed: {said}")
            finally:
                link.rollback()
        return _judge(params, row)


def _connect(params: CheckSqlParams, context: Context) -> psycopg.Connection[Any]:
    seconds = max(2, int(min(CONNECT_SECONDS, context.remaining())))
    dsn = make_conninfo(context.secret(params.dsn), application_name="wissel", connect_timeout=seconds)
    link = psycopg.connect(dsn)
    link.read_only = True
    left = max(1, int((context.remaining() - MARGIN) * 1000))
    link.execute("select set_config('statement_timeout', %s, true)", [str(left)])
    return link


def _judge(params: CheckSqlParams, row: tuple[Any, ...] | None) -> Outcome:
    if row is None:
        return failed("De vraag gaf geen rij terug.", "The query returned no row.")
    found = row[0]
    if isinstance(found, bool) or not isinstance(found, int | float | Decimal) or not math.isfinite(found):
        nl, en = "De vraag gaf geen getal terug.", "The query did not return a number."
        return failed(nl, en)
    number = float(found) if isinstance(found, Decimal) else found
    figure = Measurement(name=params.measure, value=number, unit=params.unit)
    if params.at_least is not None and number < params.at_least:
        nl = f"{params.measure} is {number:g}, minder dan {params.at_least:g}."
        return failed(nl, f"{params.measure} is {number:g}, less than {params.at_least:g}.", figure)
    if params.at_most is not None and number > params.at_most:
        nl = f"{params.measure} is {number:g}, meer dan {params.at_most:g}."
        return failed(nl, f"{params.measure} is {number:g}, more than {params.at_most:g}.", figure)
    return passed(f"{params.measure} is {number:g}.", f"{params.measure} is {number:g}.", figure)
