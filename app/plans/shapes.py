"""What goes in and comes out about plans, their versions and claims; no status, state or approver goes in."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.catalog.rules import Criticality, ScenarioFamily
from app.catalog.shapes import Amount, Key, Reference
from app.core.listing import ListQuery
from app.core.shapes import Day, Duration, Line, Moment, Name, NextAction, Patch, Prose, Shape
from app.plans.content import PlanContent
from app.plans.facts import (
    ExitMode,
    PlanKind,
    Status,
    VersionState,
    WeakeningKind,
)
from app.playbooks.rules import ClaimKind

ClaimKey = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,99}$")]
Level = Annotated[int, Field(ge=1, le=5, strict=True)]
Days = Annotated[int, Field(ge=1, le=36_600, strict=True)]
Families = Annotated[list[ScenarioFamily], Field(max_length=20)]
Ids = Annotated[list[Key], Field(max_length=500)]


class ClaimIn(Shape):
    """A claim of a draft; what is left out gets the default of its kind."""

    key: ClaimKey | None = None
    """Stable over versions; the kind where left out."""
    kind: ClaimKind
    says: Prose = ""
    families: Families | None = None
    min_level: Level | None = None
    valid_days: Days | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    min_hold: Duration | None = None
    mbco: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] = ""
    without_supplier: bool | None = None
    objects: Ids = []
    """Ids or references of the objects that it rests on."""
    measures: Ids = []
    """Ids or references of the contract measures that it rests on."""


class ClaimPatch(Patch):
    """What may change of a claim in a draft; its key and kind stay."""

    says: Prose | None = None
    families: Families | None = None
    min_level: Level | None = None
    valid_days: Days | None = None
    rto: Duration | None = None
    rpo: Duration | None = None
    min_hold: Duration | None = None
    mbco: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] | None = None
    without_supplier: bool | None = None
    objects: Ids | None = None
    measures: Ids | None = None


class ClaimOut(Shape):
    """A claim as a version makes it."""

    key: str
    kind: ClaimKind
    says: str
    families: list[ScenarioFamily]
    min_level: int
    valid_days: int
    rto: Duration | None
    rpo: Duration | None
    min_hold: Duration | None
    mbco: float | None
    mbco_unit: str
    without_supplier: bool
    object_ids: list[str]
    measure_ids: list[str]


class PlanIn(Shape):
    """A new plan with its first draft, version 1.0."""

    name: Name
    kind: PlanKind
    mode: ExitMode | None = None
    """Asked of an exit plan, refused of a fallback plan."""
    service: Key
    contract: Key | None = None
    owner: Key | None = None
    """Person, by id, reference or e-mail; who makes the plan where left out."""
    content: PlanContent = PlanContent()
    mvo: Key | None = None
    claims: Annotated[list[ClaimIn], Field(max_length=100)] = []
    with_default_claims: bool = False
    """Also make the default claims of this kind of plan (see ``/plan-templates``)."""
    first_due_at: Moment | None = None
    next_review_on: Day | None = None


class PlanPatch(Patch):
    """What may change of a plan outside its versions."""

    name: Name | None = None
    owner: Key | None = None
    contract: Key | None = None


class VersionIn(Shape):
    """A new draft, made from the approved version."""

    major: bool = False
    """A major version makes earlier proof stale; a minor one does not."""


class VersionPatch(Patch):
    """What may change of a draft."""

    content: PlanContent | None = None
    mvo: Key | None = None
    first_due_at: Moment | None = None
    next_review_on: Day | None = None


class SubmissionIn(Shape):
    """Offers a draft for approval."""

    weakening_reason: Prose = ""
    """Why the plan asks less than before; required where it does."""


class RetirementIn(Shape):
    """Asks to end a plan, which is a weakening."""

    reason: Prose


class WeakerOut(Shape):
    """In what way a draft asks less than before or than the default."""

    kind: WeakeningKind
    claim_key: str | None
    before: str
    after: str


class VersionOut(Shape):
    """A version of a plan with its claims."""

    id: str
    plan_id: str
    version: str
    major: int
    minor: int
    state: VersionState
    content: PlanContent
    mvo_version_id: str | None
    criticality: Criticality
    author: str
    editors: list[str]
    weakening_reason: str
    weaker: list[WeakerOut]
    first_due_at: Moment | None
    next_review_on: date | None
    submitted_at: Moment | None
    approver_id: str | None
    approved_at: Moment | None
    retired_at: Moment | None
    created_at: Moment
    revision: int
    claims: list[ClaimOut]
    next_actions: list[NextAction]


class PlanOut(Shape):
    """A plan in short, with the status as last computed."""

    id: str
    ref: str
    name: str
    kind: PlanKind
    mode: ExitMode | None
    service: Reference
    service_id: str
    contract_id: str | None
    owner_id: str | None
    status: Status
    proven_until: Moment | None
    overdue_since: Moment | None
    version: str | None
    """Number of the approved version."""
    draft: str | None
    """Number of the draft or of the version in review beside it."""
    created_at: Moment
    archived_at: Moment | None
    revision: int


class PlanQuery(ListQuery):
    """Filters of the list of plans."""

    kind: PlanKind | None = None
    mode: ExitMode | None = None
    status: Status | None = None
    service: Annotated[str, Field(max_length=64)] | None = None
    archived: bool = False


class TemplateClaimOut(Shape):
    """A claim as offered for a new draft."""

    key: str
    kind: ClaimKind
    says: str
    families: list[ScenarioFamily]
    min_level: int
    valid_days: int
    without_supplier: bool


class TemplateOut(Shape):
    """What a new draft of this kind of plan is offered."""

    kind: PlanKind
    mode: ExitMode | None
    claims: list[TemplateClaimOut]
