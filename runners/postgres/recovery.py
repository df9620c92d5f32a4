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
    " coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text"
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
        if row[4] not in (None, STOPPING):
            return Text(nl=f"ontvangt nog wijzigingen ({row[4]}).", en=f"still receives changes ({row[4]}).")
        if row[2] != "not paused":
            nl = "verwerkt niet verder: het verwerken staat op pauze."
            return Text(nl=nl, en="replays no further: its replay is paused.")
        if row[1] != at:
            since, at = time.monotonic(), row[1]
        elif time.monotonic() - since >= STILL and row[3] in WAITS and row[4] is None:
            return None
        if context.remaining() < MARGIN:
            return Text(nl="had nog niet alles verwerkt.", en="had not yet replayed everything.")
        time.sleep(0.01)
