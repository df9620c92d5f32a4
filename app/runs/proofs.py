"""Writes the proof of each claim of a run, dated when its steps were complete, and opens what must be found."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from app.access.rules import SYSTEM
from app.drills.models import Drill
from app.findings import service as findings
from app.findings.rules import Cause, Severity, Source
from app.plans.evidence import NewProof, record_proof
from app.plans.facts import Verdict as ProofVerdict
from app.plans.levels import proof_level
from app.plans.models import PlanClaim
from app.playbooks.rules import ClaimKind, StepKind
from app.runs import supplier
from app.runs.clocks import Clocks, StepTimes, service_back_at
from app.runs.done import run_clocks, step_done, step_times, target_side, was_watched, watched_mode
from app.runs.models import GuardState, Run
from app.runs.rules import Direction, StepState
from app.runs.verdicts import ClaimDone, StepDone, claim_done, is_complete, performance
from app.runs.view import Held, tell
from runners.contract import Text, Verdict

_TIMED = frozenset({ClaimKind.RESTORE, ClaimKind.ESCROW_BUILD, ClaimKind.DATA_OUT, ClaimKind.OTHER_ENVIRONMENT})
"""Claims whose recovery time is that of their own steps, no service being switched."""


def write_complete(session: Session, held: Held, *, now: datetime) -> list[str]:
    """Write the proof of each claim whose steps are complete and that has none yet; the claim keys."""
    if not any(is_complete(_carriers(held, kind)) for kind in held.playbook.proves):
        return []  # this is asked after each step: nothing is read before there can be anything to prove
    return [
        claim.key
        for kind, claim in claims_of(session, held)
        if claim.key not in held.run.proven and is_complete(_carriers(held, kind))
        if write(session, held, kind, claim, now=now)
    ]


def write_rest(session: Session, held: Held, *, now: datetime) -> list[str]:
    """At the end of a run: a proof for each claim that has none, whatever came of its steps."""
    return [
        claim.key
        for kind, claim in claims_of(session, held)
        if claim.key not in held.run.proven and write(session, held, kind, claim, now=now)
    ]


def write_breach(session: Session, held: Held, *, now: datetime) -> list[str]:
    """A guard saw the service fail: what this run had proven before fails as of now, with a finding; the claim keys."""
    return [
        claim.key
        for kind, claim in claims_of(session, held)
        if claim.key in held.run.proven and write(session, held, kind, claim, now=now)
    ]


def claims_of(session: Session, held: Held) -> list[tuple[ClaimKind, PlanClaim]]:
    """The kinds that the playbook proves with the plan's claims for them; on the way back a switch proves that."""
    drill = session.get_one(Drill, held.run.drill_id)
    wanted = select(PlanClaim).where(PlanClaim.plan_version_id == held.run.plan_version_id)
    rows = list(session.exec(wanted.order_by("position")))
    found: list[tuple[ClaimKind, PlanClaim]] = []
    for kind in held.playbook.proves:
        meant, named = _meant(kind, held.run), drill.claims.get(kind.value)
        already = {row.key for _, row in found}
        fitting = [row for row in rows if (row.key == named if drill.claims else row.kind is meant)]
        found += [(kind, row) for row in fitting if row.key not in already]
    return found


_SWITCHES = (ClaimKind.SWITCHOVER, ClaimKind.FAILOVER)


def _meant(kind: ClaimKind, run: Run) -> ClaimKind | None:
    """What the steps of a kind prove in this direction: over is no way back, and back is nothing but that."""
    if run.direction is Direction.BACK and kind in _SWITCHES:
        return ClaimKind.WAY_BACK
    if run.direction is Direction.OVER and kind is ClaimKind.WAY_BACK:
        return None
    return kind


def _carriers(held: Held, kind: ClaimKind) -> list[StepDone]:
    present = {step.id for step in held.playbook.steps}
    return [step_done(held, held.steps[each]) for each in held.playbook.proves[kind] if each in present]


def path_of(held: Held, kind: ClaimKind) -> list[StepDone]:
    """The steps that carry a claim and all that they need, in order."""
    carriers = set(held.playbook.proves[kind])
    needed = carriers.union(*(held.playbook.ancestors(each) for each in carriers))
    return [step_done(held, row) for row in held.steps.values() if row.step_id in needed]


def write(session: Session, held: Held, kind: ClaimKind, claim: PlanClaim, *, now: datetime) -> bool:
    """Write one proof with its level, times and reason (it retests findings), and open one where it is no pass."""
    run, path, carriers = held.run, path_of(held, kind), _carriers(held, kind)
    done = claim_done(carriers, path, breached=breached(session, run))
    times = claim_clocks(held, kind)
    did = performance(
        carriers,
        path,
        [step_done(held, row) for row in held.steps.values()],
        mode=watched_mode(run),
        watched=was_watched(session, held),
        times_logged=times_logged(run, times),
    )
    level = proof_level(did)
    alone, why_alone = supplier.judge(session, held, path)
    reason = done.reason if not claim.without_supplier else join(done.reason, why_alone)
    record_proof(
        session,
        NewProof(
            plan_id=run.plan_id,
            plan_major=run.plan_major,
            claim_key=claim.key,
            level=level.number,
            verdict=done.verdict,
            at=now,
            rto_ms=times.rta_ms,
            rpo_ms=times.rpa_ms,
            without_supplier=alone,
            mandatory_skipped=done.mandatory_skipped,
            run_id=run.id,
            reason=reason,
            level_why=level.why,
        ),
        now=now,
    )
    run.proven = list(dict.fromkeys([*run.proven, claim.key]))
    session.add(run)
    tell(session, run, "claim.proven", now=now, claim=claim.key, verdict=done.verdict, level=level.number)
    _open_findings(session, held, claim, done, times, level.number, now)
    return True


