"""Use cases of drills: plan one or an alternating pair, change it, archive it, look ahead, see what is missing."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar

from pydantic import ValidationError
from sqlmodel import Session, col, or_, select

from app.access import reach
from app.access.rules import Actor
from app.catalog.models import Service
from app.core import audit
from app.core.columns import next_ref
from app.core.edits import require_match
from app.core.errors import Conflict, FieldError, InvalidInput
from app.core.listing import paged
from app.core.messages import say
from app.core.shapes import iso_duration
from app.drills.claiming import begin_from, claim_due_moments, coming, moment_by_hand, schedule_of, windows_of
from app.drills.models import Drill, DrillMoment
from app.drills.moments import Nominal, moments
from app.drills.planning import Planned, examine, person_id
from app.drills.rules import Participant, Recurring
from app.drills.shapes import AlternationIn, DrillIn, DrillPatch, DrillQuery, HalfIn, MomentQuery
from app.plans.models import Plan
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import InputType, Playbook
from runners.contract import Registry, Side

__all__ = ["claim_due_moments", "moment_by_hand"]


class DrillInvalid(InvalidInput):
    """The drill cannot be planned like this; `errors` names every field."""

    code: ClassVar[str] = "drill-invalid"
    title: ClassVar[str] = "The drill cannot be planned like this"


class ModeIsFixed(Conflict):
    """The mode of a drill never changes: there is no way from a tabletop to live."""

    code: ClassVar[str] = "mode-is-fixed"


class DrillArchived(Conflict):
    """The drill was archived."""

    code: ClassVar[str] = "drill-archived"


def find(session: Session, key: str) -> Drill:
    """The drill with this id or reference. Raises NotFound."""
    return reach.find(session, Drill, key, "drill")


def plan_drill(session: Session, data: DrillIn, actor: Actor, *, registry: Registry, now: datetime) -> Drill:
    """A new drill. Raises DrillInvalid with everything that is wrong; then nothing is written."""
    found = examine(session, data, registry=registry, now=now)
    _refuse(found)
    blank = Drill(
        ref=next_ref(session, "DRL"),
        title=data.title,
        plan_id="",
        plan_version_id="",
        playbook_id="",
        mode=data.mode,
        created_by=actor.ref,
        created_at=now,
    )
    row = _filled(blank, data, found)
    row.owner_id = person_id(session, data.owner_id) or actor.person_id
    row.on_call_id = person_id(session, data.on_call_id)
    row.participants = _people(session, data.participants)
    begin_from(row, now=now)
    session.add(row)
    session.flush()
    audit.record(session, actor.ref, "drill.planned", "drill", row.id, ref=row.ref, mode=row.mode.value)
    return row


def _refuse(found: Planned) -> None:
    if found.faults:
        detail = say("The drill cannot be planned like this, faults: {count}.", count=len(found.faults))
        raise DrillInvalid(detail, errors=found.faults)


def _people(session: Session, participants: list[Participant]) -> list[dict[str, Any]]:
    return [{"personId": person_id(session, each.person_id), "role": each.role} for each in participants]


def _filled(row: Drill, data: DrillIn, found: Planned) -> Drill:
    """The row with what the request and the checks say."""
    if found.plan is None or found.plan_version is None or found.version is None:
        raise DrillInvalid(say("The drill names no plan or no playbook."))
    row.title, row.scenario = data.title, data.scenario
    row.plan_id, row.plan_version_id, row.service_id = found.plan.id, found.plan_version.id, found.plan.service_id
    row.playbook_id, row.pair_id = found.version.id, found.pair_id
    row.direction = found.direction.value if found.direction else None
    row.inputs, row.claims = dict(data.inputs), found.claims
    row.schedule = data.schedule.model_dump(mode="json", by_alias=True) if data.schedule else None
    row.time_zone = data.schedule.time_zone if data.schedule else row.time_zone
    row.windows = [each.model_dump(mode="json", by_alias=True) for each in data.windows]
    row.grace_s, row.attendance = data.grace, data.attendance
    row.approvals = data.approvals.model_dump(mode="json", by_alias=True) if data.approvals else None
    row.objectives = [each.model_dump(mode="json", by_alias=True) for each in data.objectives]
    row.limits = data.limits.model_dump(mode="json", by_alias=True)
    return row


def plan_alternation(
    session: Session, data: AlternationIn, actor: Actor, *, registry: Registry, now: datetime
) -> tuple[Drill, Drill]:
    """The two drills of a regular swap, in one rhythm: over, back, over …

    Raises DrillInvalid, also where the rhythm is no recurring one or leaves a shorter stay than `hold`.
    """
    schedule = _alternating(data, now)
    over, back = (
        plan_drill(session, _half(session, data, schedule, half, side, number), actor, registry=registry, now=now)
        for number, (half, side) in enumerate(((data.over, Side.FALLBACK), (data.back, Side.PRIMARY)))
    )
    over.partner_id, back.partner_id = back.id, over.id
    session.add_all([over, back])
    return over, back


def _alternating(data: AlternationIn, now: datetime) -> Recurring:
    if not isinstance(data.schedule, Recurring) or data.schedule.every != 1:
        reason = say("An alternating pair needs a recurring schedule of its own rhythm, without every and offset.")
        raise DrillInvalid(reason, errors=[FieldError("schedule", "not-recurring", reason)])
    schedule = data.schedule.model_copy(update={"starts_at": data.schedule.starts_at or now})
    try:
        dues = [each.due for each, _ in zip(moments(schedule, after=now), range(60), strict=False)]
    except ValueError:
        return schedule  # planning the halves names what is wrong with it
    if any(later - earlier < timedelta(seconds=data.hold) for earlier, later in pairwise(dues)):
        reason = say("The stay would be shorter than {hold}. Take a slower rhythm.", hold=iso_duration(data.hold))
        raise DrillInvalid(reason, errors=[FieldError("hold", "stay-too-short", reason)])
    return schedule


def _half(session: Session, data: AlternationIn, schedule: Recurring, half: HalfIn, to: Side, number: int) -> DrillIn:
    shared = data.model_dump(exclude={"over", "back", "hold", "pair", "schedule"})
    own = {name: value for name, value in half.model_dump().items() if value is not None}
    suffix = {Side.FALLBACK: "→ fallback", Side.PRIMARY: "→ primary"}[to]
    inputs: dict[str, Any] = {**data.inputs, "from": to.other.value, "to": to.value}
    if data.pair is not None:
        inputs[_pair_input(session, data.playbook)] = data.pair
    return DrillIn.model_validate(
        {
            **shared,
            "title": f"{data.title} {suffix}",
            **own,
            "inputs": inputs,
            "schedule": schedule.model_copy(update={"every": 2, "offset": number}),
        }
    )


def _pair_input(session: Session, playbook: str) -> str:
    """Name of the playbook's input that takes the environment pair."""
    wanted = or_(PlaybookVersion.id == playbook, PlaybookVersion.name == playbook)
    row = session.exec(select(PlaybookVersion).where(wanted).order_by(col(PlaybookVersion.version).desc())).first()
    inputs = Playbook.model_validate(row.content).inputs if row else {}
    return next((name for name, each in inputs.items() if each.type is InputType.ENVIRONMENT_PAIR), "pair")


