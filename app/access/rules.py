"""Who may do what: roles, the actions they open, and the one pure function that decides."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Role(StrEnum):
    """What a person or machine is in the organisation."""

    VIEWER = "viewer"
    PLAN_OWNER = "plan-owner"
    FACILITATOR = "facilitator"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """What a route or command does; each route declares exactly one."""

    READ = "read"
    EDIT_CATALOG = "edit-catalog"
    EDIT_PLAN = "edit-plan"
    REVIEW_PLAN = "review-plan"
    APPROVE_PLAN = "approve-plan"
    EDIT_PLAYBOOK = "edit-playbook"
    REVIEW_PLAYBOOK = "review-playbook"
    PLAN_DRILL = "plan-drill"
    APPROVE_RUN = "approve-run"
    OPERATE_RUN = "operate-run"
    ANSWER_STEP = "answer-step"
    EDIT_FINDING = "edit-finding"
    ACCEPT_RISK = "accept-risk"
    READ_AUDIT = "read-audit"
    ADMINISTER = "administer"
    USE_OWN_SESSION = "use-own-session"


class Kind(StrEnum):
    """What stands behind a request."""

    PERSON = "person"
    MACHINE = "machine"
    SYSTEM = "system"


_EVERYBODY = frozenset({Action.READ, Action.USE_OWN_SESSION})
_OPENS: dict[Role, frozenset[Action]] = {
    Role.VIEWER: _EVERYBODY,
    Role.PLAN_OWNER: _EVERYBODY
    | {Action.EDIT_CATALOG, Action.EDIT_PLAN, Action.REVIEW_PLAN, Action.EDIT_PLAYBOOK, Action.PLAN_DRILL}
    | {Action.EDIT_FINDING, Action.ANSWER_STEP},
    Role.FACILITATOR: _EVERYBODY | {Action.PLAN_DRILL, Action.EDIT_FINDING, Action.ANSWER_STEP},
    Role.OPERATOR: _EVERYBODY | {Action.PLAN_DRILL, Action.OPERATE_RUN, Action.ANSWER_STEP, Action.EDIT_FINDING},
    Role.APPROVER: _EVERYBODY
    | {Action.REVIEW_PLAN, Action.APPROVE_PLAN, Action.REVIEW_PLAYBOOK, Action.APPROVE_RUN, Action.ACCEPT_RISK}
    | {Action.ANSWER_STEP},
    Role.AUDITOR: _EVERYBODY | {Action.READ_AUDIT},
    Role.ADMINISTRATOR: _EVERYBODY | {Action.ADMINISTER, Action.EDIT_CATALOG},
}
PEOPLE_ONLY = frozenset(
    {Action.REVIEW_PLAN, Action.APPROVE_PLAN, Action.REVIEW_PLAYBOOK, Action.APPROVE_RUN, Action.ACCEPT_RISK}
    | {Action.ADMINISTER, Action.USE_OWN_SESSION}
)
"""A token can never review, approve or accept: these need a person who can answer for it. Nor does it give anybody
rights, itself and its like included, or have a session."""
_WHOLE_ONLY = frozenset({Action.ADMINISTER, Action.EDIT_PLAYBOOK, Action.REVIEW_PLAYBOOK})
"""People and playbooks are the whole organisation's: a role in a part of it opens none of these."""
STEP_UP = frozenset({Action.APPROVE_PLAN, Action.APPROVE_RUN, Action.ACCEPT_RISK})
"""What a person answers for with their name: only shortly after they proved who they are."""
STEP_UP_LIFE = timedelta(minutes=5)
RESET_LIFE = timedelta(hours=24)
"""How long nobody answers for anything with means of signing in that somebody else's link gave anew."""


def opening(action: Action) -> frozenset[Role]:
    """The roles that open `action`."""
    return frozenset(role for role, actions in _OPENS.items() if action in actions)


@dataclass(frozen=True)
class Part:
    """One service that an object belongs to, with the unit of the organisation that the service is of."""

    service_id: str
    unit: str = ""


@dataclass(frozen=True)
class Place:
    """Where an object stands: the services that it belongs to; none of them, where it is the whole organisation's."""

    parts: frozenset[Part] = frozenset()


