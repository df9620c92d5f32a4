"""What a restore means for the runs: none goes on by itself, nothing that was seen counts, and a person is told what
to look at in the world, for it went on after the backup and no row here tells how."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from app.catalog import service as catalog
from app.catalog.models import Environment, EnvironmentPair
from app.core import audit, outbox
from app.core.columns import jump_ahead
from app.core.incarnation import Incarnation
from app.drills import claiming
from app.drills import restored as schedules
from app.drills.models import DrillMoment
from app.playbooks.rules import StepKind
from app.runs import locks, words
from app.runs.finish import finish_run
from app.runs.models import EvidenceFile, Obligation, Run, SeenFact, StepRun
from app.runs.progress import look_or_ask
from app.runs.record import Approval
from app.runs.rules import Call, Pause, RunState, StepState
from app.runs.view import Held, hold, set_ready, tell
from app.runs.words import Words
from runners.contract import Effect, Repeat

RESTORED = "restored"


@dataclass
class ToCheck:
    """One thing that a person must look at in the world before a run goes on."""

    what: str
    """A stable code: ``outcome-unknown``, ``may-have-been-done``, ``home-side``, ``lock``, ``obligation``."""
    subject: str
    look: Words


@dataclass
class Found:
    """An unfinished run as the backup knew it."""

    run: str
    title: str
    mode: str
    state: str
    """Its state in the backup."""
    becomes: str
    """Its state now."""
    steps: dict[str, str]
    locks: list[str]
    pair: str | None
    home: str | None
    """The side that the backup believed is home."""
    check: list[ToCheck] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def evidence_named(session: Session) -> list[str]:
    """The SHA-256 of every evidence file that a row names."""
    return sorted(set(session.exec(select(EvidenceFile.sha256))))


def come_up(session: Session, life: Incarnation, *, now: datetime) -> list[Found]:
    """Hold every unfinished run for a person, void what was seen and approved, and tell what to check per run.

    Names jump ahead as fencing tokens do: what the lost life called RUN-013 is never another run here.
    """
    session.add(life)
    session.flush()
    jump_ahead(session, taken_at=life.taken_at, now=now)
    outbox.keep_all(session)
    reason = why(life)
    for approval in _open_approvals(session):
        approval.revoked_at = now
        session.add(approval)
    catalog.doubt_homes(session, now=now)
    schedules.pass_over(session, reason=reason, now=now)
    found = [_hold_back(session, run_id, reason, now) for run_id in _unfinished(session)]
    detail = {"takenAt": life.taken_at.isoformat(), "sha256": life.sha256, "runs": [each.run for each in found]}
    audit.record(session, "system", "wissel.restored", "wissel", life.id, **detail)
    session.flush()
    return found


def why(life: Incarnation) -> Words:
    """Why nothing goes on by itself."""
    at = f"{life.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    return words.words(
        f"Teruggezet uit een back-up van {at}. Wat daarna is gebeurd, is niet bekend. "
        "Kijk eerst hoe het er buiten Wissel voor staat; hervat daarna pas.",
        f"Restored from a backup of {at}. What happened after it is not known. "
        "Look first how things stand outside Wissel; only then resume.",
    )


def _unfinished(session: Session) -> list[str]:
    return list(session.exec(select(Run.id).where(col(Run.ended).is_(None)).order_by("planned_at", "id")))


def _open_approvals(session: Session) -> list[Approval]:
    """Those of runs that are not over, and those given beforehand that no run has used."""
    unfinished = select(Run.id).where(col(Run.ended).is_(None))
    wanted = select(Approval).where(col(Approval.revoked_at).is_(None))
    unused = col(Approval.run_id).is_(None) & col(Approval.used_at).is_(None)
    return list(session.exec(wanted.where(col(Approval.run_id).in_(unfinished) | unused)))


def _hold_back(session: Session, run_id: str, reason: Words, now: datetime) -> Found:
    held = hold(session, run_id)
    found = _as_it_was(session, held)
    if held.run.started_at is None:
        _not_begun(session, held, reason, now)
    else:
        _begun(session, held, words.with_subjects(reason, [each.subject for each in found.check]), now)
    tell(session, held.run, "run.restored", now=now, reason=reason, was=found.state, check=found.as_json()["check"])
    held.refresh_state()
    found.becomes = held.run.state.value
    session.add(held.run)
    session.flush()
    return found


def _not_begun(session: Session, held: Held, reason: Words, now: datetime) -> None:
    """Its approvals are void; what needed none and was due was the lost life's to run, so it is missed here."""
    run = held.run
    run.queued_at = None
    run.end_reason = {"code": RESTORED, "text": reason}
    if run.needs_approval or run.planned_at > now:
        return
    finish_run(session, held, RunState.MISSED, now=now, reason=reason["en"])
    moment = session.get(DrillMoment, run.moment_id) if run.moment_id else None
    if moment is not None:
        claiming.miss(session, moment, code=schedules.MISSED, reason=reason, now=now)


