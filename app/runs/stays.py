"""The stay of production on a side: begun when a switch serves there, looked at meanwhile, proven when it ends."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.access.rules import Actor
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import audit
from app.core.errors import Conflict, FieldError, InvalidInput
from app.core.messages import say
from app.plans.evidence import NewProof, record_proof
from app.plans.facts import Verdict as ProofVerdict
from app.plans.levels import Did, Performance, Probe, proof_level
from app.plans.models import PlanClaim
from app.playbooks.rules import ClaimKind
from app.runs.clocks import service_back_at
from app.runs.done import step_done, step_times, target_side, watched_mode
from app.runs.models import Run, Stay, StayLook
from app.runs.rules import RunState, StepState
from app.runs.view import Held, read, tell
from runners.contract import Side, Text, Verdict

GAPS_FORGIVEN = 3
"""A stay was looked at all the while if no two looks lay further apart than this many times their interval, …"""
LEAST_GAP_MS = 60_000
"""… or than a minute, for a worker may restart."""


def note_serving(session: Session, held: Held, *, now: datetime) -> None:
    """Once a probe saw the target side serve: move the home side, end the stay before, begin the next."""
    run, side = held.run, target_side(held.run)
    if run.served_at is not None or side is None or run.pair_id is None or not _serves(held):
        return
    times = [step_times(held, row) for row in held.steps.values()]
    run.served_at = service_back_at(times) or now
    catalog.set_home_side(session, run.pair_id, side.value, at=run.served_at, run_id=run.id)
    for before in session.exec(select(Stay).where(Stay.pair_id == run.pair_id, col(Stay.ended_at).is_(None))):
        _end(session, before, run, now)
    every = min((guard.every for guard in held.playbook.guards), default=60)
    stay = Stay(
        pair_id=run.pair_id,
        service_id=run.service_id,
        plan_id=run.plan_id,
        side=side.value,
        run_id=run.id,
        since=run.served_at,
        every_s=every,
    )
    session.add_all([run, stay])
    tell(session, run, "home.moved", now=now, side=side.value, at=run.served_at)


def note_undone(session: Session, held: Held, end: RunState, *, now: datetime) -> None:
    """A switch that served and was taken back: the home side moves back too, and its stay proves nothing."""
    run, side = held.run, target_side(held.run)
    if end is not RunState.UNDONE or run.served_at is None or side is None or run.pair_id is None:
        return
    catalog.set_home_side(session, run.pair_id, side.other.value, at=now, run_id=run.id)
    for stay in session.exec(select(Stay).where(Stay.run_id == run.id, col(Stay.ended_at).is_(None))):
        stay.ended_at, stay.ended_by = now, run.id
        session.add(stay)


def _serves(held: Held) -> bool:
    """Whether every step that ends the outage passed, and a probe saw the target side."""
    passed = (StepState.SUCCEEDED, StepState.WARNING)
    ends = [row for row in held.steps.values() if held.playbook.step(row.step_id).ends_outage]
    seen = [step_done(held, row) for row in held.steps.values() if row.state in passed]
    probed = any(step.probe and step.saw_target for step in seen)
    return bool(ends) and all(row.state in passed for row in ends) and probed


def looked(
    session: Session, stay: Stay, verdict: Verdict, *, at: datetime, level: float | None = None, by: str = "system"
) -> None:
    """Count one look at a stay; a row of its own is written only where it tells something new.

    Once a switch away has begun its outage, what is seen is that switch's and no longer the stay's.
    """
    if _is_leaving(session, stay):
        return
    if verdict is Verdict.PASSED:
        catalog.home_seen(session, stay.pair_id, stay.side)
    before = stay.looked_at or stay.since
    first = stay.looks == 0
    stay.longest_gap_ms = max(stay.longest_gap_ms, round((at - before).total_seconds() * 1000))
    stay.looks += 1
    stay.misses += verdict is not Verdict.PASSED
    stay.looked_at = at
    low = level is not None and (stay.least_level is None or level < stay.least_level)
    if low:
        stay.least_level = level
    session.add(stay)
    if first or low or verdict is not Verdict.PASSED or by != "system":
        session.add(StayLook(stay_id=stay.id, at=at, verdict=verdict, level=level, by=by))


class NoStay(Conflict):
    """There is nothing to look at: production is not on a stay that a switch began, or it is leaving."""

    code = "no-stay"


def told(session: Session, pair_id: str, *, works: bool, level: float | None, actor: Actor, now: datetime) -> Stay:
    """A person's own look at the present stay of a pair, with the level that was counted where there is one."""
    wanted = select(Stay).where(Stay.pair_id == pair_id, col(Stay.ended_at).is_(None))
    stay = session.exec(wanted.with_for_update()).first()
    if stay is None or _is_leaving(session, stay):
        raise NoStay(say("There is no stay to look at now: a proven switch begins one, and the next switch ends it."))
    service = session.get(Service, stay.service_id) if stay.service_id else None
    if level is not None and not (service and service.mbco_unit):
        reason = say("This service has no MBCO with a unit. Fill it in the catalogue first.")
        raise InvalidInput(reason, errors=[FieldError("level", "no-unit", reason)])
    verdict = Verdict.PASSED if works else Verdict.FAILED
    looked(session, stay, verdict, at=now, level=level, by=actor.ref)
    session.flush()
    audit.record(session, actor.ref, "stay.looked-at", "stay", stay.id, works=works, level=level)
    return stay


