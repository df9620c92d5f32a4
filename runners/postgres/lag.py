"""Measures how far a standby is behind, and waits until it has all that the stopped primary wrote."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import psycopg
from pydantic import AfterValidator, ConfigDict, Field

from runners.contract import (
    Context,
    EnvironmentPair,
    Fact,
    Frozen,
    Measurement,
    Node,
    Outcome,
    Preview,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES, Looking
from runners.postgres.connection import Connection, NotReached, connection, shown
from runners.postgres.folder import MARGIN, POLL


def _lsn(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", value):
        raise ValueError("an LSN is two hexadecimal numbers with a slash between them, e.g. 0/3000060")
    return value


Lsn = Annotated[str, AfterValidator(_lsn)]
"""A place in the log, as PostgreSQL writes it."""


class ReplicationLagParams(Frozen):
    """Measures how far the standby is behind: in bytes, and in seconds by waiting for what was just written.

    Proves: the standby streams from this primary (seen on both), and had everything written up to the moment of
    asking within `lag_seconds`; more than `at_most` is *failed*.
    Cannot see: what happens after the look; it is older than 60 s soon enough, so measure again after the fence.
    Needs: both dsns at the site of the standby, with the right to read pg_stat_replication.
    Bad input: a dead primary is *failed* with `primary_reachable` = false; a standby that is down or does not stream
    is *failed*; a missing dsn or refused login is *could not look*, and that is never "no lag".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pair: EnvironmentPair
    source: Side = Field(alias="from")
    to: Side
    at_most: Annotated[timedelta, Field(ge=timedelta(0))]


class ReplicationLag(Looking):
    """``postgres.replication-lag``: refuses a switch above the RPO before anything is touched."""

    name = "postgres.replication-lag"
    Params = ReplicationLagParams
    dsns = ("from", "to")

    def site(self, params: ReplicationLagParams) -> str | None:
        """The standby's site: it is the one that must be able to see both, and that outlives the primary."""
        return params.pair.node(params.to).site

    def preview(self, params: ReplicationLagParams, context: Context) -> Preview:
        """Two looks."""
        source, target = params.pair.node(params.source), params.pair.node(params.to)
        calls = (
            shown(source, "SELECT … FROM pg_stat_replication; SELECT pg_current_wal_flush_lsn()"),
            shown(target, "SELECT … FROM pg_stat_wal_receiver; SELECT pg_last_wal_replay_lsn()"),
        )
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: ReplicationLagParams, context: Context) -> Outcome:
        """Look at both sides and measure."""
        if params.source is params.to:
            nl, en = "Bron en doel zijn dezelfde kant.", "The source and the target are the same side."
            return failed(nl, en)
        try:
            source = connection(params.pair.node(params.source), context)
        except NotReached as error:
            return _no_primary(error)
        try:
            target = connection(params.pair.node(params.to), context)
            wrong = _not_streaming(source, target, params)
            return wrong or _measure(source, target, params, context)
        except NotReached as error:
            answer = failed if error.down else could_not_look
            nl = f"De standby is niet bereikbaar. {error.text.nl}"
            return answer(nl, f"The standby is unreachable. {error.text.en}", _PRIMARY_SEEN)
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            nl, en = f"De achterstand is niet te meten: {said}", f"The lag cannot be measured: {said}"
            return could_not_look(nl, en)


_PRIMARY_SEEN = Measurement(name="primary_reachable", value=True)


def _no_primary(error: NotReached) -> Outcome:
    if not error.down:
        return could_not_look(error.text.nl, error.text.en)
    nl = f"De primary is niet bereikbaar, dus een geplande wissel kan niet. {error.text.nl}"
    en = f"Primary unreachable, so a planned switch is not possible. {error.text.en}"
    return failed(nl, en, Measurement(name="primary_reachable", value=False))


def _not_streaming(source: Connection, target: Connection, params: ReplicationLagParams) -> Outcome | None:
    name, other = SIDE_NAMES[params.source], SIDE_NAMES[params.to]
    if _one(source, "select pg_is_in_recovery()"):
        nl = f"{name.nl.capitalize()} is geen primary maar standby."
        return failed(nl, f"{name.en.capitalize()} is not a primary but a standby.", _PRIMARY_SEEN)
    if not _one(target, "select pg_is_in_recovery()"):
        nl = f"{other.nl.capitalize()} is geen standby: zij neemt zelf wijzigingen aan."
        return failed(nl, f"{other.en.capitalize()} is not a standby: it takes writes itself.", _PRIMARY_SEEN)
    identity = "select system_identifier from pg_control_system()"
    if _one(source, identity) != _one(target, identity):
        nl, en = "De twee databases zijn geen kopie van elkaar.", "The two databases are not copies of each other."
        return failed(nl, en, _PRIMARY_SEEN)
    receiver = _one(target, "select status from pg_stat_wal_receiver")
    if receiver != "streaming" or not _sent(source, params.pair.node(params.to)):
        nl = "De standby ontvangt geen wijzigingen van deze primary (replicatie stroomt niet)."
        en = "The standby does not receive from this primary (replication is not streaming)."
        return failed(nl, en, _PRIMARY_SEEN, Measurement(name="streaming", value=False))
    return None


