"""Fences one node of a pair: stops it so that it cannot come back writable, and proves that it is so."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Fact,
    Fencing,
    Frozen,
    Measurement,
    Node,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES, Looking
from runners.postgres import canary, token
from runners.postgres.connection import NotReached, connection, shown
from runners.postgres.folder import RECORD, SIGNAL, Folder, NoFolder, ProgramFailed, folder
from runners.postgres.standing import one_line, standing
from runners.postgres.unfence import Unfence, UnfenceParams


class FenceParams(Frozen):
    """Stops the database of one side for good, in an orderly way.

    Proves: the last write was committed (measurement `canary`), the server wrote its shutdown checkpoint
    (`final_lsn`: where that record starts), no process is left, and a restart by accident comes back read-only.
    Cannot see: writes that go to another copy of the database outside this pair.
    Needs: the site's worker runs as the owner of the data directory; dsn, data_directory and pg_ctl of this node.
    Bad input: a node without dsn or data directory is *could not look*, and nothing is stopped.
    """

    pair: EnvironmentPair
    node: Side
    returned: bool = False
    """The side was lost and came back: that it is stopped already is well then, and it only gets the fence."""


class Fence(Runner):
    """``postgres.fence``: last canary, standby.signal, ``pg_ctl -m fast stop``, final LSN. Observable, with an undo."""

    name = "postgres.fence"
    Params = FenceParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET
    dsns = ("node",)

    def preview(self, params: FenceParams, context: Context) -> Preview:
        """The canary, the fence and the stop."""
        node, name = params.pair.node(params.node), SIDE_NAMES[params.node]
        calls = (
            shown(node, "CHECKPOINT; INSERT INTO wissel_canary …"),
            f"write {node.data_directory}/{SIGNAL} and {RECORD}",
            f"pg_ctl stop -m fast -D {node.data_directory}",
        )
        return Preview(
            calls=calls,
            changes=Text(nl=f"Stopt de database van {name.nl}.", en=f"Stops the database of {name.en}."),
            undo=Text(nl="Start de database weer schrijfbaar.", en="Starts the database again, writable."),
        )

    def observe(self, params: FenceParams, context: Context) -> Observation:
        """Done only if no process is left, the port refuses, and a restart would come back read-only."""
        seen = standing(params.pair.node(params.node), context)
        safe = {each.name: each.value for each in seen.measurements}.get("restart_is_safe")
        if seen.seen is Seen.DONE and safe is False:
            nl = "De database is gestopt, maar zou na een herstart weer schrijfbaar zijn."
            text = Text(nl=nl, en="The database is stopped, but would come back writable after a restart.")
            return Observation(seen=Seen.NOT_DONE, reason=text, measurements=seen.measurements)
        return seen

    def run(self, params: FenceParams, context: Context) -> Outcome:
        """Stop it; *failed* where it was not a running primary, and then nothing is stopped."""
        node = params.pair.node(params.node)
        if (old := token.refused(node, context)) is not None:
            return old
        try:
            place = folder(node)
            if params.returned and (outcome := _sealed(node, place, context)) is not None:
                return outcome
            link = connection(node, context)
            if link.execute("select pg_is_in_recovery()").fetchone() == (True,):
                nl, en = (
                    "Deze kant is standby en geen primary; er is niets gestopt.",
                    "This side is a standby; not stopped.",
                )
                return failed(nl, en)
            streams = _streams(link)
            last = ""
            if not params.returned:  # of a side that came back nothing is awaited; a write might even hang there
                link.execute("checkpoint")  # what is written now need not be written while nobody is served
                last = canary.write(link, context.effect_key)
        except NotReached as error:
            reach = Measurement(name="primary_reachable", value=not error.down)
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en, reach)
        except NoFolder as error:
            return could_not_look(error.text.nl, error.text.en)
        except psycopg.Error as error:
            nl, en = (
                "De laatste schrijfproef mislukte; er is niets gestopt",
                "The last write failed; nothing was stopped",
            )
            return failed(f"{nl}: {one_line(error)}.", f"{en}: {one_line(error)}.")
        return self._stop(params, context, place, last, streams)

    def _stop(self, params: FenceParams, context: Context, place: Folder, last: str, streams: bool) -> Outcome:
        started = time.monotonic()
        # The fence stands before the stop: whoever restarts the server in between gets one that takes no writes.
        if last:
            canary.remember(place, last)
        place.write(SIGNAL, "")
        context.forget(f"postgres:{params.pair.node(params.node).dsn}")
        try:
            gone = place.stop(context)
        except ProgramFailed as error:
            if place.running():
                place.remove(SIGNAL)
                place.remove(RECORD)
            return failed(f"De database is niet gestopt: {error}", f"The database was not stopped: {error}")
        if not gone:
            # The order to stop was given and cannot be taken back, so the fence stays for when it has stopped.
            nl = "De database is nog bezig met stoppen; een standby of een verbinding houdt haar op."
            return failed(nl, "The database is still shutting down; a standby or a connection keeps it.")
        try:
            control = place.control(context.remaining())
        except ProgramFailed as error:
            nl, en = (
                "De database is gestopt; haar laatste stand is niet te lezen",
                "Stopped; its last state cannot be read",
            )
            return could_not_look(f"{nl}: {error}", f"{en}: {error}")
        return self._stopped(params, context, control, started, last, streams)

    def _stopped(
        self, params: FenceParams, context: Context, control: dict[str, str], started: float, last: str, streams: bool
    ) -> Outcome:
        state, final = control["Database cluster state"], control["Latest checkpoint location"]
        figures = [
            *([Measurement(name="canary", value=last)] if last else []),
            Measurement(name="final_lsn", value=final),
            Measurement(name="stopped_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms"),
        ]
        if state != "shut down":
            nl = f"De database is weg, maar sloot niet ordelijk af (toestand: {state})."
            return failed(nl, f"The database is gone, but did not shut down in an orderly way ({state}).", *figures)
        sent = _received(params, context, final) if streams else False
        if sent is not None:
            figures.append(Measurement(name="sent_all", value=sent))
        if sent:
            nl, en = "Gestopt; de standby heeft alles ontvangen.", "Stopped; the standby has received everything."
        elif sent is None:
            nl = "Gestopt; of de standby alles ontving, is hier niet te zien."
            en = "Stopped; whether the standby received everything cannot be seen here."
        else:
            nl = "Gestopt, maar de standby heeft niet alles ontvangen."
            en = "Stopped, but the standby has not received everything."
        return passed(nl, en, *figures, effective_at=datetime.now(UTC), warning=sent is False)

    def undo(self, params: FenceParams, context: Context) -> Outcome:
        """The same as `postgres.unfence`."""
        return Unfence().run(UnfenceParams(pair=params.pair, node=params.node), context)


def _sealed(node: Node, place: Folder, context: Context) -> Outcome | None:
    """Put the fence on a server that is stopped already; None where it runs and must be stopped first."""
    seen = standing(node, context)
    if seen.seen is not Seen.DONE:
        return None
    place.write(SIGNAL, "")
    nl = "De database was al gestopt; na een herstart neemt zij geen wijzigingen aan."
    en = "The database was stopped already; after a restart it takes no writes."
    kept = tuple(each for each in seen.measurements if each.name != "restart_is_safe")
    return passed(nl, en, *kept, effective_at=datetime.now(UTC))


class CheckFencedParams(Frozen):
    """Proves that the database of one side cannot be written, whoever stopped it.

    Proves: no process works in its data directory (orphans of a killed postmaster included) and its address refuses.
    Cannot see: a copy of the database elsewhere; a server that only the network hides (that is *could not look*).
    Needs: to run on the node's own machine, as the owner of the data directory.
    Bad input: no dsn, no data directory, a silent port: *could not look*, which is never *fenced*.
    """

    pair: EnvironmentPair
    node: Side


class CheckFenced(Looking):
    """``postgres.check-fenced``: the probe that `postgres.promote` waits for. Provides ``fenced`` of its node."""

    name = "postgres.check-fenced"
    Params = CheckFencedParams
    provides = (Fact(kind="fenced"),)
    probe = True
    dsns = ("node",)

    def preview(self, params: CheckFencedParams, context: Context) -> Preview:
        """A connection attempt and a look at the processes."""
        node = params.pair.node(params.node)
        calls = (
            f"connect to the address in {node.dsn}",
            f"list the processes in {node.data_directory}",
            "pg_controldata",
        )
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckFencedParams, context: Context) -> Outcome:
        """*Passed* only when it is proven; still running is *failed*; anything unclear is *unknown*."""
        seen = standing(params.pair.node(params.node), context)
        verdicts: dict[Seen, Any] = {Seen.DONE: passed, Seen.NOT_DONE: failed, Seen.UNKNOWN: could_not_look}
        safe = {each.name: each.value for each in seen.measurements}.get("restart_is_safe")
        nl, en = seen.reason.nl, seen.reason.en
        if safe is False:
            nl += " Let op: na een herstart zou zij weer schrijfbaar zijn."
            en += " Mind: after a restart it would take writes again."
        outcome: Outcome = verdicts[seen.seen](nl, en, *seen.measurements, warning=safe is False)
        return outcome


def _streams(link: psycopg.Connection[Any]) -> bool:
    return link.execute("select 1 from pg_stat_replication where state = 'streaming'").fetchone() is not None


def _received(params: FenceParams, context: Context, final: str) -> bool | None:
    """Whether the other side holds the shutdown checkpoint; None where it cannot be asked from here."""
    with suppress(NotReached, psycopg.Error):
        link = connection(params.pair.node(params.node.other), context)
        row = link.execute("select pg_last_wal_receive_lsn() > %s::pg_lsn", [final]).fetchone()
        return None if row is None or row[0] is None else bool(row[0])
    return None
