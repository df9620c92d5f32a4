"""The scene of the model test: the real rows and functions of runs, with people, workers and time, round the world.

Each public method is something that can happen. What the invariants must know of the past is noted by the scene itself,
apart from the rows that are under test.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.catalog.models import EnvironmentPair
from app.core.errors import Problem
from app.core.evidence import EvidenceStore
from app.drills.models import Drill
from app.playbooks.rules import Mode, StepKind
from app.runs import activations, answers, approval, commands, drivers, guards, planning, service, steps
from app.runs.activation_shapes import ActivationIn
from app.runs.models import EvidenceFile, Run, StepRun
from app.runs.record import Answer, Approval, ApprovalVerdict
from app.runs.rules import Call, Command, Legal, StepState
from app.runs.view import Held, hold, read
from app.runs.work import ReadyStep, StoredFile, Work
from runners.contract import Seen, Verdict
from tests.reliability.model.model_ground import START, Ground, actor
from tests.reliability.model.model_runners import BODIES, REGISTRY
from tests.reliability.model.model_workers import LEASE, AtWork, Worker
from tests.reliability.model.model_world import HUB, SIDES, Caller, World, other

FRESH, SIGNED = 60.0, 900.0
UNPLANNED = "fail-over"
_PROVES = {
    "postgres.check-fenced": "fenced",
    "postgres.check-cut-off": "fenced",
    "postgres.caught-up": "caught-up",
    "postgres.accepted-loss": "caught-up",
}


@dataclass(frozen=True)
class Intent:
    """An intent that was committed, with what was true at that moment."""

    run_id: str
    step_id: str
    call: Call
    generation: int
    runner: str
    token: int
    epoch: int
    mode: Mode
    held_back: bool
    """Whether its run was over, paused, aborting, or undoing while this was no undo."""
    granted: bool
    """Whether enough people had approved exactly this, by the scene's own book."""
    irreversible: bool
    stood_after: tuple[str, ...] = ()
    """For an undo: changes that were started later and still stood."""
    undo_failed: bool = False
    undone_before: bool = False
    fenced: bool = False
    """Whether a probe saw the other side fenced in the last minute, or a person signed it in the last quarter."""
    caught_up: bool = False
    """Whether this side was seen to have everything, after the other one was stopped."""


@dataclass
class Said:
    """One approval, as the person meant it."""

    run_id: str
    person: str
    yes: bool
    config: str
    until: datetime
    id: str
    revoked: bool = False


