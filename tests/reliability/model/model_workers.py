"""Workers of the simulated sites: they do steps as the real one does (begin, look, body, outcome), an instant a time.

A worker can die at any moment, be cut off from the database, be stopped and wake up, and have a clock of its own.
What the real `app.worker` and `app.runs.engine` do in threads, these do when the scene lets them.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.runs import handover, leases, steps
from app.runs.rules import Call, Do
from app.runs.work import Owner, ReadyStep, Work
from runners.contract import Fencing, Observation, Outcome, Seen
from tests.reliability.model.model_bodies import BODIES, Body
from tests.reliability.model.model_runners import REGISTRY, WORDS, observe
from tests.reliability.model.model_world import HUB, Caller

LEASE = 15.0
TOKEN_TARGETS = frozenset({"switch.http"})
"""Drivers whose target looks at the token in the same instant in which it acts, and hears it from a look as well."""


class Died(Exception):
    """The worker was killed in the middle of a transaction, which is rolled back."""


@dataclass
class AtWork:
    """A step attempt in the hands of a worker."""

    work: Work
    step_id: str
    caller: Caller
    call: Call
    looking: bool
    body: Body | None = None
    ended: bool = False
    instants: int = 0
    outcome: Outcome | None = None
    seen: Seen | None = None


@dataclass
class Worker:
    """One process at one site."""

    scene: Any = field(repr=False)
    name: str
    site: str
    """Name of the site whose steps it takes."""
    place: str
    """Where it stands: a side or the hub."""
    life: int = 1
    alive: bool = True
    frozen: bool = False
    skew: float = 0.0
    beaten: float = 0.0
    held: dict[str, AtWork] = field(default_factory=dict)
    others: leases.Watch = field(default_factory=lambda: leases.Watch(LEASE))

    @property
    def boot_id(self) -> str:
        return f"{self.name}-{self.life}"

    @property
    def owner(self) -> Owner:
        return Owner(self.boot_id, f"{self.name}:{self.life}")

    @property
    def wall(self) -> datetime:
        return self.scene.now + timedelta(seconds=self.skew)

    @property
    def works(self) -> bool:
        return self.alive and not self.frozen

    @property
    def connected(self) -> bool:
        return self.works and self.scene.world.reach(self.place, HUB)

    # -- steps

    def take(self, ready: ReadyStep, *, die: bool = False) -> None:
        """Write the intent; `die`: killed before it is committed."""
        try:
            with self.scene.transaction() as session:
                work = steps.begin(session, ready.step_run_id, ready.attempt, owner=self.owner, now=self.wall)
                found = self.scene.note_intent(session, self, work) if work else None
                if die:
                    raise Died
        except Died:
            self.kill()
            return
        if work is not None and found is not None:
            self._hold(work, *found)

    def _hold(self, work: Work, step_id: str, generation: int, call: Call) -> None:
        kind = "undo" if call is Call.UNDO else "run"
        by = (work.run_id, step_id, kind, work.effect_key, work.fencing_token, generation, self.scene.book.epoch)
        caller = Caller(*by, params=dict(work.params))
        looking = work.call is Do.OBSERVE_FIRST
        body = None if looking else BODIES[work.runner](self.scene.world, caller)
        self.held[work.step_run_id] = AtWork(work, step_id, caller, call, looking, body)

    def go_on(self, each: AtWork) -> None:
        """One instant of what it has in hands: of a body, a look, or the telling of what came of it."""
        if each.ended:
            self.tell(each)
        elif each.looking:
            each.seen = observe(each.work.observe_runner, self.scene.world, each.work.observe_params)
            each.ended = True
            if each.work.observe_runner in TOKEN_TARGETS:
                self.scene.world.at_target.admits(each.caller)
        else:
            assert each.body is not None
            each.instants += 1
            try:
                next(each.body)
            except StopIteration as end:
                each.outcome, each.ended = end.value, True
        self.scene.world.instant()

    def tell(self, each: AtWork, *, die: bool = False) -> None:
        """Write what came of it; cut off from the database it is lost."""
        del self.held[each.work.step_run_id]
        if not self.scene.world.reach(self.place, HUB):
            return
        try:
            with self.scene.transaction() as session:
                if each.looking and each.seen is not None:
                    work = self._looked(session, each)
                else:
                    work = self._finished(session, each)
                found = self.scene.note_intent(session, self, work) if work else None
                if die:
                    raise Died
        except Died:
            self.kill()
            return
        if work is not None and found is not None:
            self._hold(work, *found)

    def _looked(self, session: Any, each: AtWork) -> Work | None:
        self.scene.note_seen(each)
        seen = Observation(seen=each.seen or Seen.UNKNOWN, reason=WORDS)
        work = each.work
        after = steps.observed(session, work.step_run_id, work.attempt, seen, owner=self.owner, now=self.wall)
        if after.work is not None:
            return after.work
        each.outcome = None
        return self._finished(session, each, told=False)

    def _finished(self, session: Any, each: AtWork, *, told: bool = True) -> Work | None:
        """The outcome, and at once the next step of this site, in one transaction, as the engine does."""
        if told:
            self.scene.note_outcome(session, self, each)
        ending = steps.Ending(each.outcome, self.scene.evidence_of(each))
        sites = frozenset({self.site})
        return steps.finish_and_begin(session, each.work, ending, owner=self.owner, sites=sites, now=self.wall)

    def end_bodies(self) -> None:
        """Kill every body: what each of them did is not known."""
        for each in self.held.values():
            if not each.ended or each.looking:
                each.body, each.outcome, each.seen, each.ended = None, None, None, True
                each.looking = False

    # -- the life of the process

    def kill(self) -> None:
        self.alive, self.frozen = False, False
        self.held.clear()

    def restart(self) -> None:
        """A new life; what the former one held is taken over at once, for its number is known to be dead."""
        dead, self.life = self.life, self.life + 1
        self.alive, self.frozen, self.beaten = True, False, self.scene.monotonic
        self.held.clear()
        self.others = leases.Watch(LEASE)
        if self.connected:
            self.beat(force=True)
            self.sweep(dead_pids=[dead])

    def beat(self, *, force: bool = False) -> None:
        """Renew the lease in time; one that can't kills its bodies at two thirds; one that was buried as well."""
        silent = self.scene.monotonic - self.beaten
        if not self.works or (silent < LEASE / 3 and not force):
            return
        if silent > LEASE * leases.ACT_FOR:
            self.end_bodies()  # the hosts themselves see that their worker's term is over
        if not self.connected:
            return
        lease = leases.WorkerLease(
            boot_id=self.boot_id,
            host=self.name,
            pid=self.life,
            sites=self.site,
            started_at=self.wall,
            expires_at=self.wall + timedelta(seconds=LEASE),
        )
        with self.scene.transaction() as session:
            alive = leases.beat(session, lease, now=self.wall, seconds=LEASE)
        if not alive:
            self.held.clear()
            with self.scene.transaction() as session:
                leases.revive(session, self.boot_id, now=self.wall, seconds=LEASE)
        self.beaten = self.scene.monotonic

    def sweep(self, dead_pids: list[int] = []) -> None:  # noqa: B006
        """Take over from the dead."""
        if not self.connected:
            return
        with self.scene.transaction() as session:
            boots = leases.bury(
                session,
                now=self.wall,
                host=self.name,
                me=self.boot_id,
                watch=self.others,
                passed=self.scene.monotonic,
                dead_pids=dead_pids,
            )
            self.scene.note_buried(boots)
            boots = sorted({*boots, *handover.left_behind(session)})
            if boots:
                self.scene.note_take_over(session, boots)
                handover.take_over(session, boots, now=self.wall)

    def give_up_orphans(self) -> None:
        """Give up what it began and nobody here has in hands any more."""
        if not self.connected:
            return
        with self.scene.transaction(write=False) as session:
            begun = handover.orphans(session, self.boot_id)
        for step_run_id, attempt in begun:
            if step_run_id not in self.held:
                with self.scene.transaction() as session:
                    handover.give_up(session, step_run_id, attempt, now=self.wall)
                    self.scene.book.epoch += 1

    def watch(self) -> None:
        """Kill the bodies that must not go on: a run was aborted or ended."""
        if not self.connected or not self.held:
            return
        with self.scene.transaction(write=False) as session:
            unwanted = [
                each
                for each in self.held.values()
                if steps.kill_wanted(session, each.work.step_run_id, each.work.attempt)
            ]
        for each in unwanted:
            if not each.ended:
                each.body, each.outcome, each.seen, each.ended, each.looking = None, None, None, True, False

    def thaw(self) -> None:
        """Wake up, too late: what has not yet told its token goes on before anybody looks, and must be refused.

        What had told it already ends before it acts: the host itself sees that its worker's term is over
        (`runners.term`). Whether a host is quick enough for that is for the tests of real workers to show.
        """
        self.frozen = False
        if self.scene.monotonic - self.beaten > LEASE * leases.ACT_FOR:
            for each in list(self.held.values()):
                fresh = each.instants <= 1 or each.work.runner in TOKEN_TARGETS
                if REGISTRY[each.work.runner].fencing is not Fencing.LEASE and fresh and not each.looking:
                    while not each.ended:
                        self.go_on(each)
                    self.tell(each)
            self.end_bodies()
        self.beat(force=True)