def _sent(source: Connection, standby: Node) -> bool:
    """Whether the primary streams to this standby: by its slot, or to anybody where the environment names no slot."""
    if standby.slot is None:
        return bool(_one(source, "select count(*) from pg_stat_replication where state = 'streaming'"))
    query = (
        "select count(*) from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid"
        " where s.slot_name = %s and r.state = 'streaming'"
    )
    return bool(_one(source, query, standby.slot))


def _measure(source: Connection, target: Connection, params: ReplicationLagParams, context: Context) -> Outcome:
    limit = params.at_most.total_seconds()
    mark = _one(source, "select pg_current_wal_flush_lsn()::text")
    started = time.monotonic()
    behind = _behind(target, str(mark))
    first = behind
    while behind > 0 and time.monotonic() - started <= limit and context.remaining() > MARGIN:
        time.sleep(POLL)
        behind = _behind(target, str(mark))
    seconds = time.monotonic() - started if first > 0 else 0.0
    figures = (
        _PRIMARY_SEEN,
        Measurement(name="lag_bytes", value=first, unit="bytes"),
        Measurement(name="lag_seconds", value=round(seconds, 3), unit="s"),
    )
    if behind <= 0 and seconds <= limit:
        nl = f"De standby loopt {seconds:.3f} s ({first} bytes) achter."
        return passed(nl, f"The standby is {seconds:.3f} s ({first} bytes) behind.", *figures)
    nl = f"De standby loopt meer achter dan {limit:g} s: na {seconds:.1f} s ontbreken nog {max(behind, 0)} bytes."
    en = f"The standby is more than {limit:g} s behind: after {seconds:.1f} s {max(behind, 0)} bytes are missing still."
    return failed(nl, en, *figures)


def _behind(target: Connection, mark: str) -> int:
    row = target.execute("select pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn())::bigint", [mark]).fetchone()
    return max(0, int(row[0])) if row and row[0] is not None else 1


def _one(link: Connection, query: str, *values: str) -> object:
    row = link.execute(query, values).fetchone()
    return row[0] if row else None


class CaughtUpParams(Frozen):
    """Waits until the standby has replayed the record that starts at `lsn`: the old primary's last one.

    Proves: everything that the old primary committed before its stop is on this standby.
    Cannot see: where `lsn` came from; take `final_lsn` of `postgres.fence`.
    Needs: the dsn of the standby.
    Bad input: an unreachable standby, or one that already left recovery, is *failed*; a text that is no LSN is
    refused when the playbook is read.
    """

    pair: EnvironmentPair
    node: Side
    lsn: Lsn
    within: timedelta | None = Field(default=None, ge=timedelta(0))
    """Longest wait; default: until the step's time-out."""


class CaughtUp(Looking):
    """``postgres.caught-up``: provides ``caught-up`` of its node, which `postgres.promote` requires."""

    name = "postgres.caught-up"
    Params = CaughtUpParams
    provides = (Fact(kind="caught-up"),)
    dsns = ("node",)

    def preview(self, params: CaughtUpParams, context: Context) -> Preview:
        """One query, again and again."""
        calls = (shown(params.pair.node(params.node), f"SELECT pg_last_wal_replay_lsn() > '{params.lsn}'"),)
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CaughtUpParams, context: Context) -> Outcome:
        """Poll each millisecond until it is replayed or the time is up."""
        started = time.monotonic()
        allowed = context.remaining() - MARGIN
        if params.within is not None:
            allowed = min(allowed, params.within.total_seconds())
        try:
            link = connection(params.pair.node(params.node), context)
            while True:
                seen = _replayed(link, params.lsn)
                if not seen.standby:
                    nl, en = "Deze kant is geen standby meer.", "This side is no longer a standby."
                    return failed(nl, en)
                if seen.missing < 0:
                    return _caught_up(started, seen.at)
                if time.monotonic() - started >= allowed:
                    return _behind_still(seen, started)
                time.sleep(POLL)
        except NotReached as error:
            return (failed if error.down else could_not_look)(error.text.nl, error.text.en)
        except psycopg.Error as error:
            said = " ".join(str(error).split())[:300]
            return failed(f"De standby viel weg: {said}", f"The standby went away: {said}")


class _Replayed(NamedTuple):
    standby: bool
    missing: int
    at: str


def _replayed(link: Connection, lsn: str) -> _Replayed:
    query = (
        "select pg_is_in_recovery(), pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn())::bigint,"
        " pg_last_wal_replay_lsn()::text"
    )
    row = link.execute(query, [lsn]).fetchone()
    if row is None or row[1] is None:
        return _Replayed(bool(row and row[0]), 1, "")
    # The replay position is the end of the last record, so only a greater one means that the record at `lsn` is in.
    return _Replayed(bool(row[0]), int(row[1]), str(row[2]))


def _caught_up(started: float, at: str) -> Outcome:
    waited = Measurement(name="waited_ms", value=round((time.monotonic() - started) * 1000, 1), unit="ms")
    nl, en = "De standby heeft alles verwerkt.", "The standby has replayed everything."
    return passed(nl, en, waited, Measurement(name="replay_lsn", value=at), effective_at=datetime.now(UTC))


def _behind_still(seen: _Replayed, started: float) -> Outcome:
    waited = time.monotonic() - started
    missing = Measurement(name="missing_bytes", value=max(seen.missing, 1), unit="bytes")
    nl = f"De standby heeft na {waited:.1f} s nog niet alles: er ontbreken {missing.value} bytes."
    return failed(nl, f"After {waited:.1f} s the standby lacks {missing.value} bytes still.", missing)
