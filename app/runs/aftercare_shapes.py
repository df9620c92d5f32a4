"""What goes in and out of the API for what follows a run: obligations, debts, reviews and stays."""

from typing import Annotated

from pydantic import Field

from app.catalog.rules import SideRole
from app.core.listing import ListQuery
from app.core.shapes import Moment, Name, Shape
from app.runs.loss import ObligationKind
from app.runs.shapes import Sha256


class ObligationQuery(ListQuery):
    """Which obligations to list."""

    open: bool | None = None
    """Only those that are still to be met, or only those that were."""
    kind: ObligationKind | None = None
    pair: Annotated[str, Field(max_length=64)] | None = None
    """Id or reference of an environment pair."""
    run: Annotated[str, Field(max_length=64)] | None = None


class CompletionIn(Shape):
    """How an obligation was met."""

    reason: Name
    """What was done, or why it is let be."""
    forced: bool = False
    """Let it be: nothing was cleaned up, and the run never passes."""
    evidence: Annotated[list[Sha256], Field(max_length=50)] = []
    """Hashes of files that were uploaded to steps of the run; a debt asks for one, unless it is forced."""


class StayLookIn(Shape):
    """What a person saw of a service during its stay on a side."""

    works: bool
    level: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Level that was measured or counted, in the unit of the service's MBCO."""


class HomeLookIn(Shape):
    """Which side a person saw serve after a restore, and how they looked."""

    side: SideRole
    reason: Name


class HomeLookOut(Shape):
    """The home side of a pair as it is held for true now."""

    side: SideRole
    since: Moment
    unseen_since: Moment | None


class ObligationOut(Shape):
    """Something that must still be cleaned up, or was."""

    id: str
    run_id: str
    kind: ObligationKind
    what: str
    text: dict[str, str]
    """The same in both languages, where the playbook says it."""
    step_id: str | None
    pair_id: str | None
    side: str | None
    """The side to which it is owed."""
    runner: str | None
    """A later step of this runner on that side settles it."""
    bars: bool
    """Whether that side may not take part again before it is settled."""
    settled_by: str | None
    """The run that settled it."""
    evidence: list[str]
    due_at: Moment
    done_at: Moment | None
    done_by: str | None
    forced: bool
    reason: str


class StayOut(Shape):
    """Production's stay on a side."""

    id: str
    pair_id: str
    side: str
    run_id: str
    since: Moment
    ended_at: Moment | None
    looks: int
    misses: int
    looked_at: Moment | None
    longest_gap_ms: int
    least_level: float | None
