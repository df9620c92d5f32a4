"""What goes in and out of the API for the real thing: an activation, and turning a drill into one."""

from typing import Annotated, Any

from pydantic import Field

from app.core.shapes import Line, Moment, Name, Shape
from app.drills.rules import Participant
from app.drills.shapes import InputValue, Key
from runners.contract import Side

Reason = Annotated[Name, Field(max_length=200)]


class LostIn(Shape):
    """What is lost: sides of the pair, or the sites or suppliers from which those sides follow."""

    sides: Annotated[list[Side], Field(max_length=2)] = []
    sites: Annotated[list[Key], Field(max_length=20)] = []
    """Names or references of sites."""
    suppliers: Annotated[list[Key], Field(max_length=20)] = []
    """References of suppliers: every side that they run, or whose site they hold, is lost."""


class ActivationBase(Shape):
    """What is told of the real thing, however it begins."""

    playbook: Key | None = None
    """Name (then the newest published version) or id; left out: the only one that proves an unplanned fail-over."""
    drill: Key | None = None
    """A live drill that was prepared for this, of which the approvals given beforehand count."""
    pair: Key | None = None
    """The environment pair; left out: the only one of the service."""
    inputs: Annotated[dict[Annotated[str, Field(max_length=40)], InputValue], Field(max_length=50)] = {}
    """Values of further inputs of the playbook."""
    lost: LostIn = LostIn()
    outage_at: Moment | None = None
    """When the service went away, where that is known; it counts from the alarm else."""
    scenario: Annotated[Line, Field(max_length=40)] = ""
    participants: Annotated[list[Participant], Field(max_length=100)] = []
    """Who plays which role; left out: as in the last drill of this plan. With a prepared drill: beside its own."""


class ActivationIn(ActivationBase):
    """The real thing: a plan is put to work."""

    plan: Key
    alarm_at: Moment
    """When it was noticed: the time to decide counts from here."""
    reason: Reason
    break_glass: bool = False
    """Begin before two others approved it: every approver is told, and one of them reviews it within 72 hours."""


class ThenActivateIn(ActivationBase):
    """What follows at once when a drill turns out to be real; the plan is the drill's."""

    alarm_at: Moment | None = None
    """Left out: now."""
    break_glass: bool = True
    """A drill that turns out to be real waits for nobody, unless this is false."""


class RealityIn(Shape):
    """This is real: the drill stops; with `thenActivate` the same plan is put to work in the same moment."""

    reason: Line = ""
    then_activate: ThenActivateIn | None = None


class ActivationReviewIn(Shape):
    """What another person thinks of an activation that began before it was approved."""

    agreed: bool
    reason: Name


class ActivationOut(Shape):
    """What is known of an activation."""

    alarm_at: Moment
    outage_at: Moment | None
    reason: str
    scenario: str
    lost: dict[str, list[str]]
    declared_by: str
    break_glass: bool
    alerted: list[str]
    """Names of the approvers who were told."""
    reviewed_by: str | None
    involved: list[str]
    """Who began it or decides in it: none of them reviews it."""
    from_run: str | None
    """The drill that turned out to be real."""
    carried: list[dict[str, Any]]
    """What stopped drills may have left in the world: look at this first."""


class AdditionOut(Shape):
    """A figure that became known after the proof was written."""

    kind: str
    at: Moment
    by_run: str
    step: str
    figures: dict[str, Any]
    reason: dict[str, str]
    evidence: list[str]
