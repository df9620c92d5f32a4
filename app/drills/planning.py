"""Checks of a drill that is planned or changed: all that is wrong is told at once, by field."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from app.access.models import Person
from app.core.errors import FieldError
from app.core.messages import Message, say
from app.core.shapes import iso_duration
from app.drills import calendar, inputs
from app.drills.moments import ImpossibleCron, UnknownZone, closest, in_gap, in_window, moments, once_at, wall, zone
from app.drills.rules import Attendance, Direction, OnceAt, Recurring, Window
from app.drills.shapes import DrillBase, DrillIn
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.plans.standing import approved_version
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import ClaimKind, InputType, Mode, Playbook, StepKind, opposed
from runners.contract import Effect, Registry, Side

LEAST_BETWEEN = timedelta(minutes=15)


@dataclass
class Planned:
    """What the checks found out about a drill."""

    plan: Plan | None = None
    plan_version: PlanVersion | None = None
    version: PlaybookVersion | None = None
    playbook: Playbook | None = None
    """For the mode of the drill."""
    values: dict[str, Any] = field(default_factory=dict)
    pair_id: str | None = None
    claims: dict[str, str] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)

    @property
    def direction(self) -> Direction | None:
        """Over or back, for a playbook that moves the service; by the side that will serve."""
        sides = opposed(self.playbook.inputs) if self.playbook and self.playbook.moves_service else None
        if sides is None or sides[1] not in self.values:
            return None
        target = self.values[sides[1]]
        return Direction.OVER if target is Side.FALLBACK else Direction.BACK

    def add(self, name: str, code: str, reason: Message) -> None:
        """Note a fault of a field."""
        self.faults.append(FieldError(name, code, reason))


def examine(session: Session, data: DrillIn, *, registry: Registry, now: datetime) -> Planned:
    """Everything that can be said about a drill before it is planned."""
    found = Planned()
    _plan(session, data, found)
    _playbook(session, data, found)
    if found.playbook is not None and found.version is not None:
        service_id = found.plan.service_id if found.plan else None
        found.values, faults = inputs.resolve(session, data.inputs, found.playbook, service_id=service_id)
        found.faults.extend(faults)
        found.pair_id = _pair_id(session, data, found.playbook, service_id)
        _mode(data, found, registry)
        _attendance(data, found.playbook, found)
        _claims(session, data, found)
    if data.mode is Mode.LIVE:
        _live(data, found)
    _people(session, data, found)
    _schedule(session, data, found, now)
    return found


def _plan(session: Session, data: DrillBase, found: Planned) -> None:
    wanted = or_(Plan.id == data.plan_id, Plan.ref == data.plan_id.upper())
    found.plan = session.exec(select(Plan).where(wanted)).first() if data.plan_id.isprintable() else None
    if found.plan is None:
        found.add("planId", "not-found", say("There is no plan '{key}'. Check the reference.", key=data.plan_id))
        return
    if found.plan.archived_at is not None:
        found.add("planId", "archived", say("Plan {ref} is retired. Choose another one.", ref=found.plan.ref))
    found.plan_version = approved_version(session, found.plan.id)
    if found.plan_version is None:
        reason = say("Plan {ref} has no approved version. Have it approved first.", ref=found.plan.ref)
        found.add("planId", "plan-not-approved", reason)


def _playbook(session: Session, data: DrillBase, found: Planned) -> None:
    wanted = or_(PlaybookVersion.id == data.playbook, PlaybookVersion.name == data.playbook)
    statement = select(PlaybookVersion).where(wanted).order_by(col(PlaybookVersion.version).desc())
    rows = session.exec(statement).all() if data.playbook.isprintable() else []
    if not rows:
        found.add("playbook", "not-found", say("There is no playbook '{key}'. Check the name.", key=data.playbook))
        return
    published = [row for row in rows if row.state is VersionState.PUBLISHED]
    if not published:
        reason = say("Playbook '{key}' is not published. Have another person review it first.", key=data.playbook)
        found.add("playbook", "playbook-not-published", reason)
        return
    whole = Playbook.model_validate(published[0].content)
    found.version = published[0]
    found.playbook = whole.for_mode(data.mode)
    if data.mode not in whole.modes:
        known = ", ".join(mode.value for mode in whole.modes)
        reason = say(
            "Playbook '{key}' knows no mode '{mode}'. It has: {known}.", key=whole.name, mode=data.mode, known=known
        )
        found.add("mode", "mode-not-permitted", reason)


def _pair_id(session: Session, data: DrillBase, playbook: Playbook, service_id: str | None) -> str | None:
    for name, each in playbook.inputs.items():
        if each.type is InputType.ENVIRONMENT_PAIR:
            return inputs.pair_id(session, data.inputs.get(name), service_id)
    return None


def _mode(data: DrillBase, found: Planned, registry: Registry) -> None:
    if data.mode is Mode.TABLETOP:
        reason = say("Tabletops cannot be planned yet. Choose rehearsal or live.")
        found.add("mode", "tabletop-not-available", reason)
    playbook = found.playbook
    if playbook is None:
        return
    for step in playbook.steps:
        runner = registry.get(step.uses or "")
        if step.play is not None:
            reason = say(
                "Step '{step}' plays another playbook; that cannot be run yet. Put its steps here.", step=step.id
            )
            found.add("playbook", "play-not-available", reason)
        elif step.uses is not None and runner is None:
            reason = say("Runner '{uses}' of step '{step}' is not installed.", uses=step.uses, step=step.id)
            found.add("playbook", "unknown-runner", reason)
        elif data.mode is Mode.REHEARSAL and runner is not None and runner.effect is Effect.CHANGES:
            reason = say(
                "Step '{step}' ({uses}) changes a real environment; a rehearsal only looks, or works in isolation. "
                "Plan it live.",
                step=step.id,
                uses=step.uses,
            )
            found.add("mode", "rehearsal-changes", reason)


def _attendance(data: DrillBase, playbook: Playbook, found: Planned) -> None:
    if data.attendance is Attendance.ATTENDED:
        return
    silent = [
        step.id for step in playbook.steps if step.kind in {StepKind.ASK, StepKind.DECIDE} and step.unattended is None
    ]
    if silent:
        steps = ", ".join(silent)
        reason = say("These steps do not say what happens without people: {steps}. Plan it attended.", steps=steps)
        found.add("attendance", "unattended-not-possible", reason)
    if data.on_call_id is None:
        reason = say("An unattended drill needs a person on call who can abort it. Name one.")
        found.add("onCallId", "on-call-missing", reason)


def _live(data: DrillBase, found: Planned) -> None:
    if data.approvals is None:
        reason = say("A live drill needs an approval policy: 'approvals: {{needed: 2, processOwner: true}}'.")
        found.add("approvals", "approval-policy-missing", reason)
    elif data.approvals.needed < 2:
        found.add("approvals/needed", "too-few-approvals", say("Live needs two different people. Ask for at least 2."))
    elif not data.approvals.process_owner:
        reason = say("The process owner must be one of those who approve a live drill. Set processOwner to true.")
        found.add("approvals/processOwner", "process-owner-missing", reason)


def _claims(session: Session, data: DrillBase, found: Planned) -> None:
    if found.plan_version is None or found.playbook is None:
        return
    statement = select(PlanClaim).where(PlanClaim.plan_version_id == found.plan_version.id)
    claims = session.exec(statement.order_by(col(PlanClaim.position))).all()
    if not data.claims:
        found.claims = by_kind(found.playbook, {claim.kind: claim.key for claim in reversed(claims)}, found.direction)
        return
    for kind, key in data.claims.items():
        if kind not in {each.value for each in found.playbook.proves}:
            reason = say("The playbook proves no claim of kind '{kind}'.", kind=kind)
            found.add(f"claims/{kind}", "unknown-claim-kind", reason)
        elif key not in {claim.key for claim in claims}:
            found.add(f"claims/{kind}", "unknown-claim", say("The plan has no claim '{key}'.", key=key))
        else:
            found.claims[kind] = key


def by_kind(playbook: Playbook, keys: dict[ClaimKind, str], direction: Direction | None) -> dict[str, str]:
    """Claim kind of the playbook → the plan's claim of that kind; a switch back carries the way back alone."""
    found = {kind: keys[kind] for kind in playbook.proves if kind in keys}
    over, back = ClaimKind.SWITCHOVER, ClaimKind.WAY_BACK
    if direction is Direction.OVER:
        found.pop(back, None)
    if direction is Direction.BACK and over in playbook.proves:
        found.pop(over, None)
        if back in keys and back not in playbook.proves:
            found[over] = keys[back]
    return {kind.value: key for kind, key in found.items()}


