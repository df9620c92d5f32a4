"""What a version of a plan and of a minimum viable organisation says, as it is sent, stored and shown."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.catalog.shapes import Amount, Cents, Currency, Key, Party
from app.core.shapes import Day, Duration, Line, Name, Prose, Shape
from app.plans.completeness import Work, unreachable
from app.plans.defaults import SwapPolicy

Names = Annotated[list[Name], Field(max_length=200)]
Unit = Annotated[Name, Field(max_length=100)]
StepId = Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,59}$")]


class Decider(Shape):
    """Who may decide, by role, and up to how much money."""

    role: Name
    name: Party = ""
    up_to_cents: Cents | None = None
    currency: Currency = "EUR"


class Contact(Shape):
    """Who plays a role in the plan, and who stands in for them."""

    role: Name
    name: Name
    reach: Line = ""
    """Telephone or mail, also when our own systems are down."""
    deputy: Party = ""
    deputy_reach: Line = ""
    checked_on: Day | None = None


class Assumption(Shape):
    """What the plan takes for granted."""

    text: Name
    owner: Party = ""
    checked_on: Day | None = None


class PlanStep(Shape):
    """A step of the plan on paper: how long it takes and what it waits for."""

    id: StepId
    title: Name
    estimate: Duration | None = None
    needs: Annotated[list[StepId], Field(max_length=100)] = []
    needs_supplier: bool = False
    """It cannot be done without the supplier; inside a stressed exit plan that is a finding."""
    role: Party = ""


class Quantity(Shape):
    """How much of a resource."""

    resource: Name
    number: Amount
    unit: Unit
    measured_on: Day | None = None
    """When it was measured; empty: only said."""


class Swap(Shape):
    """What a fallback plan says about changing sides."""

    policy: SwapPolicy = SwapPolicy.NONE
    hold_period: Duration | None = None
    capacity: Annotated[list[Quantity], Field(max_length=100)] = []
    reconciliation_checks: Names = []
    stop_criteria: Names = []
    accepts_for_business: Party = ""


class PlanContent(Shape):
    """The text of a plan."""

    triggers: Names = []
    activation_criteria: Names = []
    deactivation_criteria: Names = []
    deciders: Annotated[list[Decider], Field(max_length=50)] = []
    time_available: Duration | None = None
    """How long we assume to have."""
    target: Prose = ""
    """Where the service goes."""
    assumptions: Annotated[list[Assumption], Field(max_length=200)] = []
    success_conditions: Names = []
    communication: Prose = ""
    contacts: Annotated[list[Contact], Field(max_length=200)] = []
    mvo_functions: Names = []
    """The part of the minimum viable organisation that this plan uses, by names of functions; empty: all of it."""
    playbooks: Annotated[list[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,79}$")]], Field(max_length=50)] = []
    steps: Annotated[list[PlanStep], Field(max_length=500)] = []
    swap: Swap = Swap()

    def work(self) -> list[Work]:
        """The steps as the critical path takes them."""
        return [Work(step.id, step.estimate, tuple(step.needs), step.needs_supplier) for step in self.steps]

    @model_validator(mode="after")
    def _steps_can_be_done(self) -> Self:
        ids = [step.id for step in self.steps]
        if len(set(ids)) != len(ids):
            raise ValueError("two steps have one id")
        if stuck := unreachable(self.work()):
            raise ValueError(f"these steps wait in a ring or for a step that does not exist: {', '.join(stuck)}")
        return self


class FunctionPeople(Shape):
    """How many people of a kind a function needs."""

    role: Name
    count: Annotated[int, Field(ge=0, le=1_000_000)]
    skill: Party = ""
    hired: bool = False


class FunctionData(Shape):
    """Data that a function needs, and how old it may be."""

    name: Name
    oldest_acceptable: Duration | None = None


class VitalFunction(Shape):
    """A function that must go on, in its place in the ranking."""

    name: Name
    obligation: Line = ""
    mbco: Amount | None = None
    mbco_unit: Annotated[Line, Field(max_length=100)] = ""
    mtpd: Duration | None = None
    tier: Annotated[int, Field(ge=0, le=3)]
    """0 is identity, DNS, network, keys and communication, without which nothing else starts."""
    manual_workaround: Line = ""
    manual_longest: Duration | None = None
    manual_people: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    falls_back_together: bool = True
    """It moves at the same time as the others, so that their needs add up."""
    facilities: Annotated[list[Quantity], Field(max_length=100)] = []
    services: Annotated[list[Key], Field(max_length=200)] = []
    people: Annotated[list[FunctionPeople], Field(max_length=100)] = []
    suppliers: Annotated[list[Key], Field(max_length=200)] = []
    data: Annotated[list[FunctionData], Field(max_length=100)] = []
    objects: Annotated[list[Key], Field(max_length=500)] = []


class LeftOut(Shape):
    """What does not belong to the minimum, why, and who accepts that."""

    name: Name
    reason: Name
    accepted_by: Name


class MvoContent(Shape):
    """The minimum viable organisation: its functions from rank 1 on."""

    horizon_days: Annotated[int, Field(ge=1, le=3660)] = 90
    obligations: Names = []
    functions: Annotated[list[VitalFunction], Field(max_length=500)] = []
    people_available: Annotated[list[FunctionPeople], Field(max_length=200)] = []
    not_in_mvo: Annotated[list[LeftOut], Field(max_length=500)] = []

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [function.name.casefold() for function in self.functions]
        if len(set(names)) != len(names):
            raise ValueError("two functions have one name")
        return self


def checked_days(rows: list[Contact] | list[Assumption]) -> dict[str, date | None]:
    """Per contact or assumption the day on which it was last checked."""
    return {(row.role + ": " + row.name if isinstance(row, Contact) else row.text): row.checked_on for row in rows}