@dataclass
class Book:
    """What happened, by the scene's own account."""

    intents: list[Intent] = field(default_factory=list)
    starts: list[tuple[str, bool]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    """Per step what was last really told or seen of it."""
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Per step how often a person said that it may be tried again."""
    real: set[str] = field(default_factory=set)
    proven: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    """Fact, run and side: when it was seen, and for how long that counts."""
    planned: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Per started run what it was when it started: mode, digest, playbook."""
    evidence: list[str] = field(default_factory=list)
    buried_alive: list[str] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    """Grows with each new owner of what is under way: a run that starts, a step that is taken over."""


class Scene:
    """Everything together; `close` at the end."""

    def __init__(self, playbook: str = "model-switch") -> None:
        drivers.use(REGISTRY)
        self.ground, self.world, self.playbook = Ground(), World(), playbook
        self.now, self.monotonic, self.hub_skew = START, 0.0, 0.0
        self.config, self.book = "http://127.0.0.1:1/", Book()
        self.runs: list[str] = []
        self._pending: list[Intent] = []
        self.store = EvidenceStore(self.ground.folder / "evidence")
        places = {side: side for side in SIDES} | {"orchestrator": HUB}
        self.workers = [
            Worker(self, f"{site}-{number}", site, place) for site, place in places.items() for number in (1, 2)
        ]
        for worker in self.workers:
            worker.beat(force=True)

    def close(self) -> None:
        self.ground.close()

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        try:
            with self.ground.database.transaction(write=write) as session:
                yield session
        except BaseException:
            self._pending.clear()
            raise
        self.book.intents += self._pending
        self._pending.clear()

    @property
    def wall(self) -> datetime:
        """The clock of the machine that serves people."""
        return self.now + timedelta(seconds=self.hub_skew)

    # -- the scene's own notes

    def note_intent(self, session: Session, worker: Worker, work: Work) -> tuple[str, int, Call]:
        row = session.get_one(StepRun, work.step_run_id)
        held = hold(session, work.run_id)
        run, step = held.run, held.playbook.step(row.step_id)
        back = run.ended is not None or (
            row.call is Call.RUN and (run.aborting or run.undoing or run.paused is not None)
        )
        later = [
            fact.id
            for fact in held.facts()
            if row.call is Call.UNDO and fact.order > row.order and fact.stands and not fact.irrevocable
        ]
        self._pending.append(
            Intent(
                run.id,
                row.step_id,
                row.call,
                row.generation,
                work.runner,
                work.fencing_token,
                self.book.epoch,
                run.mode,
                back,
                self.granted(run.id, worker.wall),
                row.call is Call.RUN and (step.irrevocable or step.point_of_no_return),
                tuple(later),
                any(each.state.value == "undo failed" for each in held.steps.values()),
                self.book.known.get((run.id, row.step_id)) == "undone",
                self._lately("fenced", run.id, other(str(work.params.get("node", SIDES[0])))),
                self._lately("caught-up", run.id, str(work.params.get("node"))),
            )
        )
        if row.call is Call.RUN:
            self.book.known.pop((run.id, row.step_id), None)
        return row.step_id, row.generation, row.call

    def _lately(self, fact: str, run_id: str, side: str) -> bool:
        at = self.book.proven.get((fact, run_id, side))
        return at is not None and self.monotonic - at[0] <= at[1]

    def _note_proof(self, each: AtWork, verdict: Verdict) -> None:
        """By the time that really passed, whatever any clock says."""
        fact = _PROVES.get(each.work.runner)
        side = str(each.work.params.get("node"))
        if each.work.runner in ("postgres.fence", "postgres.unfence"):
            for key in [key for key in self.book.proven if key[0] == "caught-up"]:
                del self.book.proven[key]
        elif fact and verdict is Verdict.PASSED:
            self.book.proven[fact, each.work.run_id, side] = (self.monotonic, FRESH)
        elif fact:
            self.book.proven.pop((fact, each.work.run_id, side), None)

    def note_seen(self, each: AtWork) -> None:
        if each.seen is Seen.DONE and each.call is not Call.UNDO:
            self.book.known[each.work.run_id, each.step_id] = "done"
        elif each.seen is Seen.NOT_DONE and each.call is Call.UNDO:
            self.book.known[each.work.run_id, each.step_id] = "undone"

    def note_outcome(self, session: Session, worker: Worker, each: AtWork) -> None:
        row = session.get_one(StepRun, each.work.step_run_id)
        if row.boot_id != worker.boot_id or row.attempt != each.work.attempt or row.state.value != "started":
            return
        verdict = each.outcome.verdict if each.outcome else Verdict.UNKNOWN
        self._note_proof(each, verdict)
        if each.call is Call.UNDO:
            word = "undone" if verdict is Verdict.PASSED else "undo " + verdict.value
        else:
            word = "done" if verdict is Verdict.PASSED else verdict.value
        self.book.known[each.work.run_id, each.step_id] = word

    def note_buried(self, boots: Sequence[str]) -> None:
        for worker in self.workers:
            if worker.boot_id in boots and worker.connected and self.monotonic - worker.beaten <= LEASE / 2:
                self.book.buried_alive.append(worker.boot_id)

    def note_take_over(self, session: Session, boots: Sequence[str]) -> None:
        under_way = select(StepRun.id).where(StepRun.state == StepState.STARTED, col(StepRun.boot_id).in_(list(boots)))
        if session.exec(under_way).first() is not None:
            self.book.epoch += 1

    def evidence_of(self, each: AtWork) -> tuple[StoredFile, ...]:
        """The fence keeps a file, stored durably before its row is written."""
        if each.outcome is None or each.work.runner != "postgres.fence":
            return ()
        source = self.ground.folder / "said.txt"
        source.write_text(f"{each.caller.key} {each.outcome.verdict}", encoding="utf-8")
        kept = self.store.put(source)
        return (StoredFile(kept.sha256, kept.size),)

    def granted(self, run_id: str, now: datetime) -> bool:
        """Whether two others than starter and author said yes to exactly what stands now, the owner among them."""
        said = [s for s in self.book.said if s.run_id == run_id and s.config == self.config and not s.revoked]
        valid = [each for each in said if now < each.until]
        if any(not each.yes for each in valid):
            return False
        people = {each.person for each in valid} - {"operator", "author"}
        return len(people) >= 2 and "owner" in people

    # -- people

    def plan(self, playbook: str | None = None, mode: Mode = Mode.LIVE) -> str | None:
        """The operator plans a run away from the side that is home now; its id, or None where that is refused."""
        if (playbook or self.playbook) == UNPLANNED and mode is Mode.LIVE:
            return self.activate()
        with self.transaction(write=False) as session:
            home = session.get_one(EnvironmentPair, "pair").home_side.value
        drill_id = self.ground.drill(playbook or self.playbook, mode, home)
        try:
            with self.transaction() as session:
                drill = session.get_one(Drill, drill_id)
                run = planning.plan_run(session, drill, actor=actor("operator"), now=self.wall, person=True)
        except Problem:
            return None
        self.runs.append(run.id)
        return run.id

    def activate(self) -> str | None:
        """The side that is home is lost, and the operator says so: the unplanned fail-over, approved by others."""
        with self.transaction(write=False) as session:
            home = session.get_one(EnvironmentPair, "pair").home_side.value
        told = {
            "plan": "PLN-001",
            "playbook": UNPLANNED,
            "lost": {"sides": [home]},
            "alarmAt": self.wall,
            "reason": "x",
        }
        try:
            with self.transaction() as session:
                data = ActivationIn.model_validate(told)
                run_id = activations.start(session, data, actor=actor("operator"), now=self.wall).run.id
        except Problem:
            return None
        self.runs.append(run_id)
        return run_id

    def approve(self, run_id: str, person: str, *, yes: bool = True) -> bool:
        """Whether it was accepted."""
        verdict = ApprovalVerdict.APPROVED if yes else ApprovalVerdict.DENIED
        try:
            with self.transaction() as session:
                digest = session.get_one(Run, run_id).digest
                given: dict[str, Any] = {"comment": "", "valid_until": None, "now": self.wall}
                row = commands.approve(session, run_id, actor=actor(person), verdict=verdict, digest=digest, **given)
                said = Said(run_id, person, yes, self._config_of(session, run_id), row.valid_until, row.id)
                self.book.said.append(said)
                self._note_starts(session)
        except Problem:
            return False
        return True

    def _config_of(self, session: Session, run_id: str) -> str:
        """What the person saw: the run as it was composed when it was planned, or fitted anew at its start."""
        return str(session.get_one(Run, run_id).inputs["pair"]["service"])

    def revoke(self, number: int) -> None:
        said = self.book.said[number % len(self.book.said)]
        try:
            with self.transaction() as session:
                approval.revoke(session, said.id, actor(said.person), now=self.wall)
                said.revoked = True
        except Problem:
            return

    def start(self, run_id: str) -> None:
        try:
            with self.transaction() as session:
                planning.start(session, run_id, actor=actor("operator"), now=self.wall)
                self._note_starts(session)
        except Problem:
            return

    def _note_starts(self, session: Session) -> None:
        session.flush()
        for run_id in self.runs:
            run = session.get_one(Run, run_id)
            if run.started_at is not None and run_id not in self.book.planned:
                self.book.epoch += 1
                self.book.starts.append((run_id, self.granted(run_id, self.wall)))
                self.book.planned[run_id] = (run.mode.value, run.digest, _hash(run.playbook))

    def edit_environment(self, number: int) -> None:
        """Somebody changes the environment: what was approved is no longer what would run."""
        self.config = f"http://127.0.0.1:{1 + number % 3}/"
        with self.transaction() as session:
            pair = session.get_one(EnvironmentPair, "pair")
            pair.service_url = self.config
            session.add(pair)

    def legal(self, run_id: str) -> tuple[Legal, ...]:
        with self.transaction(write=False) as session:
            return read(session, session.get_one(Run, run_id)).legal()

    def command(self, run_id: str, legal: Legal, pick: int = 0) -> bool:
        """A person gives a command, legal or not; whether it was accepted."""
        given: dict[str, Any] = {"actor": actor("operator"), "reason": "because", "now": self.wall}
        try:
            with self.transaction() as session:
                self._give(session, run_id, legal, pick, given)
                self._note_starts(session)
        except Problem:
            return False
        return True

    def _give(self, session: Session, run_id: str, legal: Legal, pick: int, given: dict[str, Any]) -> None:
        step, word = legal.step or "", legal.command
        match word:
            case Command.ANSWER:
                self._answer(session, run_id, step, pick, given)
            case Command.PAUSE | Command.RESUME | Command.ABORT | Command.LEAVE:
                getattr(commands, word.value)(session, run_id, **given)
            case Command.UNDO:
                for row in hold(session, run_id).steps.values():
                    self.book.decided[run_id, row.step_id] += row.state.value == "undo failed"
                commands.undo(session, run_id, **given)
            case Command.THIS_IS_REAL:
                commands.this_is_real(session, run_id, **given)
                self.book.real.add(run_id)
            case Command.RETRY:
                commands.retry(session, run_id, step, **given)
                self.book.decided[run_id, step] += 1
            case Command.SKIP | Command.IGNORE:
                getattr(commands, word.value)(session, run_id, step, **given)
            case Command.FENCE_BY_HAND:
                self._sign(session, run_id, step, given)
            case Command.RELEASE:
                for key in session.get_one(Run, run_id).lock_keys:
                    commands.release_lock(session, key, **given)

    def _sign(self, session: Session, run_id: str, step: str, given: dict[str, Any]) -> None:
        """An honest person signs only what is so."""
        provides = hold(session, run_id).steps[step].driver.get("provides", ())
        sides = [str(fact).rpartition(":")[2] for fact in provides]
        if all(self._fenced_for_sure(side) for side in sides):
            commands.fence_by_hand(session, run_id, step, **given)
            for side in sides:
                self.book.proven["fenced", run_id, side] = (self.monotonic, SIGNED)

    def _fenced_for_sure(self, side: str) -> bool:
        node = self.world.nodes[side]
        return not node.writable and node.signal

    def _answer(self, session: Session, run_id: str, step_id: str, pick: int, given: dict[str, Any]) -> None:
        held = hold(session, run_id)
        row, step = held.steps[step_id], held.playbook.step(step_id)
        decides = step.kind is StepKind.DECIDE and row.call is Call.RUN
        options = list(step.options) if decides else ["done", "failed"]
        option = options[pick % len(options)]
        votes = select(Answer).where(Answer.step_run_id == row.id, Answer.attempt == row.attempt)
        second = session.exec(votes).first() is not None
        who = "owner" if step.role == answers.PROCESS_OWNER else ("operator", "second")[second]
        files: list[str] = []
        if option == "done":
            source = self.ground.folder / "photo.txt"
            source.write_text(f"{run_id} {step_id}", encoding="utf-8")
            kept = self.store.put(source)
            files = [kept.sha256]
            session.add(
                EvidenceFile(
                    run_id=run_id,
                    step_run_id=row.id,
                    sha256=kept.sha256,
                    size=kept.size,
                    media_type="text/plain",
                    at=self.wall,
                )
            )
            session.flush()
        answers.answer(
            session,
            run_id,
            step_id,
            option=option,
            comment="so",
            evidence=files,
            actor=actor(who),
            now=given["now"],
        )

    # -- workers and time

    def ready(self) -> list[ReadyStep]:
        with self.transaction(write=False) as session:
            return steps.ready_steps(session, None)

    def busy(self) -> list[tuple[Worker, AtWork]]:
        """What is in the hands of workers that can go on."""
        return [(worker, each) for worker in self.workers if worker.works for each in worker.held.values()]

    def takers(self, ready: ReadyStep) -> list[Worker]:
        return [worker for worker in self.workers if worker.connected and worker.site == ready.site]

    def work(self, pick: int = 0) -> bool:
        """One thing that a worker does: an instant of a body, or a step that is taken; False: nobody has any work."""
        busy = self.busy()
        if busy:
            worker, each = busy[pick % len(busy)]
            worker.go_on(each)
            return True
        for ready in self.ready():
            takers = self.takers(ready)
            if takers:
                takers[pick % len(takers)].take(ready)
                return True
        return False

    def pass_time(self, seconds: float) -> None:
        """Time goes by: leases are renewed or run out, the clock moves the runs, guards look."""
        left = seconds
        while left > 0 and (part := min(left, 2.0)) > 0 and seconds - left < 2 * LEASE:
            self._tick(part)
            left -= part
        if left > 0:
            self._jump(left)
        self.clock_beat()

    def _tick(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds
        self.world.instant()
        for worker in self.workers:
            worker.beat()
        connected = [worker for worker in self.workers if worker.connected]
        for worker in connected[:1] + connected[-1:]:
            worker.sweep()
        self.watch()

    def _jump(self, seconds: float) -> None:
        """A long time in one go, in which every living worker beats all the while."""
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds
        for worker in self.workers:
            if worker.connected:
                worker.beaten = self.monotonic
                worker.beat(force=True)
        self._tick(0.5)

    def clock_beat(self) -> None:
        service.tick(self.ground.database, REGISTRY, now=self.wall)
        with self.transaction() as session:
            self._note_starts(session)
        self._guard()

    def _guard(self) -> None:
        with self.transaction(write=False) as session:
            looks = guards.due(session, frozenset({"orchestrator"}), now=self.wall)
        if not any(worker.connected and worker.place == HUB for worker in self.workers):
            return
        for look in looks:
            caller = Caller(look.run_id, look.guard_id, "guard", "guard", 0, 0, 0, params=look.params)
            body = BODIES[look.runner](self.world, caller)
            try:
                while True:
                    next(body)
            except StopIteration as end:
                with self.transaction() as session:
                    guards.seen(session, look.run_id, look.guard_id, end.value, now=self.wall)

    def watch(self) -> None:
        for worker in self.workers:
            worker.watch()

    # -- looking

    def held(self, run_id: str) -> Held:
        with self.transaction(write=False) as session:
            return read(session, session.get_one(Run, run_id))

    def open_runs(self) -> list[str]:
        with self.transaction(write=False) as session:
            wanted = select(Run.id).where(col(Run.ended).is_(None)).order_by("planned_at")
            return list(session.exec(wanted))

    def approvals(self, session: Session) -> list[Approval]:
        return list(session.exec(select(Approval)))


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
