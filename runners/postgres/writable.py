"""Proves by a real write that a node takes writes, and that the last write before a switch is on it."""

import time

import psycopg

from runners.contract import (
    Context,
    EnvironmentPair,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES, Looking
from runners.postgres import canary
from runners.postgres.connection import Connection, NotReached, connection, shown


class CheckWritableParams(Frozen):
    """Writes a row to `wissel_canary` on one side, reads it back, and looks for the canary of the fence.

    Proves: a transaction commits on this node now; with `canary`, that the last write before the stop is there
    (measurement `rpa_ms` = 0), or how much is lost at least.
    Cannot see: whether the application itself can write; ask the service for that (`check.http`).
    Needs: the node's dsn, with the right to create and fill the table `wissel_canary`.
    Bad input: a standby, an unreachable server or a lost canary is *failed*; no dsn or no access is *could not look*.
    """

    pair: EnvironmentPair
    node: Side
    canary: str | None = None
    """The measurement `canary` of `postgres.fence`."""


class CheckWritable(Looking):
    """``postgres.check-writable``: an independent probe of which side takes writes; touches only its own table."""

    name = "postgres.check-writable"
    Params = CheckWritableParams
    probe = True
    dsns = ("node",)

    def preview(self, params: CheckWritableParams, context: Context) -> Preview:
        """One insert and one select."""
        node = params.pair.node(params.node)
        calls = (shown(node, "INSERT INTO wissel_canary …"), shown(node, "SELECT … FROM wissel_canary"))
        nl, en = "Schrijft één rij in wissel_canary.", "Writes one row into wissel_canary."
        return Preview(calls=calls, changes=Text(nl=nl, en=en))

    def run(self, params: CheckWritableParams, context: Context) -> Outcome:
        """Write, read back, and look for the canary."""
        name = SIDE_NAMES[params.node]
        try:
            link = connection(params.pair.node(params.node), context)
            if link.execute("select pg_is_in_recovery()").fetchone() == (True,):
                nl = f"{name.nl.capitalize()} is standby en neemt geen wijzigingen aan."
                return failed(nl, f"{name.en.capitalize()} is a standby and takes no writes.", _reached(True))
            return _write(link, params, context)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en, _reached(not error.down))
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            nl, en = f"Schrijven op {name.nl} mislukte: {said}", f"Writing on {name.en} failed: {said}"
            return failed(nl, en, _reached(True))


def _write(link: Connection, params: CheckWritableParams, context: Context) -> Outcome:
    # The loss is looked at before our own write: that one would be the newest row and hide it.
    lost = canary.loss(link, params.canary) if params.canary is not None else canary.Loss(0.0)
    started = time.monotonic()
    mine = canary.write(link, f"{context.effect_key}:probe")
    row = link.execute("select 1 from wissel_canary where key = %s", [mine]).fetchone()
    took = Measurement(name="write_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms")
    if row is None:
        nl, en = "De geschreven rij is niet terug te lezen.", "The row that was written cannot be read back."
        return failed(nl, en, took)
    if params.canary is None:
        return passed("De database neemt wijzigingen aan.", "The database takes writes.", took, _reached(True))
    return _judge(lost, took)


def _judge(lost: canary.Loss, took: Measurement) -> Outcome:
    if lost.milliseconds == 0:
        nl = "De database neemt wijzigingen aan en heeft de laatste wijzigingen van voor de wissel."
        en = "The database takes writes and holds the last write from before the switch."
        return passed(nl, en, Measurement(name="rpa_ms", value=0.0, unit="ms"), took)
    if lost.milliseconds is None:
        nl = "De laatste wijziging van voor de wissel ontbreekt; hoeveel er weg is, is niet te meten."
        return failed(
            nl, "The last write from before the switch is missing; how much is lost cannot be measured.", took
        )
    nl = f"De laatste wijziging van voor de wissel ontbreekt: tot {lost.milliseconds:.0f} ms aan wijzigingen is weg."
    en = f"The last write from before the switch is missing: up to {lost.milliseconds:.0f} ms of writes are lost."
    return failed(nl, en, Measurement(name="rpa_ms", value=round(lost.milliseconds, 1), unit="ms"), took)


def _reached(value: bool) -> Measurement:
    return Measurement(name="reachable", value=value)
