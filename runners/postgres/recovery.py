"""Waits until a standby has replayed all that it has."""

import time

from runners.contract import Context, Text
from runners.postgres.connection import Connection
from runners.postgres.folder import MARGIN

STILL = 0.5
"""Seconds in which a standby that waits for more may not move, to have replayed all that it has."""
STOPPING = "stopping"
"""Status of a receiver that was told to end and has not yet: on a busy machine that takes a moment."""
WAITS = ("RecoveryWalStream", "RecoveryRetrieveRetryInterval")
"""What the startup process waits for when it has nothing left to replay (PostgreSQL, wait events)."""
STATE = (
    "select pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, pg_get_wal_replay_pause_state(),"
    " (select wait_event from pg_stat_activity where backend_type = 'startup'),"
    " (select status from pg_stat_wal_receiver),"
    " coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text,"
    " current_setting('primary_conninfo')"
)


def settled(link: Connection, context: Context) -> Text | None:
    """Wait until nothing is left to replay; what stands in the way, where something does, as the end of a sentence.

    Raises `psycopg.Error`.
    """
    since, at = time.monotonic(), ""
    while True:
        row = link.execute(STATE).fetchone()
        if row is None or not row[0]:
            return Text(nl="is geen standby.", en="is not a standby.")
        receives = None if row[4] is None else _receives(row[4])
        # Told to receive nothing any more, its receiver may live on: the startup process ends it, once it has time to.
        if receives is not None and row[6] and row[4] != STOPPING:
            return receives
        if row[2] != "not paused":
            nl = "verwerkt niet verder: het verwerken staat op pauze."
            return Text(nl=nl, en="replays no further: its replay is paused.")
        if row[1] != at or receives is not None:
            since, at = time.monotonic(), row[1]
        elif time.monotonic() - since >= STILL and row[3] in WAITS:
            return None
        if context.remaining() < MARGIN:
            return receives or Text(nl="had nog niet alles verwerkt.", en="had not yet replayed everything.")
        time.sleep(0.01)


def _receives(status: str) -> Text:
    return Text(nl=f"ontvangt nog wijzigingen ({status}).", en=f"still receives changes ({status}).")
