"""People in the scene: who plans, approves, decides and answers, through the functions that the pages call as well."""

from typing import Any

from sqlmodel import Session, select

from app.catalog.models import EnvironmentPair
from app.core.errors import Problem
from app.drills.models import Drill
from app.playbooks.rules import Mode, StepKind
from app.runs import activations, answers, approval, commands, planning
from app.runs.activation_shapes import ActivationIn
from app.runs.models import EvidenceFile, Run
from app.runs.record import Answer, ApprovalVerdict
from app.runs.rules import Call, Command, Legal
from app.runs.view import hold, read
from tests.reliability.model.model_book import SIGNED, Said, hashed
from tests.reliability.model.model_ground import actor
from tests.reliability.model.model_stage import Stage

UNPLANNED = "fail-over"


class People(Stage):
    """What people do; each answers whether it was accepted."""

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
                self.note_starts(session)
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
                self.note_starts(session)
        except Problem:
            return

    def note_starts(self, session: Session) -> None:
        session.flush()
        for run_id in self.runs:
            run = session.get_one(Run, run_id)
            if run.started_at is not None and run_id not in self.book.planned:
                self.book.epoch += 1
                self.book.starts.append((run_id, self.granted(run_id, self.wall)))
                self.book.planned[run_id] = (run.mode.value, run.digest, hashed(run.playbook))

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
                self.note_starts(session)
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
