"""Sends the open page of a run what changed: one reader per process looks for new events and tells all who watch."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel, col, func, select
from starlette.concurrency import run_in_threadpool

from app.access import reach
from app.access import service as access
from app.access.guard import allowed
from app.access.rules import Action, Actor, may
from app.core import clock, i18n, web
from app.core.db import Database
from app.core.errors import Problem
from app.core.messages import say
from app.runs import cockpit, service
from app.runs.cockpit import REGIONS, Viewer
from app.runs.models import Run, RunEvent
from app.runs.snapshot import Snapshot, take

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
LOOK_EVERY = 0.3
REFRESH_EVERY = 5.0
"""Seconds after which a running run is shown anew without an event: forecasts and the burn-down move with time."""
LONGEST_STREAM = 900.0
"""After so many seconds the page connects again: who only watches uses their session too."""
ADMIT_EVERY = 2.0
"""Seconds after which it is looked again who may watch: by then who was signed out, or lost a role, sees no more."""
Mark = tuple[int, int]
"""Newest event and number of events: ids of two transactions may become visible in either order."""


class SignedOut(Problem):
    """The session ended while the page was open; a redirect to the sign-in page would look like an answer."""

    status = 401
    code = "signed-out"


@dataclass(eq=False)
class Watch:
    """One open page; it gets the newest snapshot, never a backlog."""

    run_id: str
    name: str
    session_id: str = ""
    """Of the person who watches; one without is not looked at again (tests of the feed alone)."""
    ended: bool = False
    newest: Snapshot | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, snapshot: Snapshot) -> None:
        """Replace what was not read yet."""
        self.newest = snapshot
        self.told.set()

    def end(self) -> None:
        """The person may watch no more."""
        self.ended = True
        self.told.set()

    async def next(self) -> Snapshot | None:
        """The newest snapshot that was not read yet; None where the person may watch no more."""
        await self.told.wait()
        self.told.clear()
        return None if self.ended else self.newest


class Feed:
    """Looks for new events of the runs that somebody watches, in one task for the whole process."""

    def __init__(self, database: Database, idle: timedelta = timedelta(hours=1)) -> None:
        self.database, self.idle = database, idle
        self.watches: set[Watch] = set()
        self.reads = 0
        """Looks at the database so far."""
        self._seen: dict[str, tuple[Mark, float]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._admitted_at = 0.0

    def watch(self, run_id: str, name: str, session_id: str = "") -> Watch:
        """Begin to watch a run; the present state comes first."""
        made = Watch(run_id, name, session_id)
        self.watches.add(made)
        self._seen.pop(run_id, None)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        return made

    def leave(self, watch: Watch) -> None:
        """Stop watching; the last one out stops the reader."""
        self.watches.discard(watch)
        if not any(each.run_id == watch.run_id for each in self.watches):
            self._seen.pop(watch.run_id, None)
        if not self.watches and self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def names(self, run_id: str) -> tuple[str, ...]:
        """Who watches a run at this process."""
        return tuple(sorted({each.name for each in self.watches if each.run_id == run_id}))

    async def _read(self) -> None:
        while True:
            wanted = {watch.run_id for watch in self.watches}
            try:
                for watch in await run_in_threadpool(self._turned_away, list(self.watches)):
                    watch.end()
                news = await run_in_threadpool(self._news, wanted)
            except SQLAlchemyError:
                log.exception("run-feed.look-failed")
                news = []
            for snapshot in news:
                for watch in self.watches:
                    if watch.run_id == snapshot.run.id:
                        watch.tell(snapshot)
            await asyncio.sleep(LOOK_EVERY)

    def _turned_away(self, watches: list[Watch]) -> list[Watch]:
        """Those whose person was signed out, or may not see the run any more; looked at every few seconds."""
        if time.monotonic() - self._admitted_at < ADMIT_EVERY:
            return []
        with self.database.transaction(write=False) as session:
            known = [watch for watch in watches if watch.session_id]
            ids = {watch.session_id for watch in known}
            actors = access.who_watches(session, ids, idle=self.idle, now=clock.now()) if ids else {}
            gone = [watch for watch in known if not _may_watch(session, actors.get(watch.session_id), watch.run_id)]
        self._admitted_at = time.monotonic()
        return gone

    def _news(self, wanted: set[str]) -> list[Snapshot]:
        self.reads += 1
        with self.database.transaction(write=False) as session:
            marks = (
                select(RunEvent.run_id, func.max(RunEvent.id), func.count())
                .where(col(RunEvent.run_id).in_(wanted))
                .group_by(RunEvent.run_id)
            )
            changed = [
                run_id for run_id, newest, count in session.exec(marks) if self._is_new(run_id, (newest or 0, count))
            ]
            return [take(session, session.get_one(Run, run_id), now=clock.now()) for run_id in changed]

    def _is_new(self, run_id: str, mark: Mark) -> bool:
        known, at = self._seen.get(run_id, (None, 0.0))
        now = time.monotonic()
        if known == mark and now - at < REFRESH_EVERY:
            return False
        self._seen[run_id] = (mark, now)
        return True


def _may_watch(session: Session, actor: Actor | None, run_id: str) -> bool:
    if actor is None:
        return False
    place = reach.place_of(session, SQLModel.metadata.tables[str(Run.__tablename__)], run_id) if actor.grants else None
    return may(actor, Action.READ, place)


def feed_of(request: Request) -> Feed:
    """The feed of this process."""
    state = request.app.state
    if not hasattr(state, "run_feed"):
        state.run_feed = Feed(state.database, timedelta(minutes=state.settings.session_idle_minutes))
    feed: Feed = state.run_feed
    return feed


def regions(request: Request, found: Snapshot, viewer: Viewer, watching: tuple[str, ...]) -> dict[str, str]:
    """The parts of the page by name, in the language of the viewer."""
    with i18n.speaking(getattr(request.state, "language", i18n.DEFAULT)):
        context: dict[str, Any] = {**web.shared(request), **cockpit.context(found, viewer, watching=watching)}
        templates = web.environment()
        return {name: templates.get_template(f"runs/region_{name}.html").render(context) for name in REGIONS}


def message(request: Request, found: Snapshot, changed: dict[str, str], after: int) -> str:
    """One unnamed message: a partial per changed region, and what is new as spoken words."""
    parts = [web.partial(f"#run-{name}", text) for name, text in changed.items()]
    with i18n.speaking(getattr(request.state, "language", i18n.DEFAULT)):
        words = cockpit.spoken(found, after)
    if words:
        parts.append(web.partial("#spoken", words_only(words), swap="innerHTML"))
    return "".join(parts)


def words_only(words: str) -> str:
    """Text as text: nothing in it is markup."""
    return str(Markup.escape(words))


def _watched(request: Request, key: str) -> str:
    """Id of the run, looked up in a transaction that is over before the stream begins. Raises NotFound."""
    database: Database = request.app.state.database
    with database.transaction(write=False) as session:
        return service.find(session, key).id


def _still_signed_in(request: Request) -> None:
    if getattr(request.state, "actor", None) is None:
        raise SignedOut(say("Your session ended. Sign in again."))


@router.get("/runs/{key}/stream", response_class=EventSourceResponse, dependencies=[Depends(_still_signed_in)])
async def stream(
    request: Request,
    actor: Annotated[Actor, Depends(allowed(Action.READ))],
    run_id: Annotated[str, Depends(_watched)],
    after: Annotated[int, Query(ge=0)] = 0,
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """The regions of the page as they change; the id of a message is that of the newest event it shows."""
    feed, viewer = feed_of(request), Viewer.of(actor)
    watch = feed.watch(run_id, actor.name, request.state.visitor.session_id)
    seen = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else after
    sent: dict[str, str] = {}
    until = time.monotonic() + LONGEST_STREAM
    try:
        while time.monotonic() < until:
            found = await watch.next()
            if found is None:  # the page asks again, and is told why not
                return
            drawn = await run_in_threadpool(regions, request, found, viewer, feed.names(run_id))
            changed = {name: text for name, text in drawn.items() if sent.get(name) != text}
            if changed:
                yield ServerSentEvent(raw_data=message(request, found, changed, seen), id=str(found.run.last_event))
            sent, seen = drawn, max(seen, found.run.last_event)
    finally:
        feed.leave(watch)
