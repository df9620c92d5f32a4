"""Promotes the standby of a pair, once the other side is proven fenced and the standby has everything."""

import time
from datetime import UTC, datetime

import psycopg

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Fact,
    Fencing,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES
from runners.postgres import token
from runners.postgres.connection import Connection, NotReached, connection, shown
from runners.postgres.folder import MARGIN, POLL
from runners.postgres.standing import writable_now

_TIMELINE = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
_STREAMING = "select 1 from pg_stat_wal_receiver where status = 'streaming'"
SETTLE = 1.0
"""Seconds in which the receiver of a stopped upstream is given time to notice that."""


class PromoteParams(Frozen):
    """Makes the standby of one side the primary.

    Proves: the server left recovery (measurements `promoted_ms`, `timeline`). That it takes writes is for
    `postgres.check-writable` to prove.
    Cannot see: the old primary. The facts *fenced* (other side) and *caught-up* (this side) are required for that.
    Needs: the dsn of this node with the right to call pg_promote.
    Bad input: a node that is no standby, or whose receiver still streams from a living upstream, is *failed* and
    left alone.
    """

    pair: EnvironmentPair
    node: Side


class Promote(Runner):
    """``postgres.promote``: ``pg_promote`` and a tight look at ``pg_is_in_recovery``. Observable; there is no undo."""

    name = "postgres.promote"
    Params = PromoteParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET
    requires = (Fact(kind="fenced", opposite=True), Fact(kind="caught-up"))
    dsns = ("node",)

    def preview(self, params: PromoteParams, context: Context) -> Preview:
        """The one call."""
        name = SIDE_NAMES[params.node]
        return Preview(
            calls=(shown(params.pair.node(params.node), "SELECT pg_promote(wait => false)"),),
            changes=Text(nl=f"Maakt {name.nl} schrijfbaar.", en=f"Makes {name.en} take writes."),
            irreversible=True,
        )

    def observe(self, params: PromoteParams, context: Context) -> Observation:
        """Done when the node answers and is not in recovery."""
        return writable_now(params.pair, params.node, context)

    def run(self, params: PromoteParams, context: Context) -> Outcome:
        """Promote, unless the node is no standby or still hears a living upstream."""
        name = SIDE_NAMES[params.node]
        if (old := token.refused(params.pair.node(params.node), context)) is not None:
            return old
        try:
            link = connection(params.pair.node(params.node), context)
            if link.execute("select pg_is_in_recovery()").fetchone() != (True,):
                nl = f"{name.nl.capitalize()} is geen standby; er is niets gedaan."
                return failed(nl, f"{name.en.capitalize()} is not a standby; nothing was done.")
            if _hears_upstream(link, context):
                nl = "De standby ontvangt nog van een levende primary; er is niets gedaan."
                return failed(nl, "The standby still receives from a living primary; nothing was done.")
            return _promote(link, context)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en)
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            nl, en = "Of de promotie gebeurde, is niet te zien", "Whether the promotion happened cannot be seen"
            return could_not_look(f"{nl}: {said}", f"{en}: {said}")


def _hears_upstream(link: Connection, context: Context) -> bool:
    until = time.monotonic() + min(SETTLE, context.remaining() / 2)
    while link.execute(_STREAMING).fetchone() is not None:
        if time.monotonic() > until:
            return True
        time.sleep(POLL)
    return False


def _promote(link: Connection, context: Context) -> Outcome:
    """Ask, and look until it is so; from the asking on, a lost connection leaves it unknown."""
    started = time.monotonic()
    if link.execute("select pg_promote(wait => false)").fetchone() != (True,):
        return failed("PostgreSQL nam de opdracht tot promoveren niet aan.", "PostgreSQL did not accept the promotion.")
    while link.execute("select pg_is_in_recovery()").fetchone() == (True,):
        if context.remaining() < MARGIN:
            nl = "De promotie was niet op tijd klaar; zij kan nog doorgaan."
            return could_not_look(nl, "The promotion was not finished in time; it may still go on.")
        time.sleep(POLL)
    took = Measurement(name="promoted_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms")
    effective = datetime.now(UTC)
    row = link.execute(_TIMELINE).fetchone()
    timeline = Measurement(name="timeline", value=int(row[0]) if row else 0)
    nl, en = "De standby is nu primary.", "The standby is the primary now."
    return passed(nl, en, took, timeline, effective_at=effective)
