"""Fences one node of a pair: stops it so that it cannot come back writable, proves it, and takes it back."""

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
    Frozen,
    Measurement,
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
from runners.postgres import canary
from runners.postgres.connection import NotReached, connection, shown
from runners.postgres.folder import MARGIN, POLL, RECORD, SIGNAL, Folder, NoFolder, ProgramFailed, folder
from runners.postgres.standing import other_is_no_primary, standing


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


class Fence(Runner):
    """``postgres.fence``: last canary, standby.signal, ``pg_ctl -m fast stop``, final LSN. Observable, with an undo."""

    name = "postgres.fence"
    Params = FenceParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE

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
        try:
            place = folder(node)
            link = connection(node, context)
            if link.execute("select pg_is_in_recovery()").fetchone() == (True,):
                nl, en = (
                    "Deze kant is standby en geen primary; er is niets gestopt.",
                    "This side is a standby; not stopped.",
                )
                return failed(nl, en)
            streams = _streams(link)
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
            return failed(f"{nl}: {_line(error)}.", f"{en}: {_line(error)}.")
        return self._stop(params, context, place, last, streams)

    def _stop(self, params: FenceParams, context: Context, place: Folder, last: str, streams: bool) -> Outcome:
        started = time.monotonic()
        # The fence stands before the stop: whoever restarts the server in between gets one that takes no writes.
        canary.remember(place, last)
        place.write(SIGNAL, "")
        context.forget(f"postgres:{params.pair.node(params.node).dsn}")
        try:
            gone = place.stop(context)
            control = place.control(context.remaining())
        except ProgramFailed as error:
            if place.running():
                place.remove(SIGNAL)
                place.remove(RECORD)
            return failed(f"De database is niet gestopt: {error}", f"The database was not stopped: {error}")
        if not gone:
            # The order to stop was given and cannot be taken back, so the fence stays for when it has stopped.
            nl = "De database is nog bezig met stoppen; een standby of een verbinding houdt haar op."
            return failed(nl, "The database is still shutting down; a standby or a connection keeps it.")
        return self._stopped(params, context, control, started, last, streams)

    def _stopped(
        self, params: FenceParams, context: Context, control: dict[str, str], started: float, last: str, streams: bool
    ) -> Outcome:
        state, final = control["Database cluster state"], control["Latest checkpoint location"]
        figures = [
            Measurement(name="canary", value=last),
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


class UnfenceParams(Frozen):
    """Starts the fenced database of one side again as the primary: the way back before the point of no return.

    Proves: the other side takes no writes, and this side does again.
    Cannot see: a third server that was promoted outside this pair.
    Needs: the worker at this node's site runs as the owner of the data directory, and holds both dsns.
    Bad input: when the other side takes writes it is refused (*failed*); when that cannot be seen it is *could not
    look*. In both cases nothing is started.
    """

    pair: EnvironmentPair
    node: Side


class Unfence(Runner):
    """``postgres.unfence``: the inverse of `postgres.fence`; never where there would be two primaries."""

    name = "postgres.unfence"
    Params = UnfenceParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE

    def preview(self, params: UnfenceParams, context: Context) -> Preview:
        """Look at the other side, drop the fence, start."""
        node, other = params.pair.node(params.node), params.pair.node(params.node.other)
        name = SIDE_NAMES[params.node]
        return Preview(
            calls=(
                shown(other, "SELECT pg_is_in_recovery() -- must be true"),
                f"remove {node.data_directory}/{SIGNAL}",
                f"pg_ctl start -D {node.data_directory}",
            ),
            changes=Text(nl=f"Start {name.nl} weer schrijfbaar.", en=f"Starts {name.en} again, writable."),
        )

    def observe(self, params: UnfenceParams, context: Context) -> Observation:
        """Done when this node answers and takes writes."""
        return writable_now(params.pair, params.node, context)

    def run(self, params: UnfenceParams, context: Context) -> Outcome:
        """Start it again, after the other side was seen not to take writes."""
        other = other_is_no_primary(params.pair, params.node, context)
        if other.seen is not Seen.DONE:
            answer = failed if other.seen is Seen.NOT_DONE else could_not_look
            return answer(f"{other.reason.nl} Er is niets gestart.", f"{other.reason.en} Nothing was started.")
        try:
            place = folder(params.pair.node(params.node))
            # Somebody restarted it, read-only as the fence meant it to, or it has not finished stopping.
            halfway = place.running() and place.has(SIGNAL) and self.observe(params, context).seen is not Seen.DONE
            if halfway and not place.stop(context):
                return failed("De database stopt niet.", "The database does not stop.")
            place.remove(SIGNAL)
            place.remove(RECORD)
            if not place.running():
                place.start(context)
        except NoFolder as error:
            return could_not_look(error.text.nl, error.text.en)
        except ProgramFailed as error:
            return failed(f"De database startte niet: {error}", f"The database did not start: {error}")
        return self._wait(params, context, place)

    def _wait(self, params: UnfenceParams, context: Context, place: Folder) -> Outcome:
        seen = self.observe(params, context)
        while seen.seen is not Seen.DONE and context.remaining() > MARGIN:
            time.sleep(10 * POLL)
            seen = self.observe(params, context)
        if seen.seen is Seen.DONE:
            return passed(seen.reason.nl, seen.reason.en, effective_at=datetime.now(UTC))
        said = " ".join(place.said().split())
        return failed(f"{seen.reason.nl} {said}".strip(), f"{seen.reason.en} {said}".strip())


def writable_now(pair: EnvironmentPair, side: Side, context: Context) -> Observation:
    """Whether the node on `side` answers and is not in recovery."""
    name = SIDE_NAMES[side]
    try:
        row = connection(pair.node(side), context).execute("select pg_is_in_recovery()").fetchone()
    except NotReached as error:
        return Observation(seen=Seen.NOT_DONE if error.down else Seen.UNKNOWN, reason=error.text)
    except psycopg.Error as error:
        nl, en = f"{name.nl.capitalize()} antwoordt niet: ", f"{name.en.capitalize()} does not answer: "
        return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl + _line(error), en=en + _line(error)))
    if row == (False,):
        text = Text(nl=f"{name.nl.capitalize()} is schrijfbaar.", en=f"{name.en.capitalize()} takes writes.")
        return Observation(seen=Seen.DONE, reason=text)
    nl, en = f"{name.nl.capitalize()} is standby.", f"{name.en.capitalize()} is a standby."
    return Observation(seen=Seen.NOT_DONE, reason=Text(nl=nl, en=en))


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