def times_logged(run: Run, times: Clocks) -> bool:
    """Whether alarm, decision and the service's return are all known, as the real thing must show."""
    return run.alarm_at is not None and times.decision_ms is not None and times.rta_ms is not None


def join(first: Text, second: Text) -> Text:
    """Two sentences after each other."""
    return Text(nl=f"{first.nl} {second.nl}", en=f"{first.en} {second.en}")


def breached(session: Session, run: Run) -> bool:
    """Whether a guard saw during the run that the service did not work well, for longer than is tolerated."""
    wanted = select(GuardState).where(GuardState.run_id == run.id)
    return any(guard.acted_at is not None for guard in session.exec(wanted))


def claim_clocks(held: Held, kind: ClaimKind) -> Clocks:
    """The measured times that count for a claim: of the switch, or of its own steps where nothing is switched."""
    times, found = [step_times(held, row) for row in held.steps.values()], run_clocks(held)
    if kind is ClaimKind.FAILOVER:
        return Clocks(_since_alarm(held.run, times), found.rpa_ms, found.decision_ms, found.technical_ms)
    if kind not in _TIMED:
        return found
    ids = {step.id for step in path_of(held, kind)}
    own = [each for each in times if each.id in ids]
    began = min((each.began_at for each in own if each.began_at), default=None)
    ended = max((each.finished_at for each in own if each.finished_at), default=None)
    elapsed = round((ended - began).total_seconds() * 1000) if began and ended and ended >= began else None
    return Clocks(elapsed, found.rpa_ms)


def _since_alarm(run: Run, times: list[StepTimes]) -> int | None:
    """For an unplanned fail-over the time to decide counts: from the alarm, else from the start of the run."""
    start, back = run.outage_at or run.alarm_at or run.started_at, service_back_at(times)
    return round((back - start).total_seconds() * 1000) if start and back else None


def _open_findings(
    session: Session, held: Held, claim: PlanClaim, done: ClaimDone, times: Clocks, level: int, now: datetime
) -> None:
    if _worth_finding(held, done):
        _open(session, held, claim, level, now, **_what(held, claim, done))
    slow = {"rto": (times.rta_ms, claim.rto_s, "RTO"), "rpo": (times.rpa_ms, claim.rpo_s, "RPO")}
    for word, (measured, goal, name) in slow.items():
        if measured is not None and goal is not None and measured > goal * 1000:
            seconds = round(measured / 1000, 1)
            title = Text(
                nl=f"{claim.key}: {name} niet gehaald: {seconds} s gemeten, doel {goal} s",
                en=f"{claim.key}: {name} not met: measured {seconds} s, goal {goal} s",
            )
            key = f"{held.run.plan_id}:{claim.key}:{word}"
            _open(
                session, held, claim, level, now, key=key, title=title, cause=Cause.TOO_SLOW, severity=Severity.MEDIUM
            )


def _worth_finding(held: Held, done: ClaimDone) -> bool:
    """What failed, was let go or could not be looked at; a no-go or an abort is logged and is no finding."""
    if done.verdict is not ProofVerdict.INCONCLUSIVE or done.incident:
        return done.verdict is not ProofVerdict.PASS
    row = held.steps.get(done.culprit or "")
    return row is not None and (row.verdict is Verdict.UNKNOWN or row.state is StepState.TIMED_OUT)


def _what(held: Held, claim: PlanClaim, done: ClaimDone) -> dict[str, Any]:
    """How the finding of a claim that did not pass is named: by the step that made it so."""
    step = f" (stap {done.culprit})" if done.culprit else ""
    step_en = f" (step {done.culprit})" if done.culprit else ""
    title = Text(nl=f"{claim.key}: {done.reason.nl}{step}", en=f"{claim.key}: {done.reason.en}{step_en}")
    failed = done.verdict.value == "fail" or done.incident
    return {
        "key": f"{held.run.plan_id}:{claim.key}:{'incident' if done.incident else done.verdict.value}",
        "title": title,
        "cause": cause_of(held, done.culprit),
        "severity": Severity.HIGH if failed else Severity.MEDIUM,
        "source": Source.INCIDENT if done.incident else Source.RUNNER,
    }


_FAMILIES = {"escrow": Cause.CONTRACT, "backup": Cause.TECHNIQUE, "notify": Cause.ORGANISATION}


def cause_of(held: Held, step_id: str | None) -> Cause:
    """Why a step went wrong, as far as its kind tells; a person may correct it."""
    if step_id is None:
        return Cause.TECHNIQUE
    step, row = held.playbook.step(step_id), held.steps[step_id]
    if step.kind in (StepKind.ASK, StepKind.DECIDE):
        return Cause.ORGANISATION if row.by not in (None, "system") else Cause.PEOPLE
    return _FAMILIES.get((step.uses or "").partition(".")[0], Cause.TECHNIQUE)


def _open(
    session: Session,
    held: Held,
    claim: PlanClaim,
    level: int,
    now: datetime,
    *,
    key: str,
    title: Text,
    cause: Cause,
    severity: Severity,
    source: Source = Source.RUNNER,
) -> None:
    run = held.run
    new = findings.NewFinding(
        key=key,
        plan_id=run.plan_id,
        claim_key=claim.key,
        object_ids=tuple(claim.object_ids),
        source=source,
        cause=cause,
        severity=severity,
        title=title,
        description=f"{run.ref}: {title.en}",
        level=level,
        run_id=run.id,
        service_id=run.service_id,
    )
    finding = findings.open_finding(session, new, now=now, actor=SYSTEM)
    side = target_side(run)
    tell(session, run, "finding.opened", now=now, finding=finding.ref, target=side)
