"""Carries out step attempts durably; the only file that imports DBOS.

Our rows are the truth: DBOS executes single step attempts, under an id that is made from run, step and attempt, so
that dispatching twice is harmless. A step's outcome, the plan for what follows, the intent of the next step and the
checkpoint commit together; the worker then walks on without a queue between.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, SQLAlchemyDatasource
from dbos._datasource import DatasourceOptions
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session, select

from app.core import clock
from app.core.columns import new_id
from app.core.db import Database, committed, make_engine
from app.core.settings import Settings
from app.runs import leases, steps
from app.runs.perform import Performed, Performer
from app.runs.work import Owner, ReadyStep, Work

log = structlog.get_logger()
WORKFLOW = "step-attempt-1"
"""Name of the workflow: a changed body gets a new name, so that an old one is never replayed by new code."""
APPLICATION_VERSION = "1"
EVERY_SITE = "*"
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
        self._works: dict[tuple[str, int], tuple[Work, int]] = {}
        self._holding: set[tuple[str, int]] = set()
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
        self._datasource = self._open_datasource()
        self._begin = self._transaction("begin", self._begin_step)
        self._finish = self._transaction("finish", self._finish_and_walk_on)

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
        DBOS.destroy(destroy_registry=True)

    def dispatch(self, ready: ReadyStep) -> None:
        """Start an attempt here when its site is ours, else put it on its site's queue; repeating is harmless."""
        ours = self.sites is None or ready.site in self.sites
        workflow_id = self._free_id(ready.workflow_id)
        if workflow_id is None or self._start_attempt is None:
            return
        with SetWorkflowID(workflow_id):
            if ours:
                DBOS.start_workflow(self._start_attempt, ready.step_run_id, ready.attempt)
            else:
                DBOS.enqueue_workflow(queue_name(ready.site), self._start_attempt, ready.step_run_id, ready.attempt)

    def _free_id(self, workflow_id: str) -> str | None:
        """The id to start under: a new one where the old workflow ended without taking the step; None: it is under way.

        A workflow can end so when its transaction failed (a database that went away); the step is still ready then.
        """
        candidate, number = workflow_id, 1
        while (status := DBOS.get_workflow_status(candidate)) is not None:
            if status.status not in _DONE:
                return None
            number += 1
            candidate = f"{workflow_id}:{number}"
        return candidate

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
            return {**config, "system_database_url": self._settings.url}
        # A file of its own: its bookkeeping must not wait for our write lock, nor ours for its.
        file = self._settings.data_dir.absolute() / "engine.db"
        make_engine(f"sqlite:///{file}").connect().close()  # sets WAL, which stays with the file; DBOS does not
        return {**config, "system_database_url": f"sqlite:///{file}"}

    def _open_datasource(self) -> SQLAlchemyDatasource:
        """Checkpoints on our own engine and session class; its migration says BEGIN itself, so not on our engine."""
        SQLAlchemyDatasource.migrate(self._settings.url)
        return SQLAlchemyDatasource.create(
            self._settings.url,
            engine=self._database.engine,
            sessionmaker=sessionmaker(class_=Session, expire_on_commit=False),
            serializer=DBOSPortableJSONSerializer(),
            run_migrations=False,
        )

    def _transaction(self, name: str, body: Callable[..., Any]) -> Callable[..., Any]:
        """`body(session, …)` as a checkpointed transaction on our own engine and session class."""
        # Row locks do the work on PostgreSQL; SQLite knows one isolation only, and its write lock is taken at BEGIN.
        options: DatasourceOptions = {
            "name": name,
            "isolation_level": "SERIALIZABLE" if self._database.is_sqlite else "READ COMMITTED",
        }

        def call(*arguments: Any) -> Any:
            waiting: list[Callable[[], None]] = []

            def within() -> Any:
                session = self._datasource.sql_session()
                result = body(session, *arguments)
                waiting[:] = committed(cast(Session, session))
                return result

            result = self._datasource.run_tx_step(options, within)
            for each in waiting:
                each()
            return result

        return call

    def _attempt(self, step_run_id: str, attempt: int) -> None:
        """The workflow: take the step, do it, record it; walk on as long as there is a next step for this site."""
        taken = self._begin(step_run_id, attempt)
        while taken:
            begun = self._works.pop((taken[0], taken[1]), None)
            if begun is None:
                return  # a replay after a crash: this life never wrote the intent, so the sweeper decides
            work, life = begun
            try:
                taken = self._finish(work, self._performer.perform(work, life))
            finally:
                self._holding.discard((work.step_run_id, work.attempt))

    def _begin_step(self, session: Session, step_run_id: str, attempt: int) -> list[Any] | None:
        life = self._performer.life  # read before: whoever is held for dead from here on begins a new one
        work = steps.begin(session, step_run_id, attempt, owner=self._boot.owner, now=clock.now())
        return self._keep(work, life)

    def _finish_and_walk_on(self, session: Session, work: Work, performed: Performed) -> list[Any] | None:
        ready = steps.finish(
            session,
            work.step_run_id,
            work.attempt,
            performed.outcome,
            owner=self._boot.owner,
            now=clock.now(),
            evidence=performed.evidence,
            error=performed.error,
        )
        for step in ready:
            if self.sites is None or step.site in self.sites:
                taken = self._begin_step(session, step.step_run_id, step.attempt)
                if taken is not None:
                    return taken
        return None

    def _keep(self, work: Work | None, life: int) -> list[Any] | None:
        """Remember the work in this process; the checkpoint holds only which step it is, never its parameters."""
        if work is None:
            return None
        self._works[(work.step_run_id, work.attempt)] = (work, life)
        self._holding.add((work.step_run_id, work.attempt))  # before the commit, so that no sweep takes it for orphaned
        return [work.step_run_id, work.attempt]