def _people(session: Session, data: DrillBase, found: Planned) -> None:
    named = [("ownerId", data.owner_id), ("onCallId", data.on_call_id)]
    named += [(f"participants/{index}/personId", each.person_id) for index, each in enumerate(data.participants)]
    for name, key in named:
        if key is not None and person_id(session, key) is None:
            found.add(name, "not-found", say("There is no person '{key}'. Check the reference.", key=key))


def person_id(session: Session, key: str | None) -> str | None:
    """Id of the active person with this id or reference."""
    if key is None or not key.isprintable():
        return None
    row = session.exec(select(Person).where(or_(Person.id == key, Person.ref == key.upper()))).first()
    return row.id if row is not None and row.active else None


def _schedule(session: Session, data: DrillIn, found: Planned, now: datetime) -> None:
    if data.schedule is None:
        return
    for name, code, reason in faults_of(data.schedule, data.windows, now=now):
        found.add(name, code, reason)
    if isinstance(data.schedule, OnceAt) and not any(fault.field.startswith("schedule") for fault in found.faults):
        due = once_at(data.schedule, zone(data.schedule.time_zone)).due
        freeze = calendar.covering(session, due, found.plan.service_id if found.plan else None)
        if freeze is not None:
            reason = say(
                "This moment lies in the freeze '{name}' ({ref}). Choose another.", name=freeze.name, ref=freeze.ref
            )
            found.add("schedule/at", "in-freeze", reason)


