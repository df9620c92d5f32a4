"""Writes and reads the canary: a numbered row that shows whether the last write before a switch survived it."""

import json
from datetime import UTC, datetime
from typing import NamedTuple

from runners.contract import Measurement
from runners.postgres.connection import Connection
from runners.postgres.folder import RECORD, Folder

_CREATE = (
    "create table if not exists wissel_canary"
    " (key text primary key, written_at timestamptz not null, n bigint not null)"
)
_LOCK = "select pg_advisory_xact_lock(hashtext('wissel_canary'))"
KEPT = 1000
"""Canaries that stay; older ones are taken away, for a guard may write one every few seconds for years."""
_PRUNE = "delete from wissel_canary where n <= (select max(n) from wissel_canary) - %s"
_WRITE = (
    "insert into wissel_canary (key, written_at, n) select %s, %s, coalesce(max(n), 0) + 1 from wissel_canary"
    " on conflict (key) do update set written_at = excluded.written_at, n = excluded.n"
)


class Loss(NamedTuple):
    """How much time of writes is gone, in milliseconds; None where nothing older than the canary was found."""

    milliseconds: float | None


def write(link: Connection, effect_key: str) -> str:
    """Commit one canary, waiting for the disk (and for the standby where that is synchronous); returns its text.

    The text carries the moment of writing after the last ``@``, so that a lost canary still tells how much was lost.
    """
    moment = datetime.now(UTC)
    canary = f"{effect_key}@{moment.isoformat()}"
    if link.execute("select to_regclass('wissel_canary')").fetchone() == (None,):
        with link.transaction():  # two checks may come first at the same time
            link.execute(_LOCK)
            link.execute(_CREATE)
    with link.transaction():
        link.execute("set local synchronous_commit = on")
        link.execute(_WRITE, [canary, moment])
        link.execute(_PRUNE, [KEPT])
    return canary


def loss(link: Connection, canary: str) -> Loss:
    """What became of `canary` on this node: zero when it is there."""
    if link.execute("select to_regclass('wissel_canary')").fetchone() == (None,):
        return Loss(None)
    if link.execute("select 1 from wissel_canary where key = %s", [canary]).fetchone():
        return Loss(0.0)
    written = moment_of(canary)
    if written is None:
        return Loss(None)
    row = link.execute("select max(written_at) from wissel_canary where written_at < %s", [written]).fetchone()
    if row is None or row[0] is None:
        return Loss(None)
    return Loss((written - row[0]).total_seconds() * 1000)


def moment_of(canary: str) -> datetime | None:
    """When `canary` was written; None for a text that is not a canary."""
    try:
        moment = datetime.fromisoformat(canary.rpartition("@")[2])
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def remember(place: Folder, canary: str) -> None:
    """Leave the canary beside the fence, so that a crash after the stop does not lose its name."""
    place.write(RECORD, json.dumps({"canary": canary}))


def remembered(place: Folder) -> tuple[Measurement, ...]:
    """The canary that was left beside the fence, if any."""
    try:
        canary = json.loads((place.path / RECORD).read_text(encoding="utf-8"))["canary"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return (Measurement(name="canary", value=str(canary)),)
