"""Who may do what: roles, the actions they open, and the one pure function that decides."""

from dataclasses import dataclass, field
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
_PEOPLE_ONLY = frozenset(
    {Action.REVIEW_PLAN, Action.APPROVE_PLAN, Action.REVIEW_PLAYBOOK, Action.APPROVE_RUN, Action.ACCEPT_RISK}
)
"""A token can never review, approve or accept: these need a person who can answer for it."""


@dataclass(frozen=True)
class Actor:
    """Who does something: a person, a machine token, or the system itself."""

    kind: Kind
    id: str
    name: str
    roles: frozenset[Role] = field(default_factory=frozenset)

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


def may(actor: Actor, action: Action) -> bool:
    """Whether `actor` may do `action`. Separation of duties on one object is decided by that object's own rules."""
    if actor.kind is Kind.SYSTEM:
        return True
    if actor.kind is Kind.MACHINE and action in _PEOPLE_ONLY:
        return False
    return any(action in _OPENS[role] for role in actor.roles)
