"""What goes in and comes out about minimum viable organisations."""

from datetime import date
from typing import Annotated

from pydantic import Field

from app.catalog.shapes import Key
from app.core.listing import ListQuery
from app.core.shapes import Day, Line, Moment, Name, Patch, Shape
from app.plans.content import MvoContent
from app.plans.facts import VersionState
from app.plans.fit import Fit


class MvoIn(Shape):
    """A new minimum viable organisation with its first draft."""

    name: Name
    unit: Annotated[Line, Field(max_length=200)] = ""
    """The unit it is about; empty: the whole organisation."""
    plan: Key | None = None
    """The plan whose own it is."""
    content: MvoContent = MvoContent()


class MvoPatch(Patch):
    """What may change; its content only while its newest version is a draft."""

    name: Name | None = None
    unit: Annotated[Line, Field(max_length=200)] | None = None
    content: MvoContent | None = None


class MvoApprovalIn(Shape):
    """Approves the draft; whoever sends it is not its author."""

    board_approved_on: Day
    """Day on which the board decided."""


class MvoVersionOut(Shape):
    """A version of a minimum viable organisation."""

    id: str
    number: int
    state: VersionState
    content: MvoContent
    author: str
    approver_id: str | None
    approved_at: Moment | None
    board_approved_on: date | None
    created_at: Moment


class MvoOut(Shape):
    """A minimum viable organisation with its newest version."""

    id: str
    ref: str
    name: str
    unit: str
    plan_id: str | None
    created_at: Moment
    archived_at: Moment | None
    revision: int
    newest: MvoVersionOut
    approved: MvoVersionOut | None


class MvoQuery(ListQuery):
    """Filters of the list."""

    archived: bool = False


class FitLineOut(Shape):
    """One resource."""

    resource: str
    unit: str
    needed: float
    available: float | None
    verdict: Fit


class FitOut(Shape):
    """Whether the functions that fall back together fit."""

    site: str
    verdict: Fit
    facilities: list[FitLineOut]
    people: list[FitLineOut]
