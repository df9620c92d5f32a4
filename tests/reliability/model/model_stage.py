"""The stage of the scene: ground, world and time, and how what happens there gets into the scene's own book."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core.evidence import EvidenceStore
from app.runs import drivers
from app.runs.models import StepRun
from app.runs.rules import Call, StepState
from app.runs.view import hold
from app.runs.work import StoredFile, Work
from runners.contract import Seen, Verdict
from tests.reliability.model.model_book import FRESH, PROVES, Book, Intent
from tests.reliability.model.model_ground import START, Ground
from tests.reliability.model.model_runners import REGISTRY
from tests.reliability.model.model_workers import LEASE, AtWork, Worker
from tests.reliability.model.model_world import SIDES, World, other


class Stage:
    """A world over real rows, with a book; `close` at the end."""

    def __init__(self, playbook: str = "model-switch") -> None:
        drivers.use(REGISTRY)
        self.ground, self.world, self.playbook = Ground(), World(), playbook
        self.now, self.monotonic, self.hub_skew = START, 0.0, 0.0
        self.config, self.book = "http://127.0.0.1:1/", Book()
        self.runs: list[str] = []
        self.workers: list[Worker] = []
        self._pending: list[Intent] = []
        self.store = EvidenceStore(self.ground.folder / "evidence")

    def close(self) -> None:
        self.ground.close()

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[Session]:
        known, proven = dict(self.book.known), dict(self.book.proven)
        try:
            with self.ground.database.transaction(write=write) as session:
                yield session
        except BaseException:  # nothing of it is in the rows, so nothing of it was told
            self._pending.clear()
            self.book.known, self.book.proven = known, proven
            raise
        self.book.intents += self._pending
        self._pending.clear()

    @property
    def wall(self) -> datetime:
        """The clock of the machine that serves people."""
        return self.now + timedelta(seconds=self.hub_skew)

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
        fact = PROVES.get(each.work.runner)
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