def faults_of(
    schedule: OnceAt | Recurring, windows: list[Window], *, now: datetime
) -> Iterator[tuple[str, str, Message]]:
    """What is wrong with a schedule itself: field, code, reason."""
    try:
        zone(schedule.time_zone)
    except UnknownZone:
        reason = say("There is no time zone '{name}'. Write e.g. Europe/Amsterdam.", name=schedule.time_zone)
        yield "schedule/timeZone", "unknown-zone", reason
        return
    if isinstance(schedule, OnceAt):
        yield from _once(schedule, windows, now)
    elif not schedule.fields():
        yield "schedule", "schedule-empty", say("Say when: give month, day, dayOfWeek, hour or minute.")
    elif schedule.every > 1 and schedule.starts_at is None:
        reason = say("To count every so-many-th moment there must be a first one. Give startsAt.")
        yield "schedule/startsAt", "start-missing", reason
    elif schedule.starts_at and schedule.ends_at and schedule.starts_at >= schedule.ends_at:
        yield "schedule/endsAt", "end-before-start", say("The end lies before the start. Swap them.")
    else:
        yield from _recurring(schedule, windows, now)


def _once(schedule: OnceAt, windows: list[Window], now: datetime) -> Iterator[tuple[str, str, Message]]:
    place = zone(schedule.time_zone)
    if schedule.at.tzinfo is None and in_gap(schedule.at, place):
        reason = say("The clock skips this time on that day. Choose another time.")
        yield "schedule/at", "time-does-not-exist", reason
        return
    moment = once_at(schedule, place)
    if moment.due <= now:
        yield "schedule/at", "in-the-past", say("This moment has passed. Choose one to come.")
    elif moment.due > now + timedelta(days=366 * 10):
        yield "schedule/at", "too-far-away", say("This moment is more than ten years away. Choose a nearer one.")
    elif not in_window(moment.local, windows):
        yield "schedule/at", "outside-window", say("This moment lies outside the windows. Choose another one.")


def _recurring(schedule: Recurring, windows: list[Window], now: datetime) -> Iterator[tuple[str, str, Message]]:
    try:
        coming = list(_first(schedule, now, 60))
        between = closest(schedule, after=now)
    except ImpossibleCron as error:
        yield "schedule", "schedule-unclear", say("This schedule cannot be read: {problem}.", problem=str(error))
        return
    if not coming:
        yield "schedule", "never-fires", say("This schedule never falls (30 February?). Mend month and day.")
    elif between is not None and between < LEAST_BETWEEN:
        least = iso_duration(int(LEAST_BETWEEN.total_seconds()))
        reason = say("This schedule falls more often than each {least}. Make it slower.", least=least)
        yield "schedule", "too-often", reason
    elif not any(in_window(local, windows) for local in coming):
        yield "windows", "outside-window", say("No moment of this schedule lies in the windows. Mend one of the two.")


def _first(schedule: Recurring, now: datetime, count: int) -> Iterator[datetime]:
    place = zone(schedule.time_zone)
    for number, each in enumerate(moments(schedule, after=now)):
        if number >= count:
            return
        yield wall(each.due, place)