def edit_drill(
    session: Session,
    key: str,
    patch: DrillPatch,
    actor: Actor,
    *,
    registry: Registry,
    now: datetime,
    if_match: str | None,
) -> Drill:
    """Change a drill. Raises ModeIsFixed, DrillArchived, StaleEdit, DrillInvalid; then nothing is written."""
    row = find(session, key)
    require_match(if_match, row)
    if row.archived_at is not None:
        raise DrillArchived(say("Drill {ref} is archived. Plan a new one.", ref=row.ref))
    sent = patch.sent()
    if sent.pop("mode", row.mode) not in {row.mode, None}:
        raise ModeIsFixed(say("The mode of a drill never changes. Plan a new drill in the other mode."))
    merged = _merged(row, {name: getattr(patch, name) for name in sent})
    found = examine(session, merged, registry=registry, now=now)
    if "schedule" not in sent:
        found.faults = [fault for fault in found.faults if not fault.field.startswith("schedule")]
    _refuse(found)
    _filled(row, merged, found)
    row.owner_id, row.on_call_id = person_id(session, merged.owner_id), person_id(session, merged.on_call_id)
    row.participants = _people(session, merged.participants)
    if "schedule" in sent:
        begin_from(row, now=now)
    if actor.ref not in row.editors:
        row.editors = [*row.editors, actor.ref]
    row.revision += 1
    session.add(row)
    audit.record(session, actor.ref, "drill.edited", "drill", row.id, fields=sorted(sent))
    return row


