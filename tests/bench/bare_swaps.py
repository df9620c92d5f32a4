"""The references of a swap: a shell script of the same commands, and a tight loop on kept connections.

Both do what the playbook does: users off, old side stopped in an orderly way, replay waited for, promoted, users on,
the old side follows. Neither keeps a journal, proves the fence or can be resumed.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.lab.pair import NOBODY, LabPair, LabServer

POLL = 0.001
SCRIPT = r"""#!/bin/bash
set -eu
ask() { "$BIN/psql" -XAtq -d "$1" -c "$2"; }
proxy() { exec 3<>"/dev/tcp/127.0.0.1/$STEER"; printf '%s\n' "$1" >&3; cat <&3 >/dev/null; exec 3>&-; }
proxy "set server db/one state maint; shutdown sessions server db/one"
"$BIN/pg_ctl" stop -D "$OLD" -m fast -w -s
final=$("$BIN/pg_controldata" "$OLD" | sed -n 's/^Latest checkpoint location: *//p')
until [ "$(ask "$NEW_DSN" "select pg_last_wal_replay_lsn() > '$final'")" = t ]; do sleep 0.01; done
ask "$NEW_DSN" "select pg_promote(true)" >/dev/null
proxy "set server db/two state ready"
ask "$NEW_DSN" "select pg_create_physical_replication_slot('$SLOT', true)" >/dev/null
touch "$OLD/standby.signal"
printf "primary_conninfo = '%s'\nprimary_slot_name = '%s'\n" "$NEW_DSN" "$SLOT" >> "$OLD/postgresql.auto.conf"
"$BIN/pg_ctl" start -D "$OLD" -w -s -l "$OLD.log"
until [ -n "$(ask "$NEW_DSN" "select 1 from pg_stat_replication where state = 'streaming'")" ]; do sleep 0.01; done
"""


@dataclass(frozen=True)
class Steered:
    """A pair whose proxy can also be steered through a TCP port, for a shell has no UNIX sockets."""

    pair: LabPair
    port: int


def by_script(steered: Steered, folder: Path) -> float:
    """Swap by the shell script; milliseconds for the whole of it."""
    pair = steered.pair
    file = folder / "swap.sh"
    file.write_text(SCRIPT)
    environment = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "BIN": str(pair.primary.binaries),
        "OLD": str(pair.primary.data),
        "NEW_DSN": pair.fallback.dsn,
        "SLOT": pair.primary.name,
        "STEER": str(steered.port),
    }
    drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    begun = time.perf_counter()
    # Not captured: the server that it starts would keep the pipe open.
    done = subprocess.run(
        ["/bin/bash", "-c", SCRIPT], env=environment, cwd="/", stdin=subprocess.DEVNULL, timeout=60, **drop
    )
    assert done.returncode == 0, "the shell script failed"
    return (time.perf_counter() - begun) * 1000


def by_tight_loop(steered: Steered, folder: Path) -> float:
    """Swap by a loop in this process, connections opened before; milliseconds for the whole of it."""
    pair, old, new = steered.pair, steered.pair.primary, steered.pair.fallback
    link = psycopg.connect(new.dsn, autocommit=True)
    postmaster = old.pid()
    begun = time.perf_counter()
    steer(pair, "set server db/one state maint; shutdown sessions server db/one")
    os.kill(postmaster, signal.SIGINT)
    while (old.data / "postmaster.pid").exists():
        time.sleep(POLL)
    final = _final(old)
    _until(link, "select pg_last_wal_replay_lsn() > %s::pg_lsn", final)
    link.execute("select pg_promote(false)")
    _until(link, "select not pg_is_in_recovery()")
    steer(pair, "set server db/two state ready")
    _rejoin(old, new, link)
    whole = (time.perf_counter() - begun) * 1000
    link.close()
    return whole


def _final(server: LabServer) -> str:
    said = server.run("pg_controldata", str(server.data)).splitlines()
    return next(line.split(":", 1)[1].strip() for line in said if line.startswith("Latest checkpoint location"))


def _until(link: psycopg.Connection, query: str, *values: str) -> None:
    while link.execute(query, values or None).fetchone() != (True,):  # type: ignore[arg-type]
        time.sleep(POLL)


def _rejoin(old: LabServer, new: LabServer, link: psycopg.Connection) -> None:
    link.execute("select pg_create_physical_replication_slot(%s, true)", [old.name])
    (old.data / "standby.signal").touch()
    with (old.data / "postgresql.auto.conf").open("a") as file:
        file.write(f"primary_conninfo = '{new.dsn}'\nprimary_slot_name = '{old.name}'\n")
    for name in ("standby.signal", "postgresql.auto.conf"):
        if os.geteuid() == 0:
            shutil.chown(old.data / name, NOBODY, NOBODY)
    old.run("pg_ctl", "start", "-W", "-D", str(old.data), "-l", str(old.data.with_suffix(".log")))
    _until(link, "select count(*) > 0 from pg_stat_replication where state = 'streaming'")


def steer(pair: LabPair, command: str) -> None:
    """One line to the proxy's runtime socket."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(pair.proxy.socket))
        wire.sendall(f"{command}\n".encode())
        while wire.recv(4096):
            pass
