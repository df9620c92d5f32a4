"""Errors of database and disk: away for a moment, busy or full is never told as a bug, and a bug never as these."""

import errno
import sqlite3

import psycopg
import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.faults import UNCERTAIN, Fault, is_note, of


def wrapped(error: Exception, kind: type[DBAPIError] = OperationalError, *, gone: bool = False) -> DBAPIError:
    return kind("select 1", {}, error, connection_invalidated=gone)


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("it says so")
    error.sqlite_errorcode = code  # type: ignore[misc]
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (psycopg.OperationalError("connection refused"), Fault.AWAY),
        (psycopg.OperationalError("server closed the connection unexpectedly"), Fault.AWAY),
        (psycopg.InterfaceError("the connection is closed"), Fault.AWAY),
        (pg.CannotConnectNow("the database system is starting up"), Fault.AWAY),
        (pg.AdminShutdown("terminating connection due to administrator command"), Fault.AWAY),
        (pg.CrashShutdown("terminating connection because of crash"), Fault.AWAY),
        (pg.IdleSessionTimeout("idle"), Fault.AWAY),
        (pg.ConnectionFailure("lost"), Fault.AWAY),
        (pg.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"), Fault.AWAY),
        (pg.IoError("could not read block"), Fault.AWAY),
        (pg.TooManyConnections("sorry, too many clients already"), Fault.BUSY),
        (pg.DeadlockDetected("deadlock"), Fault.BUSY),
        (pg.SerializationFailure("could not serialize"), Fault.BUSY),
        (pg.LockNotAvailable("lock timeout"), Fault.BUSY),
        (pg.QueryCanceled("statement timeout"), Fault.BUSY),
        (pg.OutOfMemory("out of memory"), Fault.BUSY),
        (pg.DiskFull("could not extend file"), Fault.FULL),
        (of_sqlite(sqlite3.SQLITE_FULL), Fault.FULL),
        (of_sqlite(sqlite3.SQLITE_BUSY), Fault.BUSY),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), Fault.BUSY),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), Fault.AWAY),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), Fault.AWAY),
        (of_sqlite(sqlite3.SQLITE_READONLY), Fault.AWAY),
        (pg.UniqueViolation("duplicate key"), None),
        (pg.UndefinedTable("no such table"), None),
        (pg.InFailedSqlTransaction("current transaction is aborted"), None),
        (of_sqlite(sqlite3.SQLITE_ERROR), None),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), None),
    ],
)
def test_what_the_driver_says_is_understood_bare_and_wrapped(error, fault):
    assert of(error) is fault
    assert of(wrapped(error)) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PoolTimeout("QueuePool limit reached"), Fault.BUSY),
        (wrapped(Exception("something"), gone=True), Fault.AWAY),
        (wrapped(Exception("already closed"), InterfaceError), Fault.AWAY),
        (wrapped(pg.UniqueViolation("twice"), IntegrityError), None),
        (wrapped(pg.UndefinedColumn("no such column"), ProgrammingError), None),
        (OSError(errno.ENOSPC, "No space left on device"), Fault.FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Fault.FULL),
        (FileNotFoundError(errno.ENOENT, "No such file"), None),
        (ConnectionResetError(errno.ECONNRESET, "reset"), None),
        (ValueError("a bug"), None),
    ],
)
def test_what_lies_round_the_driver_is_understood(error, fault):
    assert of(error) is fault


def test_a_note_tells_that_nobody_knows_whether_it_was_written():
    error = wrapped(psycopg.OperationalError("gone"))
    assert not is_note(error, UNCERTAIN)
    error.add_note(UNCERTAIN)
    assert is_note(error, UNCERTAIN)
