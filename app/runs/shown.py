"""Runs as they are shown: rows of lists, and one run with steps, clocks, what is where and what may be done."""

from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from app.access.models import Person
from app.catalog.models import Environment, EnvironmentPair, Service, Site
from app.core.i18n import pick
from app.core.listing import paged
from app.core.messages import Message
from app.drills.models import Drill
from app.findings.models import Finding
from app.plans.models import Plan, ProofRow
from app.playbooks.rules import Step
from app.runs import approval, shown_activation, taking_part
from app.runs.clocks import outage_since
from app.runs.done import run_clocks, step_times
from app.runs.forecast import expected_end
from app.runs.models import EvidenceFile, Obligation, Run, RunEvent, SeenFact, StepRun
from app.runs.record import Answer, Approval
from app.runs.rules import ENDS, Legal, Pause, StepState
from app.runs.shapes import (
    ActionOut,
    ApprovalOut,
    CheckOut,
    ClocksOut,
    ParticipantOut,
    RunOut,
    RunQuery,
    RunRow,
    SideOut,
    StepOut,
)
from app.runs.taking_part import Part
from app.runs.view import Held, read
from runners.contract import Side

RESTORED = "run.restored"
"""Event of a run out of a backup; its detail tells what to check."""
_SORTABLE = {
    "plannedAt": col(Run.planned_at),
    "startedAt": col(Run.started_at),
    "endedAt": col(Run.ended_at),
    "ref": col(Run.ref),
    "state": col(Run.state),
    "rtaMs": col(Run.rta_ms),
}


def listed(session: Session, query: RunQuery) -> tuple[list[RunRow], int]:
    """One page of runs, newest first, and how many there are in all."""
    statement = select(Run)
    tables: dict[str, tuple[Any, Any]] = {
        "drill": (Drill, Run.drill_id),
        "plan": (Plan, Run.plan_id),
        "service": (Service, Run.service_id),
    }
    for name, value in query.filters().items():
        if name == "finished":
            over = col(Run.state).in_(list(ENDS))
            statement = statement.where(over if value else ~over)
        elif name in tables:
            table, column = tables[name]
            ids = select(table.id).where((col(table.id) == value) | (col(table.ref) == str(value).upper()))
            statement = statement.where(col(column).in_(ids))
        else:
            statement = statement.where(getattr(Run, name) == value)
    rows, total = paged(
        session,
        statement,
        query,
        sortable=_SORTABLE,
        searched=[col(Run.ref), col(Run.playbook_name)],
        default="-plannedAt",
        tie=col(Run.id),
    )
    return [RunRow(**row_of(session, run)) for run in rows], total


def row_of(session: Session, run: Run) -> dict[str, Any]:
    """What a list shows of a run."""
    drill, plan = session.get_one(Drill, run.drill_id), session.get_one(Plan, run.plan_id)
    service = session.get(Service, run.service_id) if run.service_id else None
    same = (
        "id",
        "ref",
        "mode",
        "direction",
        "state",
        "verdict",
        "unattended",
        "by_hand",
        "activation",
        "planned_at",
        "started_at",
    )
    measured = ("ended_at", "rta_ms", "rpa_ms", "decision_ms", "technical_ms")
    return {name: getattr(run, name) for name in (*same, *measured)} | {
        "drill": drill.ref,
        "drill_title": drill.title,
        "plan": plan.ref,
        "service": service.ref if service else None,
        "playbook": run.playbook_name,
        "triggered_by": "schedule" if run.nominal and not run.nominal.startswith("by-hand:") else "person",
    }