def _begun(session: Session, held: Held, reason: Words, now: datetime) -> None:
    """Paused; its facts void, its tokens new, its open effects looked for, its later ones doubted."""
    run = held.run
    for fact in session.exec(select(SeenFact).where(SeenFact.run_id == run.id)):
        fact.holds = False
        session.add(fact)
    locks.renew(session, run)
    for row in held.steps.values():
        _doubt(held, row, now)
        session.add(row)
    run.paused, run.pause_reason = Pause.RESTORED, reason


def _doubt(held: Held, row: StepRun, now: datetime) -> None:
    run = held.run
    if row.state is StepState.STARTED or (row.call is Call.UNDO and row.state in (StepState.READY, StepState.WAITING)):
        row.boot_id = row.executor = None
        _begun_before(row, now, stopping=run.aborting or run.undoing)
    elif row.state is StepState.READY and row.call is Call.RUN and not row.crashed:
        row.state = StepState.NOT_STARTED
    row.retry_at = None
    if held.playbook.step(row.step_id).kind is not StepKind.WAIT:
        row.due_at = None  # nobody could answer while there was no Wissel
    if row.effect is Effect.CHANGES and row.state in (StepState.NOT_STARTED, StepState.WAITING) and not row.intended:
        # The lost life may have done it after the backup: it is looked for first, and an undo takes it along.
        row.intended, row.absent = True, False
        row.order = row.order or 1 + max(each.order for each in held.steps.values())


def _begun_before(row: StepRun, now: datetime, *, stopping: bool) -> None:
    """An intent without an outcome: looked for when a person lets the run go on, and left to them where nobody can."""
    if stopping or row.call is not Call.RUN or row.driver.get("repeat") == Repeat.NEVER:
        row.finished_at = now
        look_or_ask(row, now=now)
    else:
        row.crashed = True
        set_ready(row, Call.RUN, now=now)


def is_doubted(row: StepRun) -> bool:
    """Whether a lost life may have carried the step out, and nobody can look: only a person can say."""
    return row.intended and row.first_intent_at is None and row.driver.get("repeat") == Repeat.NEVER


def _as_it_was(session: Session, held: Held) -> Found:
    run = held.run
    pair = session.get(EnvironmentPair, run.pair_id) if run.pair_id else None
    title = run.playbook.get("title") or {}
    return Found(
        run=run.ref,
        title=str(title.get("en") or run.playbook_name),
        mode=run.mode.value,
        state=run.state.value,
        becomes=run.state.value,
        steps={row.step_id: row.state.value for row in held.steps.values()},
        locks=list(run.lock_keys) if run.started_at is not None else [],
        pair=pair.ref if pair else None,
        home=pair.home_side.value if pair else None,
        check=list(_to_check(session, held, pair)),
    )


def _to_check(session: Session, held: Held, pair: EnvironmentPair | None) -> Iterator[ToCheck]:
    run = held.run
    if run.started_at is None:
        return
    for row in held.steps.values():
        yield from _of_step(row)
    if pair is not None:
        yield ToCheck("home-side", pair.ref, words.believed_home(pair.name, pair.home_side.value))
    for key in run.lock_keys:
        yield ToCheck("lock", _locked(session, key), words.HELD_LOCK)
    for each in session.exec(select(Obligation).where(Obligation.run_id == run.id, col(Obligation.done_at).is_(None))):
        yield ToCheck("obligation", each.what, words.STILL_TO_CLEAN)


def _locked(session: Session, key: str) -> str:
    """What a lock is on, as people call it: not every lock is on an environment that is known here."""
    environment = session.get(Environment, key.removeprefix("environment:"))
    return f"{environment.ref} ({environment.name})" if environment is not None else key


def _of_step(row: StepRun) -> Sequence[ToCheck]:
    runner = str(row.driver.get("runner", "")) or "person"
    subject = f"{row.step_id} ({runner}, {row.site})"
    undecided = row.effect is Effect.CHANGES and row.state in (StepState.UNKNOWN, StepState.TIMED_OUT)
    if row.state is StepState.STARTED or undecided:
        return [ToCheck("outcome-unknown", subject, words.INTENT_WITHOUT_OUTCOME)]
    waits = row.state in (StepState.NOT_STARTED, StepState.READY, StepState.WAITING)
    if row.effect is Effect.CHANGES and waits:
        return [ToCheck("may-have-been-done", subject, words.MAY_HAVE_BEEN_DONE)]
    return []
