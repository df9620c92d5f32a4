"""The twelve invariants of the safety design, each as a function that raises `Broken` with its number.

They are judged by the world's own ledger and the scene's own book wherever that can be, not by the code under test.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from app.access.rules import Actor
from app.core.errors import Problem
from app.playbooks.rules import Mode, StepKind
from app.runs import commands
from app.runs.models import EnvironmentLock, EvidenceFile, Run
from app.runs.rules import Call, Command, RunState, RunVerdict, StepState
from app.runs.view import Held, read
from tests.reliability.model.model_book import Intent, hashed
from tests.reliability.model.model_ground import actor
from tests.reliability.model.model_runners import ACTING
from tests.reliability.model.model_scene import Scene

DONE = (StepState.SUCCEEDED, StepState.WARNING)


class Broken(AssertionError):
    """An invariant does not hold; `name` is that of its function, where one of those found it."""

    def __init__(self, number: int, why: str, name: str = "") -> None:
        super().__init__(f"invariant {number}: {why}")
        self.number, self.why, self.name = number, why, name

    def told(self, story: str) -> "Broken":
        """The same, with what led to it."""
        return Broken(self.number, f"{self.why}; {story}", self.name)


@dataclass
class Seen:
    """One look at the rows, and what earlier looks saw."""

    scene: Scene
    runs: list[Held] = field(default_factory=list)
    locks: list[EnvironmentLock] = field(default_factory=list)
    files: list[EvidenceFile] = field(default_factory=list)


def one_writable_primary(seen: Seen) -> None:
    """1: at most one database takes writes, at every instant."""
    if seen.scene.world.two_writable:
        raise Broken(1, f"{seen.scene.world.two_writable} instants with two writable databases")
    for intent in seen.scene.book.intents:
        if intent.runner == "postgres.promote" and intent.call is Call.RUN and not intent.fenced:
            raise Broken(1, "a side is promoted and nobody lately saw the other one fenced")


def no_loss_above_the_goal(seen: Seen) -> None:
    """2: these playbooks allow no loss, so no promotion may lose a row that was acknowledged."""
    for run_id, rows in seen.scene.world.lost:
        if rows:
            raise Broken(2, f"run {run_id} promoted a side that lacks {rows} acknowledged rows")
    for intent in seen.scene.book.intents:
        if intent.runner == "postgres.promote" and intent.call is Call.RUN and not intent.caught_up:
            raise Broken(2, "a side is promoted and nobody saw after the fence that it has everything")


def one_run_per_environment(seen: Seen) -> None:
    """3: no two runs at work share an environment, and tokens only grow."""
    taken: Counter[str] = Counter()
    for held in seen.runs:
        if held.run.started_at is not None and held.run.ended is None:
            taken.update(held.run.lock_keys)
    twice = [key for key, number in taken.items() if number > 1]
    if twice:
        raise Broken(3, f"two runs at work on {twice}")
    for lock in seen.locks:
        before = seen.scene.book.tokens.get(lock.key, 0)
        if lock.token < before:
            raise Broken(3, f"the token of {lock.key} fell from {before} to {lock.token}")
        seen.scene.book.tokens[lock.key] = lock.token


def effects_at_most_once(seen: Seen) -> None:
    """4: each effect once per generation, never under an old token, and never by two at a time."""
    scene = seen.scene
    number = Counter((each.run_id, each.step_id, each.call, each.generation) for each in scene.world.ledger)
    for (run_id, step_id, call, generation), times in number.items():
        if times > 1 + scene.book.decided[run_id, step_id]:
            raise Broken(4, f"{call} of {step_id} took effect {times} times in generation {generation}")
    for each in scene.world.ledger:
        if each.token < each.newest_token:
            raise Broken(4, f"{each.what} was accepted under token {each.token} after {each.newest_token}")
        if each.epoch < each.newest_epoch:
            raise Broken(4, f"{each.what} was done by a former owner, after the target had heard of a newer one")
    hands = Counter(
        step for worker in scene.workers if worker.connected for step, each in worker.held.items() if not each.ended
    )
    if hands and max(hands.values()) > 1:
        raise Broken(4, "two living workers are at one step at the same time")
    if scene.book.buried_alive:
        raise Broken(4, f"{scene.book.buried_alive} beat in time and was declared dead: its steps run twice")


def tokens_grow_with_each_owner(seen: Seen) -> None:
    """4: each run that took a lock did so under a token of its own, and whoever takes over gets a higher one."""
    before: Intent | None = None
    for intent in seen.scene.book.intents:
        if before is not None and intent.epoch > before.epoch and 0 < intent.token <= before.token:
            why = f"{intent.step_id} has a new owner and no newer token than {before.step_id}: no target can tell"
            raise Broken(4, why)
        before = intent if intent.token else before
    given: dict[tuple[str, int], str] = {}
    for held in seen.runs:
        for key, token in held.run.tokens.items():
            if given.setdefault((key, token), held.run.id) != held.run.id:
                raise Broken(4, f"two runs have the same token {token} for {key}, so no target can tell them apart")


def undo_in_reverse_and_once(seen: Seen) -> None:
    """5: what was started last is taken back first, each once; a failed undo stops, and is never green."""
    for each in seen.scene.book.intents:
        if each.call is not Call.UNDO:
            continue
        if each.stood_after:
            raise Broken(5, f"{each.step_id} is taken back while {each.stood_after}, started later, still stand")
        if each.undone_before:
            raise Broken(5, f"{each.step_id} is taken back twice")
        if each.undo_failed:
            raise Broken(5, f"{each.step_id} is taken back after another undo failed")
    for held in seen.runs:
        failed = any(row.state is StepState.UNDO_FAILED for row in held.steps.values())
        green = held.run.verdict is RunVerdict.PASSED or held.run.state in (RunState.COMPLETED, RunState.UNDONE)
        if failed and green:
            raise Broken(5, f"{held.run.ref} has a failed undo and is {held.run.state}")


def always_a_next_action(seen: Seen) -> None:
    """6: each run that is not over shows at least one thing that may be done."""
    for held in seen.runs:
        if held.run.ended is None and not held.legal():
            raise Broken(6, f"{held.run.ref} is {held.run.state} and nothing may be done")


def abort_is_heard(seen: Seen) -> None:
    """7: once a run is stopped or taken back no body goes on where its worker can look, and no step is begun."""
    for held in seen.runs:
        if not (held.run.aborting or held.run.undoing or held.run.ended is not None):
            continue
        for worker in seen.scene.workers:
            for each in worker.held.values() if worker.connected else ():
                if each.work.run_id == held.run.id and each.call is Call.RUN and not each.ended and not each.looking:
                    raise Broken(7, f"{each.step_id} goes on although {held.run.ref} was stopped")
    for intent in seen.scene.book.intents:
        if intent.held_back:
            raise Broken(7, f"{intent.step_id} was begun while its run was held back")


def abort_is_accepted(session: Session, held: Held, by: Actor, scene: Scene) -> None:
    """7: in every state that is no end; tried in a transaction that is taken back."""
    try:
        commands.abort(session, held.run.id, actor=by, reason="stop", now=scene.wall)
    except Problem as problem:
        raise Broken(7, f"{held.run.ref} is {held.run.state} and refuses an abort: {problem}") from problem
    session.flush()
    after = session.get_one(Run, held.run.id)
    if not after.aborting and after.ended is None:
        raise Broken(7, f"{held.run.ref} accepted an abort and is {after.state}")


def evidence_is_durable(seen: Seen) -> None:
    """8: what a row names is in the store, whole."""
    for each in seen.files:
        path = seen.scene.store.path(each.sha256)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != each.sha256:
            raise Broken(8, f"evidence {each.sha256[:8]} is not in the store")


def nothing_live_unapproved(seen: Seen) -> None:
    """9: at the start and at each step that can't be undone, two others had approved exactly this."""
    for run_id, granted in seen.scene.book.starts:
        if not granted:
            raise Broken(9, f"run {run_id} started without approval")
    for intent in seen.scene.book.intents:
        if intent.irreversible and not intent.granted:
            raise Broken(9, f"{intent.step_id} was begun without a valid approval")