def whole(session: Session, run: Run, *, now: datetime) -> RunOut:
    """One run with everything that the cockpit shows."""
    held = read(session, run)
    legal = held.legal()
    wanted = ("digest", "starter", "paused", "pause_reason", "abort_reason", "end_reason", "verdict_reason", "real")
    last = session.exec(select(func.max(RunEvent.id)).where(RunEvent.run_id == run.id)).one()
    return RunOut(
        **row_of(session, run),
        **{name: getattr(run, name) for name in (*wanted, "latest_start_at")},
        to_check=_to_check(session, run),
        participants=[_participant(session, each) for each in taking_part.of(session, run)],
        steps=[_step(session, held, row, legal) for row in held.steps.values()],
        clocks=_clocks(session, held, now),
        next_actions=[_action(each) for each in legal if each.step is None],
        where=_where(session, held),
        proofs=_proofs(session, run),
        findings=_findings(session, run),
        obligations=[_obligation(each) for each in obligations_of(session, run)],
        became_run=shown_activation.became(session, run),
        activated=shown_activation.told(session, run),
        additions=shown_activation.additions(session, run),
        last_event=last or 0,
    )


def _to_check(session: Session, run: Run) -> list[CheckOut]:
    """As the last restore told it, until a person has taken the run over."""
    if run.paused is not Pause.RESTORED:
        return []
    wanted = select(RunEvent).where(RunEvent.run_id == run.id, RunEvent.kind == RESTORED)
    told = session.exec(wanted.order_by(col(RunEvent.id).desc())).first()
    return [CheckOut.model_validate(each) for each in told.detail["check"]] if told is not None else []


def _participant(session: Session, part: Part) -> ParticipantOut:
    person = session.get(Person, part.person_id)
    return ParticipantOut(person_id=part.person_id, name=person.name if person else "–", role=part.role)


def obligations_of(session: Session, run: Run) -> list[Obligation]:
    """What a run left to be done, in the order in which it was written."""
    return list(session.exec(select(Obligation).where(Obligation.run_id == run.id).order_by(col(Obligation.id))))


def _obligation(row: Obligation) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind.value,
        "what": row.what,
        "text": row.text,
        "step": row.step_id,
        "side": row.side,
        "runner": row.runner,
        "bars": row.bars,
        "dueAt": row.due_at,
        "doneAt": row.done_at,
        "doneBy": row.done_by,
        "forced": row.forced,
        "reason": row.reason,
    }


def _action(legal: Legal) -> ActionOut:
    return ActionOut(command=legal.command.value, step=legal.step)


def _step(session: Session, held: Held, row: StepRun, legal: tuple[Legal, ...]) -> StepOut:
    step = held.playbook.step(row.step_id)
    asked = step.ask or step.decide
    same = ("state", "attempt", "site", "effect", "chosen", "by", "comment", "verdict", "progress", "log")
    return StepOut(
        **{name: getattr(row, name) for name in (*same, "finished_at", "effective_at", "due_at")},
        id=row.step_id,
        call=row.call.value,
        title=_text(step, "title"),
        kind=step.kind.value,
        phase=step.phase,
        needs=list(step.needs),
        uses=step.uses,
        role=step.role,
        options=step.options,
        question=asked.model_dump() if asked else None,
        manual=_text(step, "manual"),
        votes=_votes(session, row),
        reason=row.outcome.get("reason"),
        measurements=row.outcome.get("measurements", []),
        evidence=_evidence(session, row),
        started_at=row.first_intent_at or row.opened_at,
        point_of_no_return=step.point_of_no_return,
        irreversible=step.irrevocable,
        next_actions=[_action(each) for each in legal if each.step == row.step_id],
    )


def _text(step: Step, name: str) -> dict[str, str] | None:
    found = getattr(step, name)
    return found.model_dump() if found else None


def _votes(session: Session, row: StepRun) -> list[dict[str, str]]:
    wanted = select(Answer).where(Answer.step_run_id == row.id, Answer.attempt == row.attempt)
    return [{"by": each.person, "option": each.option, "comment": each.comment} for each in session.exec(wanted)]


def _evidence(session: Session, row: StepRun) -> list[dict[str, Any]]:
    wanted = select(EvidenceFile).where(EvidenceFile.step_run_id == row.id)
    return [
        {"sha256": each.sha256, "size": each.size, "mediaType": each.media_type, "title": each.title}
        for each in session.exec(wanted)
    ]


