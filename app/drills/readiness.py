"""Says what is missing before a drill can run: a list of lacks, found without touching any environment."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from app.access.models import Person
from app.catalog.models import EnvironmentPair as PairRow
from app.core.messages import Message, say
from app.drills import calendar, held, inputs
from app.drills.models import Drill
from app.drills.rules import Attendance
from app.plans.models import Plan
from app.plans.standing import approved_version
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import InputType, Playbook, StepKind
from runners.contract import EnvironmentPair, Registry, Side

Lack = tuple[str, str, Message | str]
"""Stable code, field, and what to do."""
_PROXY = "switch.haproxy"


def lacks(session: Session, drill: Drill, *, registry: Registry, now: datetime) -> list[Lack]:
    """Everything that stands in the way of running this drill now; an empty list promises nothing about the servers."""
    version = session.get_one(PlaybookVersion, drill.playbook_id)
    playbook = Playbook.model_validate(version.content).for_mode(drill.mode)
    given = {**({"pair": drill.pair_id} if "pair" in playbook.inputs and drill.pair_id else {}), **drill.inputs}
    values, faults = inputs.resolve(session, given, playbook, service_id=drill.service_id)
    found: list[Lack] = [(fault.code, fault.field, fault.reason) for fault in faults]
    found += _plan(session, drill)
    found += _playbook(version, playbook, registry)
    found += _people(session, drill, playbook)
    found += _nodes(playbook, values)
    found += _home(session, drill, playbook, values)
    found += held.lacks(held.standings(session, playbook, values, registry=registry, now=now))
    freeze = calendar.covering(session, now, drill.service_id)
    if freeze is not None:
        found.append(
            ("blackout", "", say("Now lies in the freeze '{name}' ({ref}).", name=freeze.name, ref=freeze.ref))
        )
    return found


def _plan(session: Session, drill: Drill) -> list[Lack]:
    plan = session.get_one(Plan, drill.plan_id)
    approved = approved_version(session, plan.id)
    if plan.archived_at is not None:
        return [("archived", "planId", say("Plan {ref} is retired.", ref=plan.ref))]
    if approved is None:
        return [("plan-not-approved", "planId", say("Plan {ref} has no approved version.", ref=plan.ref))]
    if approved.id != drill.plan_version_id:
        reason = say("Plan {ref} has a newer approved version. Look at the drill and save it again.", ref=plan.ref)
        return [("plan-newer", "planId", reason)]
    return []


def _playbook(version: PlaybookVersion, playbook: Playbook, registry: Registry) -> list[Lack]:
    found: list[Lack] = []
    if version.state is not VersionState.PUBLISHED:
        found.append(
            ("playbook-not-published", "playbook", say("Playbook {name} is not published.", name=version.name))
        )
    for step in playbook.steps:
        if step.uses is not None and step.uses not in registry:
            reason = say("Runner '{uses}' of step '{step}' is not installed.", uses=step.uses, step=step.id)
            found.append(("unknown-runner", "playbook", reason))
    return found


def asked_roles(playbook: Playbook) -> dict[str, int]:
    """The roles in which people are asked something, and how many people of each must agree at most."""
    found: dict[str, int] = {}
    for step in playbook.steps:
        if step.kind in (StepKind.ASK, StepKind.DECIDE) and step.role:
            found[step.role] = max(found.get(step.role, 1), step.quorum)
    return found


def _people(session: Session, drill: Drill, playbook: Playbook) -> list[Lack]:
    found: list[Lack] = []
    if drill.attendance is Attendance.UNATTENDED:
        person = session.get(Person, drill.on_call_id) if drill.on_call_id else None
        if person is None or not person.active:
            found.append(("on-call-missing", "onCallId", say("Name an active person on call who can abort the run.")))
        return found
    for role in sorted(set(asked_roles(playbook)) - {each["role"] for each in drill.participants}):
        reason = say("Nobody takes part in the role '{role}'. Add a participant.", role=role)
        found.append(("role-missing", "participants", reason))
    return found


def _nodes(playbook: Playbook, values: dict[str, object]) -> list[Lack]:
    uses = {step.uses or "" for step in playbook.steps}
    return [
        lack
        for name, each in playbook.inputs.items()
        if each.type is InputType.ENVIRONMENT_PAIR and isinstance(pair := values.get(name), EnvironmentPair)
        for lack in _pair(pair, f"inputs/{name}", uses)
    ]


def _pair(pair: EnvironmentPair, field: str, uses: set[str]) -> Iterator[Lack]:
    if _PROXY in uses and pair.proxy is None:
        yield "proxy-missing", field, say("Pair {ref} has no proxy.", ref=pair.name)
    if "check.http" in uses and pair.service is None:
        yield "service-url-missing", field, say("Pair {ref} has no service URL.", ref=pair.name)
    if not any(use.startswith("postgres.") for use in uses):
        return
    for side in Side:
        lacking = ", ".join(key for key in ("dsn", "data_directory") if getattr(pair.node(side), key) is None)
        if lacking:
            reason = say("The {side} side of {ref} lacks: {keys}.", side=side.value, ref=pair.name, keys=lacking)
            yield "driver-missing", field, reason


def _home(session: Session, drill: Drill, playbook: Playbook, values: dict[str, object]) -> list[Lack]:
    """A switch away from a side that is not home is planned for later, or wrong: say so."""
    source = values.get("from")
    pair = session.get(PairRow, drill.pair_id) if drill.pair_id else None
    if pair is None or not isinstance(source, Side) or drill.direction is None or not playbook.moves_service:
        return []
    if pair.home_side.value == source.value:
        return []
    reason = say("Home is the {home} side now; this drill switches away from {side}.", home=pair.home_side, side=source)
    return [("other-side-is-home", "inputs/from", reason)]
