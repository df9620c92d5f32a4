"""Carries out step attempts durably; the only file that imports DBOS.

Our rows are the truth: DBOS executes single step attempts, under an id that is made from run, step and attempt, so
that dispatching twice is harmless. A step's outcome, the plan for what follows and the intent of the next step commit
together; the worker then walks on without a queue between. DBOS keeps no checkpoint of them: what a former life of this
process, or a repeated body, may still do is decided by the rows alone (their state, attempt and boot id).
"""

import os
import socket
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos import error as engine_error
from sqlalchemy import Engine as SqlEngine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlmodel import Session, select

from app.core import clock, faults, pages
from app.core.columns import new_id
from app.core.db import Database, make_engine, not_for_ever
from app.core.settings import Settings
from app.runs import leases, steps
from app.runs.perform import Performed, Performer
from app.runs.work import Owner, ReadyStep, Work

log = structlog.get_logger()
WORKFLOW = "step-attempt-1"
"""Name of the workflow: a changed body gets a new name, so that an old one is never replayed by new code."""
APPLICATION_VERSION = "1"
EVERY_SITE = "*"
SOON, LATER = 0.05, 2.0
"""Seconds before what the database did not take is tried again: at first, and at most."""
BEGINS_WITHIN = 10.0
"""Seconds in which a workflow that DBOS took must have begun; else the step is started under a further id."""
Answer = TypeVar("Answer")
Taken = tuple[Work, int]
"""A begun step, and the life of this process (`runners.term`) that began it."""
_DONE = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})


def queue_name(site: str) -> str:
    """The queue of a site."""
    return f"site-{site}"


@dataclass(frozen=True)
class Boot:
    """This process's present life."""

    id: str
    host: str
    pid: int

    @property
    def owner(self) -> Owner:
        """As the rows name it."""
        return Owner(boot_id=self.id, executor_id=f"{self.host}:{self.pid}:{self.id}")


def this_boot() -> Boot:
    """A new life of this process."""
    return Boot(new_id(), socket.gethostname(), os.getpid())


