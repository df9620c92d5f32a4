"""The database: the only file that opens and commits transactions."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from app.core import pages
from app.core.faults import UNCERTAIN, Fault, of
from app.core.settings import Settings
from app.core.space import Space, notice

_AFTER_COMMIT = "after_commit"
_READ_ONLY = "25006"
_NOT_FOR_EVER = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "options": "-c idle_in_transaction_session_timeout=10000 -c tcp_user_timeout=10000"
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3",
}
"""How long libpq waits for a server that is gone without a word, unless the URL says otherwise (seconds; user timeout
in milliseconds); the system's own default is a quarter of an hour. And how long the server waits for us: in the middle
of a transaction, for a process that is stopped there holds locks that those need who take its steps over; and on a cut
line, for by its own default it keeps each session of a client that is gone for two hours, and refuses the hundredth."""


_PAGES = "cache_size=-512"
"""KiB of pages that each connection to SQLite keeps for itself, of its own 2000: the system keeps the file too."""


def not_for_ever(url: str) -> dict[str, Any]:
    """What a connection to PostgreSQL is given besides `url`, which goes first: how long it waits."""
    given = make_url(url).query
    return {name: value for name, value in _NOT_FOR_EVER.items() if name not in given}


def make_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, foreign keys on, explicit BEGIN) or PostgreSQL."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=20, max_overflow=20, pool_pre_ping=True, connect_args=not_for_ever(url))
    # Last in, first out: the few that are in use keep their pages and statements, the others have none to keep.
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=20, pool_use_lifo=True
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # pysqlite must not begin by itself: we say BEGIN or BEGIN IMMEDIATE
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "busy_timeout=30000", _PAGES):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes the write lock at once: upgrading later can only fail with "locked".
        immediate = connection.get_execution_options().get("writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


class Database:
    """An engine with the one way to open a transaction."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.space: Space | None = None
        """The room of the data folder, once a process that serves or works looks after it."""
        self.was_full = False
        """Whether a write failed for lack of room since somebody last asked (and set this back)."""
        event.listen(self.engine, "handle_error", self._notice)

    def _notice(self, context: ExceptionContext) -> None:
        if notice(self.space if self.is_sqlite else None, context.original_exception):
            self.was_full = True
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
            # A standby, or a primary that was set aside: the pool asks anew who may be written to.
            context.is_disconnect = True

    def look_after(self, settings: Settings) -> None:
        """Lay in the reserve of the data folder, and give it up when a write fails for lack of room."""
        if self.space is None:
            self.space = Space(settings.data_dir.absolute(), settings.reserve_mib)
        self.look_for_room()

    def look_for_room(self) -> bool:
        """Look after the reserve, within the file too; whether there is room."""
        if self.space is None:
            return True
        self.space.look()
        if self.is_sqlite:
            try:
                if self.space.is_short:
                    pages.reuse_log(self.engine)
                else:
                    pages.claim(self.engine)
            except (sqlite3.Error, DBAPIError) as error:
                notice(self.space, error)
        return not self.space.is_short

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database, which one machine uses."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        """A session that commits at the end, or rolls back on any exception; then what waited for the commit runs."""
        session = Session(self.engine.execution_options(writes=write), expire_on_commit=False, autoflush=True)
        try:
            yield session
            _commit(session)
        except BaseException:
            session.rollback()
            raise
        finally:
            waiting = committed(session)
            session.close()
        for call in waiting:
            call()

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _commit(session: Session) -> None:
    """Commit; an error by which nobody can know whether it was written says so in a note."""
    session.flush()
    try:
        session.commit()
    except DBAPIError as error:
        if of(error) is Fault.AWAY and session.get_bind().dialect.name != "sqlite":
            error.add_note(UNCERTAIN)
        raise


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Run `call` once the transaction of `session` has been committed; never if it was rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(call)


def committed(session: Session) -> list[Callable[[], None]]:
    """Take what waits for the commit of `session`, for a caller that commits by other means than `Database`."""
    waiting: list[Callable[[], None]] = session.info.pop(_AFTER_COMMIT, [])
    return waiting


def _session(request: Request) -> Iterator[Session]:
    database: Database = request.app.state.database
    writes = request.method not in {"GET", "HEAD", "OPTIONS"}
    if writes and database.space is not None:
        database.space.require(request.url.path)
    with database.transaction(write=writes) as session:
        yield session


SessionDep = Annotated[Session, Depends(_session, scope="function")]
"""The request's transaction; ``scope="function"`` commits before the answer leaves, so a failed commit is no 201."""


def locked(session: Session, table: type[Any], key: Any) -> Any:
    """The row with its lock held until the commit, read afresh; None where there is none."""
    return session.get(table, key, with_for_update=True, populate_existing=True)