@dataclass(frozen=True)
class Grant:
    """A role within a unit, or within one service."""

    role: Role
    unit: str = ""
    service_id: str = ""

    def covers(self, part: Part) -> bool:
        """Whether it holds for that service; a grant that names neither unit nor service covers none."""
        return bool(self.unit and self.unit == part.unit) or bool(
            self.service_id and self.service_id == part.service_id
        )

    def holds_in(self, unit: str) -> bool:
        """Whether it holds for all of that unit, what is added to it tomorrow included."""
        return bool(self.unit) and self.unit == unit


@dataclass(frozen=True)
class Actor:
    """Who does something: a person, a machine token, or the system itself."""

    kind: Kind
    id: str
    name: str
    roles: frozenset[Role] = field(default_factory=frozenset)
    """Roles in the whole organisation."""
    grants: frozenset[Grant] = frozenset()
    """Roles in a part of it."""
    only: frozenset[Action] | None = None
    """What a machine token was made for; None: all that its roles open."""
    proved_at: datetime | None = None
    """When this person last proved who they are by means that nobody else gave them; None: not in this session."""
    reset_at: datetime | None = None
    """When their means of signing in were last replaced with a link that somebody else made."""

    @property
    def ref(self) -> str:
        """How the audit log names this actor."""
        return "system" if self.kind is Kind.SYSTEM else f"{self.kind}:{self.id}"

    @property
    def person_id(self) -> str | None:
        """Id of the person, None for machines and the system."""
        return self.id if self.kind is Kind.PERSON else None


SYSTEM = Actor(Kind.SYSTEM, "system", "Wissel")
"""The clock, the sweepers and the engine."""


def may(actor: Actor, action: Action, place: Place | None = None) -> bool:
    """Whether `actor` may do `action` to what stands at `place`; None: to anything at all.

    What belongs to several services may be read with a role at one of them, and changed only with one at each. What
    belongs to none is the whole organisation's: everybody reads it, and only a role in the whole changes it.
    Separation of duties on one object is decided by that object's own rules.
    """
    if actor.kind is Kind.SYSTEM:
        return True
    if actor.kind is Kind.MACHINE and (action in PEOPLE_ONLY or (actor.only is not None and action not in actor.only)):
        return False
    if action is Action.USE_OWN_SESSION and actor.kind is Kind.PERSON:
        return True  # who has no role yet sets up how they sign in, and signs out, like anybody
    if any(action in _OPENS[role] for role in actor.roles):
        return True
    if action in _WHOLE_ONLY:
        return False
    opening = [grant for grant in actor.grants if action in _OPENS[grant.role]]
    if place is None or (not place.parts and action in _EVERYBODY):
        return bool(opening)
    reached = [any(grant.covers(part) for grant in opening) for part in place.parts]
    return any(reached) if action in _EVERYBODY else bool(reached) and all(reached)


def is_proved(actor: Actor, action: Action, *, now: datetime) -> bool:
    """Whether `actor` proved who they are shortly enough ago for `action`."""
    if actor.kind is not Kind.PERSON or action not in STEP_UP:
        return True
    return actor.proved_at is not None and now - actor.proved_at < STEP_UP_LIFE


def is_reset_lately(actor: Actor, action: Action, *, now: datetime) -> bool:
    """Whether the means of `actor` were replaced so lately, by somebody else's link, that `action` must wait."""
    return action in STEP_UP and actor.reset_at is not None and now - actor.reset_at < RESET_LIFE


def standing_at(actor: Actor, place: Place) -> Actor:
    """The actor with just the roles that they hold at `place`, for what is asked there."""

    def holds(role: Role) -> bool:
        theirs = [grant for grant in actor.grants if grant.role is role]
        return bool(place.parts) and all(any(grant.covers(part) for grant in theirs) for part in place.parts)

    here = {grant.role for grant in actor.grants if holds(grant.role)}
    return replace(actor, roles=actor.roles | here, grants=frozenset())


@dataclass(frozen=True)
class Sight:
    """What an actor may read where that is not everything: these units and these services."""

    units: frozenset[str]
    services: frozenset[str]


def sight(actor: Actor, action: Action = Action.READ) -> Sight | None:
    """What `actor` may read, or of what they may do another reading `action`; None: everything."""
    if actor.kind is Kind.SYSTEM or any(action in _OPENS[role] for role in actor.roles):
        return None
    reading = [grant for grant in actor.grants if action in _OPENS[grant.role]]
    return Sight(
        frozenset(each.unit for each in reading if each.unit),
        frozenset(each.service_id for each in reading if each.service_id),
    )
