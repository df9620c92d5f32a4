"""The shapes that pass between the run's rows and the engine: a ready step, a unit of work, its owner."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.runs.rules import Do
from runners.contract import Text


@dataclass(frozen=True)
class ReadyStep:
    """A step attempt that waits to be carried out at its site."""

    step_run_id: str
    run_id: str
    site: str
    attempt: int

    @property
    def workflow_id(self) -> str:
        """Deterministic id of this attempt for the engine: ``run:step:attempt``."""
        return f"{self.run_id}:{self.step_run_id}:{self.attempt}"


@dataclass(frozen=True)
class Owner:
    """The process that carries out a step: told apart from a former life of itself by the boot id."""

    boot_id: str
    executor_id: str


@dataclass(frozen=True)
class Work:
    """All that a runner host needs for one step attempt; nothing in it names a row that may change meanwhile."""

    step_run_id: str
    run_id: str
    attempt: int
    runner: str
    call: Do
    params: dict[str, Any]
    effect_key: str
    """``run:step:generation``; an undo ends in ``:undo``."""
    fencing_token: int
    deadline: datetime
    site: str
    observe_runner: str
    """Runner whose `observe` is called where `call` is observe-first."""
    observe_params: dict[str, Any] = field(default_factory=dict)
    soon: tuple[str, ...] = ()
    """Drivers that the run still needs, for its host to load before they are called."""

    @property
    def key(self) -> str:
        """Name of this attempt: another attempt at the same step is another body, in another host."""
        return f"{self.step_run_id}:{self.attempt}"


@dataclass(frozen=True)
class AfterLook:
    """What follows from an observation: the work that is still to be done, or the steps that became ready."""

    work: Work | None = None
    ready: tuple[ReadyStep, ...] = ()


@dataclass(frozen=True)
class StoredFile:
    """An evidence file that is already durable in the store."""

    sha256: str
    size: int
    media_type: str = "text/plain"
    title: str = ""


@dataclass(frozen=True)
class GuardLook:
    """One look of a guard that is due at a site."""

    run_id: str
    guard_id: str
    runner: str
    params: dict[str, Any]
    site: str
    timeout: float


COULD_NOT_LOOK = Text(nl="Er kon niet worden gekeken.", en="It was not possible to look.")