class Engine:
    """DBOS, set up for this process and its sites."""

    def __init__(self, settings: Settings, database: Database, performer: Performer, boot: Boot) -> None:
        self._settings, self._database, self._performer, self._boot = settings, database, performer, boot
        self._sites = settings.served_sites
        self._holding: set[tuple[str, int]] = set()
        self._present: set[str] = set()
        """Ids of the workflows that this process has a thread for."""
        self._handed: dict[str, float] = {}
        """When DBOS took a workflow (`clock.passed`) that has not begun yet."""
        self._fruitless: Counter[tuple[str, int]] = Counter()
        """How often an attempt could not be begun for an error of our own."""
        self._stopping = threading.Event()
        self._ledger: SqlEngine | None = None
        """Keeps the file of DBOS and its log open, where that is SQLite: closed, the log would give its room away."""
        self._start_attempt: Callable[[str, int], Any] | None = None

    @property
    def sites(self) -> frozenset[str] | None:
        """The sites served here; None for every site."""
        return None if EVERY_SITE in self._sites else self._sites

    def start(self) -> None:
        """Launch DBOS and listen to the queues of our own sites, and to no other."""
        DBOS(config=self._config())
        queues = [queue_name(site) for site in sorted(self._sites)]
        DBOS.listen_queues(queues)

        def attempt(step_run_id: str, number: int) -> None:
            self._attempt(step_run_id, number)

        self._start_attempt = DBOS.workflow(name=WORKFLOW)(attempt)  # DBOS marks the function, so no bound method
        DBOS.launch()
        for name in queues:
            DBOS.register_queue(name, polling_interval_sec=0.2)

    def holds(self, step_run_id: str, attempt: int) -> bool:
        """Whether this process is still at work on an attempt that it took; else nobody is, whatever the row says."""
        return (step_run_id, attempt) in self._holding

    def stop(self) -> None:
        """Stop taking work; what runs now was killed by its performer and is taken over at the next start."""
        self._stopping.set()
        DBOS.destroy(destroy_registry=True)
        if self._ledger is not None:
            self._ledger.dispose()

    def dispatch(self, ready: ReadyStep) -> bool:
        """Start an attempt here when its site is ours, else put it on its site's queue; repeating is harmless.

        False: it was tried so often, and failed before it was begun, that trying again is of no use. A database that
        was away or busy, or the engine itself, is no such failure.
        """
        if self._fruitless[ready.step_run_id, ready.attempt] >= steps.FRUITLESS:
            return False
        try:
            self._dispatched(ready)
        except engine_error.DBOSException as refused:  # the sweep repeats it; the command before it was committed
            log.warning("the engine did not take a step", step=ready.step_run_id, error=str(refused))
        return True

    def _dispatched(self, ready: ReadyStep) -> None:
        ours = self.sites is None or ready.site in self.sites
        workflow_id = self._free_id(ready.workflow_id)
        if workflow_id is None or self._start_attempt is None:
            return
        with SetWorkflowID(workflow_id):
            if ours:
                self._start_here(self._start_attempt, workflow_id, ready)
            else:
                DBOS.enqueue_workflow(queue_name(ready.site), self._start_attempt, ready.step_run_id, ready.attempt)

    def _start_here(self, start: Callable[[str, int], Any], workflow_id: str, ready: ReadyStep) -> None:
        self._handed[workflow_id] = clock.passed()
        started = False
        try:
            DBOS.start_workflow(start, ready.step_run_id, ready.attempt)
            started = True
        finally:
            if not started:  # it may be written down all the same, and has no thread
                self._handed.pop(workflow_id, None)

    def _free_id(self, workflow_id: str) -> str | None:
        """The id to start under: a new one where the old workflow ended without taking the step; None: it is under way.

        A workflow can end so when its process was held for dead, or stopped; the step is still ready then.
        """
        candidate, number = workflow_id, 1
        while (status := DBOS.get_workflow_status(candidate)) is not None:
            if self._is_under_way(candidate, status.status, status.executor_id):
                return None
            number += 1
            candidate = f"{workflow_id}:{number}"
        return candidate

    def _is_under_way(self, workflow_id: str, status: str, executor: str | None) -> bool:
        """Whether somebody is still about to take the step; what waits for a process that died meanwhile is nobody's.

        That it died may be long known: who buried it can have died before it cancelled what was left (`abandon`).
        """
        if status in _DONE:
            return False
        if status != "PENDING" or executor is None:
            return True
        boot = executor.rpartition(":")[2]
        if boot == self._boot.id:
            return workflow_id in self._present or self._is_about_to_begin(workflow_id)
        with self._database.transaction(write=False) as session:
            return not leases.is_buried(session, boot)

    def _is_about_to_begin(self, workflow_id: str) -> bool:
        """Whether DBOS took it a moment ago; what it never began, as when it lost its database, is nobody's."""
        if clock.passed() - self._handed.get(workflow_id, -BEGINS_WITHIN) < BEGINS_WITHIN:
            return True
        self._handed.pop(workflow_id, None)
        return False

    def abandon(self, boots: list[str]) -> None:
        """Cancel what a dead process left in DBOS's own tables; its steps go on from our rows under new attempts."""
        with self._database.transaction(write=False) as session:
            dead = session.exec(select(leases.WorkerLease).where(leases.WorkerLease.boot_id.in_(boots))).all()  # type: ignore[attr-defined]
        for lease in dead:
            executor = Boot(lease.boot_id, lease.host, lease.pid).owner.executor_id
            for left in DBOS.list_workflows(executor_id=executor, status="PENDING", load_input=False):
                DBOS.cancel_workflow(left.workflow_id)

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": "wissel",
            "application_version": APPLICATION_VERSION,
            "executor_id": self._boot.owner.executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "use_listen_notify": False,
        }
        if not self._database.is_sqlite:
            url = self._settings.url
            return {**config, "system_database_url": url, "db_engine_kwargs": {"connect_args": not_for_ever(url)}}
        # A file of its own: its bookkeeping must not wait for our write lock, nor ours for its.
        file = self._settings.data_dir.absolute() / "engine.db"
        self._ledger = make_engine(f"sqlite:///{file}")  # sets WAL, which stays with the file; DBOS does not
        with suppress(sqlite3.Error, DBAPIError):
            pages.claim(self._ledger)  # so that a restart on a full disk can still write here
        return {**config, "system_database_url": f"sqlite:///{file}"}

    def _attempt(self, step_run_id: str, attempt: int) -> None:
        """The workflow: take the step, do it, record it; walk on as long as there is a next step for this site."""
        workflow_id = str(DBOS.workflow_id)
        self._present.add(workflow_id)
        self._handed.pop(workflow_id, None)
        try:
            taken = self._begin(step_run_id, attempt)
            while taken is not None:
                taken = self._walk_on(*taken)
        finally:
            self._present.discard(workflow_id)

    def _walk_on(self, work: Work, life: int) -> Taken | None:
        try:
            performed = self._performer.perform(work, life)
            # Without a word nothing is written: nobody holds the step any more, so the sweep gives it back.
            return None if performed is None else self._finish_and_begin(work, performed)
        finally:
            self._holding.discard((work.step_run_id, work.attempt))

    def _begin(self, step_run_id: str, attempt: int) -> Taken | None:
        def within(session: Session) -> Work | None:
            return steps.begin(session, step_run_id, attempt, owner=self._boot.owner, now=clock.now())

        attempted, well = (step_run_id, attempt), False
        try:
            taken = self._taken(within)
            well = True
            return taken
        finally:
            if well:
                self._fruitless.pop(attempted, None)
            elif not self._stopping.is_set():
                self._fruitless[attempted] += 1

    def _finish_and_begin(self, work: Work, performed: Performed) -> Taken | None:
        ending = steps.Ending(performed.outcome, performed.evidence, performed.error)

        def within(session: Session) -> Work | None:
            owner, sites = self._boot.owner, self.sites
            return steps.finish_and_begin(session, work, ending, owner=owner, sites=sites, now=clock.now())

        return self._taken(within)

    def _taken(self, body: Callable[[Session], Work | None]) -> Taken | None:
        """The work that `body` writes the intent of, in a transaction that is tried until the database takes it.

        An outcome in our hands is not thrown away because the database is away, restarts or is full. A commit of which
        only the answer was lost is recognised by the intent that it wrote.
        """
        tried: list[Taken] = []
        taken: Taken | None = None
        begun = clock.passed()

        def within(session: Session) -> Taken | None:
            for each in tried:
                if steps.is_begun(session, each[0], self._boot.owner):
                    return each
            nonlocal begun
            begun = clock.passed()
            life = self._performer.life  # read before: whoever is held for dead from here on begins a new one
            work = body(session)
            if work is None:
                return None
            self._holding.add((work.step_run_id, work.attempt))  # before the commit: no sweep takes it for orphaned
            tried.append((work, life))
            return work, life

        try:
            taken = self._until_taken(within)
        finally:
            kept = {(taken[0].step_run_id, taken[0].attempt)} if taken else set()
            self._holding -= {(work.step_run_id, work.attempt) for work, _ in tried} - kept
        return self._with_its_time(*taken, begun) if taken else None

    def _with_its_time(self, work: Work, life: int, begun: float) -> Taken:
        """Work that was begun at `begun`, once our lease lets a body act: it has its whole time from now on."""
        while not self._performer.may_act and not self._stopping.wait(SOON):
            pass
        return replace(work, deadline=work.deadline + timedelta(seconds=clock.passed() - begun)), life

    def _until_taken(self, body: Callable[[Session], Answer]) -> Answer:
        pause = SOON
        while True:
            try:
                with self._database.transaction() as session:
                    return body(session)
            except SQLAlchemyError as error:
                if not _is_passing(error) or self._stopping.wait(pause):
                    raise
                log.warning("the database did not take it yet", error=str(error).splitlines()[0])
                pause = min(2 * pause, LATER)


def _is_passing(error: SQLAlchemyError) -> bool:
    """Whether the same may be taken later: a database that is away, busy or full, or a pool that is empty."""
    return isinstance(error, OperationalError | InterfaceError) or faults.of(error) is not None
