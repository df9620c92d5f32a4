"""What a playbook is: the closed words, the frozen model of a playbook and its steps, and walks over `needs`."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from app.core.shapes import Duration
from runners.contract import Text


class Mode(StrEnum):
    """How a playbook is carried out; fixed when the drill is made."""

    TABLETOP = "tabletop"
    REHEARSAL = "rehearsal"
    LIVE = "live"


class ClaimKind(StrEnum):
    """What a plan can claim and a run can prove."""

    DECIDE_AND_ALERT = "decide-and-alert"
    RESTORE = "restore"
    ACCESS_WITHOUT_SUPPLIER = "access-without-supplier"
    SWITCHOVER = "switchover"
    FAILOVER = "failover"
    HOLD = "hold"
    WAY_BACK = "way-back"
    COMMUNICATION = "communication"
    DATA_OUT = "data-out"
    ESCROW_BUILD = "escrow-build"
    AUTHORISATIONS = "authorisations"
    USAGE_RIGHTS = "usage-rights"
    OTHER_ENVIRONMENT = "other-environment"
    ACTIVATION = "activation"


class InputType(StrEnum):
    """The closed set of what a playbook can be given."""

    ENVIRONMENT_PAIR = "environment-pair"
    SIDE = "side"
    BACKUP = "backup"
    DEPOSIT = "deposit"
    URL = "url"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DURATION = "duration"
    MOMENT = "moment"


class StepKind(StrEnum):
    """What a step is: the key that says what it does."""

    USES = "uses"
    ASK = "ask"
    DECIDE = "decide"
    WAIT = "wait"
    PLAY = "play"
    INJECT = "inject"


_KIND_KEYS = tuple((kind.value, kind) for kind in StepKind)
"""Looked up for every step at every move of a run, where asking an enumeration would take most of the time."""


class OnFailure(StrEnum):
    """What the run does when a step fails; `ask` pauses it for a person."""

    ASK = "ask"
    STOP = "stop"
    UNDO = "undo"
    CONTINUE = "continue"


class OnBreach(StrEnum):
    """What a breached guard does; after the point of no return every one of them only pauses."""

    PAUSE = "pause"
    UNDO = "undo"
    STOP = "stop"


class Choice(StrEnum):
    """What choosing an option of a decision does to the run."""

    CONTINUE = "continue"
    UNDO = "undo"
    STOP = "stop"
    GOTO = "goto"


class EvidenceRule(StrEnum):
    """Whether the person who answers must add a file."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class Signature(StrEnum):
    """What a named person can vouch for in the place of a probe."""

    MANUALLY_FENCED = "manually-fenced"


class Lost(StrEnum):
    """What becomes of a step in an activation in which a side that it needs is lost."""

    SKIP = "skip"
    """It is passed over with the reason; what it would have done is owed when the side returns."""
    ONLY = "only"
    """It exists in such an activation alone; a drill leaves it out."""


class Effect(NamedTuple):
    """What an option does: the choice, and for `goto` the step."""

    choice: Choice
    step: str | None = None


STEP_ID = r"^[a-z][a-z0-9_-]{0,39}$"
PLAYBOOK_NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
OPTION = r"^(continue|undo|stop|goto [a-z][a-z0-9_-]{0,39})$"
WORD = r"^[a-z][a-z0-9_-]{0,59}$"
REFERENCE = r"^\$\{[^{}]+\}$"

StepId = Annotated[str, Field(pattern=STEP_ID)]
RoleName = Annotated[str, Field(pattern=WORD)]
Reference = Annotated[str, Field(pattern=REFERENCE)]
"""``${input}``, ``${input.field}`` or ``${steps.ID.measurements.NAME}``: always a whole value."""
Positive = Annotated[Duration, Field(gt=0)]
YesOrNo = Annotated[bool, Field(strict=True)]
"""``true`` or ``false``; in YAML 1.2 ``yes`` and ``no`` are texts."""


class Frozen(BaseModel):
    """Base of the playbook's parts: immutable, unknown keys refused, read and written by the keys of the YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class Input(Frozen):
    """One value that is filled from the service's data or when the drill is planned."""

    type: InputType
    title: Text | None = None
    default: str | int | float | bool | None = None


class Goals(Frozen):
    """What the cockpit counts against by default; the claim's own goals decide the proof."""

    rto: Duration | None = None
    rpo: Duration | None = None
    hold: Duration | None = None


