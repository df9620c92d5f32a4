"""What goes in and out over the API about playbooks, their versions, checks and runners."""

from typing import Annotated, Any

from pydantic import Field

from app.core.listing import ListQuery
from app.core.shapes import Line, Moment, Prose, Shape
from app.playbooks.models import PlaybookVersion, Verdict, VersionState
from app.playbooks.rules import Mode
from runners.contract import Effect, Fencing, Repeat, Runner


class PlaybookIn(Shape):
    """The text of a playbook: YAML 1.2, at most 256 KiB."""

    text: Annotated[str, Field(min_length=1, max_length=300_000)]


class PlaybookQuery(ListQuery):
    """Filters of the list of playbooks."""

    name: Annotated[Line, Field(max_length=80)] | None = None
    state: VersionState | None = None


class ReviewIn(Shape):
    """The word of a reviewer, who is not the author."""

    verdict: Verdict
    note: Prose = ""


class PlaybookOut(Shape):
    """One version of a playbook."""

    id: str
    name: str
    version: int
    sha256: str
    title: dict[str, str]
    modes: list[Mode]
    state: VersionState
    author_id: str | None
    reviewer_id: str | None
    reviewed_at: Moment | None
    review_note: str
    created_at: Moment


class PlaybookTextOut(PlaybookOut):
    """A version with its text and the checked content."""

    text: str
    content: dict[str, Any]


class RefusalOut(Shape):
    """One thing wrong with a playbook."""

    file: str
    line: int
    step: str | None
    field: str
    code: str
    reason: str


class CheckOut(Shape):
    """What checking a playbook found; valid when there is no refusal."""

    valid: bool
    name: str | None
    refusals: list[RefusalOut]


class FactOut(Shape):
    """A safety fact that a runner provides or requires."""

    kind: str
    pair: str
    node: str
    opposite: bool


class RunnerOut(Shape):
    """A runner of the catalogue: what it may do, and its parameters as JSON Schema."""

    name: str
    family: str
    effect: Effect
    repeat: Repeat
    fencing: Fencing | None
    """What refuses an old fencing token; null for a runner that changes nothing."""
    probe: bool
    provides: list[FactOut]
    requires: list[FactOut]
    description: str
    parameters: dict[str, Any]


class RunnersOut(Shape):
    """All installed runners."""

    items: list[RunnerOut]
    total: int


def playbook_out(row: PlaybookVersion) -> PlaybookTextOut:
    """The version as shown on its own."""
    return PlaybookTextOut.model_validate(row)


def runner_out(runner: Runner) -> RunnerOut:
    """The runner as shown in the catalogue; its page is the docstring of its parameters."""
    return RunnerOut(
        name=runner.name,
        family=runner.name.partition(".")[0],
        effect=runner.effect,
        repeat=runner.repeat,
        fencing=runner.fencing if runner.effect is Effect.CHANGES else None,
        probe=runner.probe,
        provides=[FactOut.model_validate(fact) for fact in runner.provides],
        requires=[FactOut.model_validate(fact) for fact in runner.requires],
        description=(runner.Params.__doc__ or type(runner).__doc__ or "").strip(),
        parameters=runner.Params.model_json_schema(),
    )