def only_live_acts(seen: Seen) -> None:
    """10: what is no live drill reaches no driver that changes something."""
    for intent in seen.scene.book.intents:
        if intent.mode is not Mode.LIVE and intent.runner in ACTING:
            raise Broken(10, f"a {intent.mode} carried out {intent.runner}")


def stays_what_was_approved(seen: Seen) -> None:
    """11: a started run keeps its mode, its digest and its playbook, and becomes real only by a person's word."""
    for held in seen.runs:
        run = held.run
        before = seen.scene.book.planned.get(run.id)
        if before is not None and before != (run.mode.value, run.digest, hashed(run.playbook)):
            raise Broken(11, f"{run.ref} is not any more what was started")
        chosen = held.steps.get("accept")
        promoted = [each for each in seen.scene.world.lost if each[0] == run.id]
        if chosen is not None and promoted and len(set((chosen.by or "").split(", "))) < 2:
            raise Broken(11, f"{run.ref} forced a fail-over that no two people accepted")
        if run.real and run.id not in seen.scene.book.real:
            raise Broken(11, f"{run.ref} became real by itself")


def unknown_is_unsafe(seen: Seen) -> None:
    """12: a step is done only if that was told or seen, and a run passes only if all of its steps are."""
    for held in seen.runs:
        for row in held.steps.values():
            if held.playbook.step(row.step_id).kind is StepKind.USES and row.state in DONE:
                known = seen.scene.book.known.get((held.run.id, row.step_id))
                if known != "done":
                    raise Broken(12, f"{row.step_id} is '{row.state}' and what is known of it is {known}")
        wanting = [row for row in held.steps.values() if row.state not in DONE and not row.driver.get("lost")]
        if held.run.verdict is RunVerdict.PASSED and wanting:  # what a lost side needs is owed, and shown as that
            raise Broken(12, f"{held.run.ref} passed with a step that is not done")