class UndoCall(Frozen):
    """The runner that takes a step's effect back."""

    uses: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    timeout: Positive


class Retries(Frozen):
    """How often an attempt is repeated, and after how long."""

    times: Annotated[int, Field(ge=1, le=100, strict=True)]
    wait: Duration = 0


class SignedFact(Frozen):
    """The safety fact that the answer of a named person stands for."""

    fact: Signature
    pair: Reference
    node: str
    """``primary``, ``fallback`` or a reference to an input of type side."""


def _wait(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"until": value} if re.match(r"^\d{4}-", value) else {"for": value}


class Waiting(Frozen):
    """How long a `wait` step waits: a duration (``PT72H``) or until a moment (ISO 8601 with an offset)."""

    for_: Duration | Reference | None = Field(default=None, alias="for")
    until: AwareDatetime | Reference | None = None


class Step(Frozen):
    """One step: exactly one of uses, ask, decide, wait, play, inject says what it does."""

    id: StepId
    title: Text | None = None
    phase: Annotated[str, Field(pattern=WORD)] | None = None
    modes: tuple[Mode, ...] | None = None
    """The modes that have this step; None: all of the playbook's."""
    needs: tuple[StepId, ...] = ()

    uses: str | None = None
    ask: Text | None = None
    decide: Text | None = None
    wait: Annotated[Waiting, BeforeValidator(_wait)] | None = None
    play: Annotated[str, Field(pattern=PLAYBOOK_NAME)] | None = None
    inject: Text | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """Parameters of the runner, or the inputs of the playbook that is played."""
    at: str | None = None
    """``primary``, ``fallback``, ``orchestrator`` or a reference to a side; None: the site of the node it names."""

    timeout: Positive | None = None
    """Seconds in all per attempt."""
    estimate: Duration | None = None
    retries: Retries | None = None
    on_failure: OnFailure = OnFailure.ASK
    undo: UndoCall | None = None
    irreversible: YesOrNo = False
    point_of_no_return: YesOrNo = False
    starts_outage: YesOrNo = False
    ends_outage: YesOrNo = False
    manual: Text | None = None
    """How to do it by hand: for the printed kit and for a run by hand."""

    lost: Lost | None = None
    """What becomes of it when a side that it needs is lost; None: it is carried out all the same."""
    debt: Text | None = None
    """What must be caught up when the lost side returns; beside ``lost: skip``."""

    role: RoleName | None = None
    """Who answers; None: anybody who may answer steps."""
    evidence: EvidenceRule = EvidenceRule.OPTIONAL
    signs: SignedFact | None = None
    options: dict[Annotated[str, Field(pattern=WORD)], Annotated[str, Field(pattern=OPTION)]] = {}
    quorum: Annotated[int, Field(ge=1, le=20, strict=True)] = 1
    veto: str | None = None
    """The option that a single vote decides, whatever the quorum."""
    on_timeout: str | None = None
    """The option that is taken when nobody decided in time."""
    unattended: str | None = None
    """What an unattended run does: an option of a decision, or ``skip`` for an ask."""
    after: Duration | None = None
    """When the exercise clock releases an inject, counted from the start of the exercise."""

    @property
    def kind(self) -> StepKind:
        """What this step is; of two given kinds (which the loader refuses) the first."""
        return next(self._kinds())

    def kinds(self) -> tuple[StepKind, ...]:
        """All kinds whose key was given; a step that the loader accepted has exactly one."""
        return tuple(self._kinds())

    def _kinds(self) -> Iterator[StepKind]:
        return (kind for key, kind in _KIND_KEYS if getattr(self, key) is not None)

    def effect(self, option: str) -> Effect:
        """What choosing `option` does; raises KeyError for an option that the step does not have."""
        word, _, target = self.options[option].partition(" ")
        return Effect(Choice(word), target or None)

    @property
    def irrevocable(self) -> bool:
        """Whether nothing takes this step back: declared so, or the point of no return without an undo."""
        return self.irreversible or (self.point_of_no_return and self.undo is None)