def _is_leaving(session: Session, stay: Stay) -> bool:
    others = select(Run).where(Run.pair_id == stay.pair_id, Run.id != stay.run_id)
    going = session.exec(others.where(col(Run.started_at).is_not(None), col(Run.ended).is_(None)))
    return any(
        row.intended and held.playbook.step(row.step_id).starts_outage
        for held in (read(session, run) for run in going)
        for row in held.steps.values()
    )


def _end(session: Session, stay: Stay, run: Run, now: datetime) -> None:
    """The next switch away serves: the stay is over, and on the fallback side it proves *hold* with its length."""
    end = run.served_at or now
    last = stay.looked_at or stay.since
    stay.longest_gap_ms = max(stay.longest_gap_ms, round((end - last).total_seconds() * 1000))
    stay.ended_at, stay.ended_by = end, run.id
    session.add(stay)
    if stay.side != Side.FALLBACK.value:
        return
    wanted = select(PlanClaim).where(PlanClaim.plan_version_id == run.plan_version_id, PlanClaim.kind == ClaimKind.HOLD)
    for claim in session.exec(wanted):
        if stay.plan_id == run.plan_id:
            _prove(session, stay, claim, run, now)


def _prove(session: Session, stay: Stay, claim: PlanClaim, run: Run, now: datetime) -> None:
    began = session.get_one(Run, stay.run_id)
    ended = stay.ended_at or now
    hold_ms = round((ended - stay.since).total_seconds() * 1000)
    verdict, reason = _verdict(stay)
    watched = stay.looks > 0 and stay.longest_gap_ms <= max(LEAST_GAP_MS, GAPS_FORGIVEN * stay.every_s * 1000)
    probe = Probe.WHOLE_TIME if watched else Probe.SAW_OTHER_SIDE
    done = Did.BY_HAND if began.by_hand else Did.CHANGED
    did = Performance(watched_mode(began), [done], [done], probe, holds=True, hold_ms=hold_ms)
    level = proof_level(did).number
    proof = NewProof(
        plan_id=stay.plan_id,
        plan_major=began.plan_major,
        claim_key=claim.key,
        level=level,
        verdict=verdict,
        at=now,
        hold_s=hold_ms / 1000,
        mbco=stay.least_level,
        run_id=run.id,
        reason=reason,
    )
    record_proof(session, proof, now=now)
    tell(session, run, "claim.proven", now=now, claim=claim.key, verdict=verdict, level=level)


def _verdict(stay: Stay) -> tuple[ProofVerdict, Text]:
    if stay.looks == 0:
        text = Text(
            nl="Tijdens het verblijf is niet gekeken of de dienst werkte.",
            en="Nobody looked during the stay whether the service worked.",
        )
        return ProofVerdict.INCONCLUSIVE, text
    if stay.misses:
        text = Text(
            nl=f"De dienst werkte bij {stay.misses} van {stay.looks} waarnemingen niet.",
            en=f"The service did not work at {stay.misses} of {stay.looks} looks.",
        )
        return ProofVerdict.PARTIAL, text
    text = Text(
        nl=f"De dienst werkte bij alle {stay.looks} waarnemingen.", en=f"The service worked at all {stay.looks} looks."
    )
    return ProofVerdict.PASS, text
