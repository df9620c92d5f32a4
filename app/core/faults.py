"""What an error of the database or the disk means: away for a moment, busy, full, or a bug of ours."""

import errno
import sqlite3
from enum import StrEnum

import psycopg
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

UNCERTAIN = "the answer to the commit was lost"
"""Note on an error by which nobody knows whether what was asked was written."""


class Fault(StrEnum):
    """Kinds of trouble that are not a bug."""

    AWAY = "away"
    """Not reached, restarting, ended our connection, or a standby that takes no writes."""
    BUSY = "busy"
    """It refused for others' sake: a lock, a deadlock, too many connections. Nothing was written."""
    FULL = "full"


_BUSY = frozenset({"40001", "40P01", "40003", "55P03", "57014", "53000", "53200", "53300", "53400"})
_AWAY = frozenset({"25006", "57P01", "57P02", "57P03", "57P04", "57P05", "58030", "58000"})
_FULL = frozenset({"53100"})
_SQLITE = {
    sqlite3.SQLITE_FULL: Fault.FULL,
    sqlite3.SQLITE_BUSY: Fault.BUSY,
    sqlite3.SQLITE_LOCKED: Fault.BUSY,
    sqlite3.SQLITE_IOERR: Fault.AWAY,
    sqlite3.SQLITE_CANTOPEN: Fault.AWAY,
    sqlite3.SQLITE_READONLY: Fault.AWAY,
    sqlite3.SQLITE_PROTOCOL: Fault.BUSY,
}
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def of(error: BaseException) -> Fault | None:
    """The fault behind an error; None for a bug, such as a wrong statement or a broken constraint."""
    if isinstance(error, OSError) and not isinstance(error, ConnectionError):
        return Fault.FULL if error.errno in _NO_ROOM else None
    if isinstance(error, PoolTimeout):
        return Fault.BUSY
    if isinstance(error, DisconnectionError):
        return Fault.AWAY
    if isinstance(error, DBAPIError):
        return _by_driver(error)
    if isinstance(error, sqlite3.Error):
        return _sqlite(error)
    return _postgres(error) if isinstance(error, psycopg.Error) else None


def is_note(error: BaseException, note: str) -> bool:
    """Whether the error carries this note."""
    return note in getattr(error, "__notes__", ())


def _by_driver(error: DBAPIError) -> Fault | None:
    found = of(error.orig) if error.orig is not None else None
    if found is None and (error.connection_invalidated or isinstance(error, InterfaceError)):
        return Fault.AWAY
    return found


def _sqlite(error: sqlite3.Error) -> Fault | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    return _SQLITE.get(code & 0xFF)  # the rest of the code only tells where


def _postgres(error: psycopg.Error) -> Fault | None:
    state = error.sqlstate
    if state is None:  # the connection itself: refused, ended, no route, no answer
        return Fault.AWAY if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) else None
    if state in _FULL:
        return Fault.FULL
    if state in _BUSY:
        return Fault.BUSY
    return Fault.AWAY if state in _AWAY or state.startswith("08") else None
