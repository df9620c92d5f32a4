"""A site's worker: the engine, the watchers around it and the clock; `wissel serve` runs one beside the web."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import structlog
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app import site_secrets
from app.access import tokens
from app.access.rules import SYSTEM
from app.core import audit, clock, logs
from app.core.audit.keeper import Keeper
from app.core.db import Database
from app.core.evidence import EvidenceStore
from app.core.post import Post
from app.core.rounds import Rounds
from app.core.settings import Settings
from app.findings import sweep as findings_sweep
from app.plans import service as plans
from app.reports.kit.keep import Renewal
from app.runs import ahead, facts, guards, handover, leases, room, service, steps, wakeup
from app.runs.engine import Engine, this_boot
from app.runs.hosts import Hosts
from app.runs.perform import Performer, Underway
from app.runs.work import ReadyStep
from runners.contract import Registry, SitePolicy
from runners.host_client import end_hosts
from runners.processes import is_alive

log = structlog.get_logger()
SWEEP_SECONDS = 1.0
STUCK_SECONDS = 8.0
"""How long one look of the clock, the sweeper or the watch may take before health turns red."""
BEAT_AGAIN_SECONDS = 0.5
"""How soon a beat that failed is tried again: a database that restarts often would else meet every beat while away."""
LONG_SECONDS = 600.0
"""The same for what works through all plans and services."""
FLUSH_SECONDS = 1.0
SECRETS_SECONDS = 5.0
"""How often it is looked whether the secrets that drills need are there."""
KIT_SECONDS = 60.0
"""How often the emergency kits are made again where something changed."""
POST_SECONDS = 5.0
"""How often the outbox is looked at."""
AUDIT_SECONDS = 5.0
"""How often is looked whether the audit log must be signed or verified."""
WATCH_SECONDS = 0.25
"""How often running bodies are looked at: an abort must reach them within a second."""


class PolicyRefused(RuntimeError):
    """The site's policy file cannot be used; the worker does not start without knowing what it may touch."""


def load_policy(path: Path | None) -> SitePolicy:
    """The site's policy; without a file nothing outside may be touched by command, HTTP or plain connection."""
    if path is None:
        return SitePolicy()
    try:
        return SitePolicy.model_validate(YAML(typ="safe", pure=True).load(path.read_text("utf-8")) or {})
    except (OSError, YAMLError, ValidationError) as error:
        raise PolicyRefused(f"{path}: {error}") from error