class Guard(Frozen):
    """A check that is looked at all the while between two steps."""

    id: StepId
    uses: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    every: Positive
    from_: StepId = Field(alias="from")
    """Looked at from the moment this step is done …"""
    until: StepId
    """… until this one is done."""
    tolerate: Duration = 0
    """How long a breach or *could not look* may last before the guard acts, seconds."""
    on_breach: OnBreach = OnBreach.PAUSE
    modes: tuple[Mode, ...] | None = None
    timeout: Positive | None = None
    """Per look; default: `every`."""


class Playbook(Frozen):
    """A checked playbook: what is copied into each run of it."""

    name: Annotated[str, Field(pattern=PLAYBOOK_NAME, max_length=80)] = Field(alias="playbook")
    title: Text
    summary: Text | None = None
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)]
    inputs: dict[Annotated[str, Field(pattern=STEP_ID)], Input] = {}
    goals: Goals = Goals()
    locks: tuple[str, ...] = ()
    """Names of inputs of type environment-pair."""
    proves: dict[ClaimKind, Annotated[tuple[StepId, ...], Field(min_length=1)]] = {}
    guards: tuple[Guard, ...] = ()
    injects: tuple[Step, ...] = ()
    """Steps of kind inject, released by the exercise clock."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]

    @property
    def moves_service(self) -> bool:
        """Whether it moves a service to the other side; what only lets a side follow again does not."""
        return any(step.starts_outage or step.ends_outage or step.point_of_no_return for step in self.steps)

    def step(self, step_id: str) -> Step:
        """The step with this id. Raises KeyError where there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    def ancestors(self, step_id: str) -> frozenset[str]:
        """All steps that come before this one by `needs`."""
        needs = {step.id: step.needs for step in self.steps}
        return reached(step_id, needs)

    def descendants(self, step_id: str) -> frozenset[str]:
        """All steps that come after this one by `needs`."""
        followers: dict[str, tuple[str, ...]] = {}
        for step in self.steps:
            for need in step.needs:
                followers[need] = (*followers.get(need, ()), step.id)
        return reached(step_id, followers)

    def for_mode(self, mode: Mode, *, lost: bool = False) -> Self:
        """The playbook as this mode runs it: a step that is left out is replaced by its own needs.

        `lost`: for an activation in which a side is lost; else what is for that alone is left out, save in a tabletop.
        """
        kept = lost or mode is Mode.TABLETOP
        left_out = {
            step.id: step.needs
            for step in self.steps
            if not in_mode(step, mode) or (step.lost is Lost.ONLY and not kept)
        }
        steps = tuple(
            step.model_copy(update={"needs": tuple(_kept(step.needs, left_out))})
            for step in self.steps
            if step.id not in left_out
        )
        guards = tuple(guard for guard in self.guards if guard.modes is None or mode in guard.modes)
        return self.model_copy(update={"steps": steps, "guards": guards})


def opposed(inputs: Mapping[str, Input]) -> tuple[str, str] | None:
    """The two inputs of type side that must be opposite: `from` and `to`, or the only two that there are."""
    sides = [name for name, each in inputs.items() if each.type is InputType.SIDE]
    if {"from", "to"} <= set(sides):
        return ("from", "to")
    return (sides[0], sides[1]) if len(sides) == 2 else None


def in_mode(step: Step, mode: Mode) -> bool:
    """Whether a mode has this step; injects exist in a tabletop only."""
    if step.inject is not None and mode is not Mode.TABLETOP:
        return False
    return step.modes is None or mode in step.modes


def reached(start: str, edges: dict[str, tuple[str, ...]]) -> frozenset[str]:
    """Everything that can be reached from `start` along `edges`, itself only if it lies on a cycle."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting.extend(edges.get(each, ()))
    return frozenset(seen)


def _kept(needs: tuple[str, ...], left_out: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The needs that stay, those of left-out steps in their place; each looked at once, so a circle ends too."""
    seen: set[str] = set()
    waiting = list(reversed(needs))
    while waiting:
        need = waiting.pop()
        if need in seen:
            continue
        seen.add(need)
        if need in left_out:
            waiting.extend(reversed(left_out[need]))
        else:
            yield need


def waits_until(step: Step, since: datetime) -> datetime | None:
    """When a `wait` step with literal values is over; None where its value is a reference or it is no wait."""
    if step.wait is None:
        return None
    if isinstance(step.wait.until, datetime):
        return step.wait.until
    return since + timedelta(seconds=step.wait.for_) if isinstance(step.wait.for_, int) else None