def _merged(row: Drill, sent: dict[str, Any]) -> DrillIn:
    """The drill as it would be; a null where there must be a value is refused."""
    try:
        return DrillIn.model_validate({**_as_given(row), **sent})
    except ValidationError as error:
        errors = [
            FieldError("/".join(str(part) for part in each["loc"]), "wrong-value", each["msg"])
            for each in error.errors()
        ]
        raise DrillInvalid(say("The drill cannot be changed like this."), errors=errors) from error


def _as_given(row: Drill) -> dict[str, Any]:
    """A drill in the words of the request that would plan it."""
    return {
        "title": row.title,
        "plan_id": row.plan_id,
        "playbook": row.playbook_id,
        "mode": row.mode,
        "scenario": row.scenario,
        "inputs": row.inputs,
        "windows": row.windows,
        "grace": row.grace_s,
        "attendance": row.attendance,
        "on_call_id": row.on_call_id,
        "approvals": row.approvals,
        "participants": row.participants,
        "objectives": row.objectives,
        "limits": row.limits,
        "claims": row.claims,
        "owner_id": row.owner_id,
        "schedule": row.schedule,
    }


def archive(session: Session, key: str, actor: Actor, *, reason: str, now: datetime) -> Drill:
    """End a drill: no further moment falls. Its runs and moments stay."""
    row = find(session, key)
    row.archived_at, row.next_due_at = row.archived_at or now, None
    row.revision += 1
    session.add(row)
    audit.record(session, actor.ref, "drill.archived", "drill", row.id, reason=reason)
    return row


def coming_of(session: Session, drill: Drill, *, count: int, now: datetime) -> list[tuple[Nominal, Any]]:
    """The next moments of a drill, and whether each would be skipped."""
    schedule = schedule_of(drill)
    if schedule is None or drill.archived_at is not None:
        return []
    return coming(session, schedule, windows_of(drill), drill.service_id, after=now, count=count)


def listed(session: Session, query: DrillQuery) -> tuple[list[Drill], int]:
    """A page of drills."""
    archived = col(Drill.archived_at)
    conditions: list[Any] = [archived.is_not(None) if query.archived else archived.is_(None)]
    for name in ("mode", "attendance"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(col(getattr(Drill, name)) == value)
    if query.plan_id:
        wanted = or_(Plan.id == query.plan_id, Plan.ref == query.plan_id.upper())
        conditions.append(col(Drill.plan_id).in_(select(Plan.id).where(wanted)))
    if query.service_id:
        named = or_(Service.id == query.service_id, Service.ref == query.service_id.upper())
        conditions.append(col(Drill.service_id).in_(select(Service.id).where(named)))
    return paged(
        session,
        select(Drill).where(*conditions),
        query,
        sortable={
            "nextDueAt": col(Drill.next_due_at),
            "title": col(Drill.title),
            "ref": col(Drill.ref),
            "createdAt": col(Drill.created_at),
        },
        searched=[col(Drill.title), col(Drill.ref), col(Drill.scenario)],
        default="ref",
        tie=col(Drill.id),
    )


def moments_listed(session: Session, query: MomentQuery) -> tuple[list[DrillMoment], int]:
    """A page of moments that have come."""
    conditions: list[Any] = [col(DrillMoment.state) == query.state] if query.state else []
    if query.drill_id:
        conditions.append(col(DrillMoment.drill_id) == find(session, query.drill_id).id)
    return paged(
        session,
        select(DrillMoment).where(*conditions),
        query,
        sortable={"dueAt": col(DrillMoment.due_at), "state": col(DrillMoment.state)},
        searched=[col(DrillMoment.nominal_local)],
        default="-dueAt",
        tie=col(DrillMoment.id),
    )