class Worker:
    """Everything that runs beside the web: started once, stopped once."""

    def __init__(self, settings: Settings, database: Database, registry: Registry) -> None:
        self.settings, self.database, self.registry = settings, database, registry
        self.boot = this_boot()
        self.secrets = site_secrets.of(settings)
        logs.mask_with(self.secrets.masks.mask)
        self.hosts = Hosts(settings.runner_user, self.secrets)
        policy = load_policy(settings.site_policy)
        self._telling = site_secrets.Telling(settings, database, self.secrets, policy, self.boot.id)
        scratch = settings.data_dir.absolute() / "scratch" / self.boot.id
        self.performer = Performer(
            database, EvidenceStore(settings.evidence_dir), self.hosts, self.boot.owner, scratch, lambda: policy
        )
        self.engine = Engine(settings, database, self.performer, self.boot)
        self._rounds = self._all_rounds()
        self._wall, self._set_by = clock.WallClock(), 0.0
        self._others = leases.Watch(settings.lease_seconds)
        self._looks = ThreadPoolExecutor(2, thread_name_prefix="guard")
        self._looking: set[str] = set()
        self._flushed: dict[str, float] = {}
        self._renewal = Renewal(settings, database)
        self._sender = Post(settings, database)
        self.keeper = Keeper(settings, database)

    def start(self) -> None:
        """Take over what this host's dead processes held, then begin."""
        self.database.look_after(self.settings)
        self._beat()
        self.engine.start()
        dead = _dead_pids(self.database)
        for pid in dead:
            end_hosts(pid)  # first: what a dead process started must not act beside us
        self._take_over(dead)
        wakeup.register(self._dispatch_run)
        self._rounds.start()

    def _all_rounds(self) -> Rounds:
        """By the time that passes, not by the wall clock: set back ten minutes, a scheduler would stand still so long.

        Judge and kits work through all there is: how long that may take nobody knows, and nothing waits for it.
        """
        made, lease, tick = Rounds(), self.settings.lease_seconds, self.settings.tick_seconds
        made.add("lease", lease / 5, self._beat, late=lease, stuck=lease, again=BEAT_AGAIN_SECONDS)
        made.add("watch", WATCH_SECONDS, self._watch, late=10.0, stuck=STUCK_SECONDS)
        made.add("room", SWEEP_SECONDS, self._look_for_room, late=10.0, stuck=STUCK_SECONDS)
        made.add("sweeper", SWEEP_SECONDS, self._sweep, late=10.0, stuck=STUCK_SECONDS)
        made.add("secrets", SECRETS_SECONDS, self._telling.look, late=LONG_SECONDS, stuck=LONG_SECONDS)
        made.add("clock", tick, self._tick, late=max(5.0, 3 * tick), stuck=STUCK_SECONDS)
        made.add("judge", 6 * tick, self._judge, late=max(LONG_SECONDS, 18 * tick), stuck=LONG_SECONDS)
        made.add("post", POST_SECONDS, self._post, late=LONG_SECONDS, stuck=LONG_SECONDS)
        made.add("audit", AUDIT_SECONDS, self._audit, late=LONG_SECONDS, stuck=LONG_SECONDS)
        made.add("kits", KIT_SECONDS, self._kits, late=max(LONG_SECONDS, 3 * KIT_SECONDS), stuck=LONG_SECONDS)
        return made

    def stop(self) -> None:
        """Stop within seconds: bodies at work are killed; their steps are taken over at the next start."""
        self._rounds.stop()
        wakeup.register(None)
        self._looks.shutdown(wait=False, cancel_futures=True)
        self.hosts.term.begin_anew()  # so that what we kill now is taken over, and no outcome of that step
        self.hosts.kill_all()
        self._rounds.join(2)
        self.engine.stop()
        self.hosts.close()
        with self.database.transaction() as session:
            leases.end(session, self.boot.id, now=clock.now())
            self._telling.forget(session)

    def trouble(self) -> dict[str, str | None]:
        """What is wrong with clock, sweeper, watch and lease; None where all is well."""
        return self._rounds.trouble()

    def _beat(self) -> None:
        asked, now = clock.passed(), clock.now()
        lease = leases.WorkerLease(
            boot_id=self.boot.id,
            host=self.boot.host,
            pid=self.boot.pid,
            sites=",".join(sorted(self.settings.served_sites)),
            started_at=now,
            expires_at=now + timedelta(seconds=self.settings.lease_seconds),
        )
        with self.database.transaction() as session:
            alive = leases.beat(session, lease, now=now, seconds=self.settings.lease_seconds)
        if not alive:
            self._live_again()
        self._may_act(asked)

    def _may_act(self, asked: float) -> None:
        """The lease was renewed on a request made at `asked`: until then nobody can hold us for dead."""
        self.hosts.term.extend(asked + self.settings.lease_seconds * leases.ACT_FOR)

    def _live_again(self) -> None:
        """Others took over what this process held: its bodies end first, only then it may take steps again."""
        log.error("was held for dead: killing what runs")
        self.hosts.term.begin_anew()
        self.hosts.kill_all()
        with self.database.transaction() as session:
            leases.revive(session, self.boot.id, now=clock.now(), seconds=self.settings.lease_seconds)

    def _watch(self) -> None:
        self._mind_the_clock()
        if (
            self.database.is_sqlite
        ):  # a file that is full or busy hands nothing to another machine: being alive is enough
            self._may_act(clock.passed())
        running = self.performer.underway()
        if running:
            with self.database.transaction(write=False) as session:
                unwanted = [each for each in running if _kill_wanted(session, each)]
            for each in unwanted:
                self.hosts.kill(each.work.key)
            self._flush(running)

    def _mind_the_clock(self) -> None:
        """Leases, deadlines and rounds do not go by the wall clock; how old a fact is does, as it is shared."""
        self._set_by += self._wall.moved()
        if self._set_by:
            with self.database.transaction() as session:
                facts.void_all(session)
                audit.record(session, SYSTEM.ref, "clock.set", "process", self.boot.id, seconds=round(self._set_by, 1))
            log.warning("the clock on the wall was set", seconds=round(self._set_by, 1))
            self._set_by = 0.0

    def _flush(self, running: list[Underway]) -> None:
        """Bring what bodies tell into their rows, each at most once a second: every flush is an event of its run."""
        now, keys = clock.passed(), {each.work.key for each in running}
        self._flushed = {key: at for key, at in self._flushed.items() if key in keys}
        for each in running:
            if now - self._flushed.get(each.work.key, 0.0) >= FLUSH_SECONDS:
                self._flushed[each.work.key] = now
                self.performer.flush(each)

    def _look_for_room(self) -> None:
        """With no space left every run waits for a person; what only fills the disk is ended, and abort goes on."""
        short = not self.database.look_for_room() and self.database.is_sqlite
        if not short and not self.database.was_full:
            return
        underway = {each.work.step_run_id: each.work.key for each in self.performer.underway()}
        with self.database.transaction() as session:
            paused = room.wait_for_room(session, now=clock.now())
            filling = room.harmless(session, underway)
        self.database.was_full = False
        for step in filling:
            self.hosts.kill(underway[step])
        if paused:
            log.error("no space left: runs wait for a person", runs=paused)

    def _sweep(self) -> None:
        self._take_over([])
        self._give_up_orphans()
        with self.database.transaction(write=False) as session:
            ready = steps.ready_steps(session, None)
            active = steps.active_runs(session)
            looks = guards.due(session, self.engine.sites, now=clock.now())
            soon = ahead.drivers_ahead(session, self.engine.sites)
        for step in ready:
            self._dispatch(step)
        for look in looks:
            self._look(look)
        self.hosts.close_runs(keep=active)
        self.hosts.prepare(soon)

    def _take_over(self, dead_pids: list[int]) -> None:
        now = clock.now()
        with self.database.transaction() as session:
            boots = leases.bury(
                session,
                now=now,
                host=self.boot.host,
                me=self.boot.id,
                watch=self._others,
                passed=clock.passed(),
                dead_pids=dead_pids,
            )
            boots = sorted({*boots, *handover.left_behind(session)} - {self.boot.id})  # our own bodies end first
            taken = handover.take_over(session, boots, now=now) if boots else []
        if boots:
            self.engine.abandon(boots)
        for run_id in sorted({step.run_id for step in taken}):
            self._dispatch_run(run_id)

    def _give_up_orphans(self) -> None:
        """Steps that we began and that no thread of ours holds any more: a database that went away, a bug."""
        with self.database.transaction(write=False) as session:
            begun = handover.orphans(session, self.boot.id)
        for step_run_id, attempt in begun:
            if not self.engine.holds(step_run_id, attempt):
                log.error("lost hold of a step", step=step_run_id, attempt=attempt)
                with self.database.transaction() as session:
                    handover.give_up(session, step_run_id, attempt, now=clock.now())

    def _dispatch(self, step: ReadyStep) -> None:
        if not self.engine.dispatch(step):
            log.error("a step can't be begun", step=step.step_run_id, attempt=step.attempt)
            with self.database.transaction() as session:
                handover.cannot_begin(session, step.step_run_id, step.attempt, now=clock.now())

    def _dispatch_run(self, run_id: str) -> None:
        try:
            with self.database.transaction(write=False) as session:
                ready = [step for step in steps.ready_steps(session, None) if step.run_id == run_id]
            for step in ready:
                self._dispatch(step)
        except SQLAlchemyError as error:  # what was committed stands; the sweep finds the steps within a second
            log.warning("could not dispatch at once", run=run_id, error=str(error).splitlines()[0])

    def _look(self, look: guards.GuardLook) -> None:
        name = f"{look.run_id}:{look.guard_id}"
        if name in self._looking:
            return
        self._looking.add(name)
        self._looks.submit(self._look_now, name, look)

    def _look_now(self, name: str, look: guards.GuardLook) -> None:
        try:
            outcome = self.performer.look(look)
            with self.database.transaction() as session:
                guards.seen(session, look.run_id, look.guard_id, outcome, now=clock.now())
        finally:
            self._looking.discard(name)

    def _judge(self) -> None:
        """What time and the catalogue did: expired acceptances, rule findings, tokens that end, proof that ran out."""
        now = clock.now()
        with self.database.transaction() as session:
            findings_sweep.sweep(session, now=now)
            tokens.sweep(session, now=now)
        plans.sweep(self.database, now=now)

    def _kits(self) -> None:
        """What people need on paper when all this is gone."""
        try:
            self._renewal.look(now=clock.now())
        except (SQLAlchemyError, OSError) as error:
            log.warning("the emergency kits could not be made", error=str(error).splitlines()[0])

    def _post(self) -> None:
        """Mail and webhooks; a server that does not answer holds nothing else up."""
        self._sender.look(clock.now)

    def _audit(self) -> None:
        """The audit log is signed, brought away and verified."""
        self.keeper.look(now=clock.now())

    def _tick(self) -> None:
        service.tick(self.database, self.registry, now=clock.now(), went_on=lambda: self._rounds.went_on("clock"))


def _kill_wanted(session: Session, body: Underway) -> bool:
    return steps.kill_wanted(session, body.work.step_run_id, body.work.attempt)


def _dead_pids(database: Database) -> list[int]:
    """Processes of this host that have a lease and are no more; our own number counts, for it was a former life's."""
    with database.transaction(write=False) as session:
        pids = {row.pid for row in leases.living(session) if row.host == socket.gethostname()}
    return [pid for pid in pids if pid == os.getpid() or not is_alive(pid)]