def _clocks(session: Session, held: Held, now: datetime) -> ClocksOut:
    times = [step_times(held, row) for row in held.steps.values()]
    found, goals = run_clocks(held), held.playbook.goals
    return ClocksOut(
        alarm_at=held.run.alarm_at,
        outage_since_at=outage_since(times, held.run.outage_at),
        rta_ms=found.rta_ms,
        rpa_ms=found.rpa_ms,
        decision_ms=found.decision_ms,
        technical_ms=found.technical_ms,
        rto_goal_seconds=goals.rto,
        rpo_goal_seconds=goals.rpo,
        expected_end_at=expected_end(session, held, now=now),
    )


def _where(session: Session, held: Held) -> list[SideOut]:
    """What is where now: per side whether it is home, the facts, and the last check that named it."""
    pair = session.get(EnvironmentPair, held.run.pair_id) if held.run.pair_id else None
    if pair is None:
        return []
    facts = session.exec(select(SeenFact).where(SeenFact.run_id == held.run.id)).all()
    sites = _sites(session, pair)
    return [
        SideOut(
            side=side.value,
            site=sites[side],
            home=pair.home_side.value == side.value,
            facts={each.fact.split(":")[0]: each.holds for each in facts if each.fact.endswith(f":{side.value}")},
            last_seen=_last_seen(held, side),
        )
        for side in Side
    ]


def _sites(session: Session, pair: EnvironmentPair) -> dict[Side, str]:
    """By side the name of the site where it runs."""
    found = {Side.PRIMARY: pair.primary_id, Side.FALLBACK: pair.fallback_id}
    return {
        side: session.get_one(Site, session.get_one(Environment, each).site_id).name for side, each in found.items()
    }


def _last_seen(held: Held, side: Side) -> dict[str, Any] | None:
    ended = [row for row in held.steps.values() if row.finished_at is not None and row.state is not StepState.SKIPPED]
    looks = [row for row in ended if row.driver.get("sides") == [side.value]]
    if not looks:
        return None
    row = max(looks, key=lambda each: each.finished_at.timestamp() if each.finished_at else 0.0)
    return {"step": row.step_id, "state": row.state.value, "at": row.finished_at, "reason": row.outcome.get("reason")}


def _proofs(session: Session, run: Run) -> list[dict[str, Any]]:
    rows = session.exec(select(ProofRow).where(ProofRow.run_id == run.id).order_by(col(ProofRow.at)))
    return [
        {
            "claim": each.claim_key,
            "verdict": each.verdict.value,
            "level": each.level,
            "levelWhy": pick(Message(**each.level_why)) if each.level_why else "",
            "at": each.at,
            "rtoMs": each.rto_ms,
            "rpoMs": each.rpo_ms,
            "holdMs": each.hold_ms,
            "withoutSupplier": each.without_supplier.value,
            "reason": {"nl": each.reason_nl, "en": each.reason_en},
        }
        for each in rows
    ]


def _findings(session: Session, run: Run) -> list[dict[str, Any]]:
    rows = session.exec(select(Finding).where(Finding.run_id == run.id))
    return [{"ref": f.ref, "title": {"nl": f.title_nl, "en": f.title_en}, "severity": f.severity.value} for f in rows]


def approval_out(session: Session, row: Approval, *, now: datetime, run: Run | None = None) -> ApprovalOut:
    """An approval with the name of the person, and why it counts no more; for `run`, where it bears on one."""
    person = session.get(Person, row.person_id)
    same = ("id", "run_id", "drill_id", "person_id", "as_owner", "stands_in_for", "digest", "comment", "at")
    return ApprovalOut(
        **{name: getattr(row, name) for name in (*same, "valid_from", "revoked_at", "used_at")},
        valid_until=approval.counts_until(row),
        person=person.name if person else row.person_id,
        verdict=row.verdict.value,
        void=approval.why_not(session, row, run or (session.get(Run, row.run_id) if row.run_id else None), now=now),
    )