INVARIANTS: tuple[Callable[[Seen], None], ...] = (
    one_writable_primary,
    no_loss_above_the_goal,
    one_run_per_environment,
    effects_at_most_once,
    tokens_grow_with_each_owner,
    undo_in_reverse_and_once,
    always_a_next_action,
    abort_is_heard,
    evidence_is_durable,
    nothing_live_unapproved,
    only_live_acts,
    stays_what_was_approved,
    unknown_is_unsafe,
)


class _TakeBack(Exception):
    pass


class Checker:
    """Checks all of them after every step; an abort is tried in each situation that was not met before."""

    def __init__(self, scene: Scene, tried: set[object] | None = None) -> None:
        self.scene = scene
        self._aborted: set[object] = set() if tried is None else tried
        self._before: object = None

    def __call__(self) -> None:
        seen, world = Seen(self.scene), self.scene.world
        with self.scene.transaction(write=False) as session:
            rows = session.exec(select(Run.id, Run.revision).order_by("id")).all()
            hands = [(step, each.ended) for worker in self.scene.workers for step, each in worker.held.items()]
            now = (rows, hands, len(world.ledger), len(world.lost), world.two_writable, self.scene.book.buried_alive)
            if now == self._before:
                return
            self._before = now
            runs = session.exec(select(Run).where(col(Run.id).in_(self.scene.runs))).all()
            seen.runs = [read(session, run) for run in runs]
            seen.locks = list(session.exec(select(EnvironmentLock)))
            seen.files = list(session.exec(select(EvidenceFile)))
        for invariant in INVARIANTS:
            try:
                invariant(seen)
            except Broken as broken:
                raise Broken(broken.number, broken.why, invariant.__name__) from broken
        for held in seen.runs:
            if held.run.ended is None:
                self._abort(held)

    def _abort(self, held: Held) -> None:
        situation = (
            held.run.state,
            held.run.paused,
            tuple(sorted({(row.state, row.call) for row in held.steps.values()})),
        )
        if situation in self._aborted:
            return
        self._aborted.add(situation)
        try:
            with self.scene.transaction() as session:
                abort_is_accepted(session, held, actor("operator"), self.scene)
                raise _TakeBack
        except _TakeBack:
            pass
        if not any(legal.command in (Command.ABORT, Command.LEAVE) for legal in held.legal()):
            raise Broken(7, f"{held.run.ref} does not offer an abort while it is {held.run.state}")
