"""What a worker and its runner host say to each other: one JSON object a line, over the host's stdin and stdout."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from runners.contract import Frozen, Observation, Outcome, Preview, SitePolicy, Text

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes; a longer request or reply ends the conversation."""


class Call(StrEnum):
    """What is asked of a runner."""

    RUN = "run"
    OBSERVE = "observe"
    UNDO = "undo"
    PREVIEW = "preview"
    WARM = "warm"
    """Nothing but loading the drivers under `soon`; nobody waits for the reply."""


class ErrorKind(StrEnum):
    """Why a call gave no answer of the kind that was asked for."""

    REQUEST_INVALID = "request invalid"
    TERM_OVER = "term over"
    RUNNER_UNKNOWN = "runner unknown"
    PARAMS_INVALID = "params invalid"
    RUNNER_RAISED = "runner raised"
    NONSENSE = "nonsense"


class HostRequest(Frozen):
    """One call of one runner; `id` comes back in everything that is said about it."""

    id: str
    call: Call
    runner: str
    params: Mapping[str, Any] = Field(default_factory=dict)
    effect_key: str
    fencing_token: int
    deadline: datetime
    evidence: str
    """Path of an existing empty folder."""
    policy: SitePolicy = SitePolicy()
    secrets: Mapping[str, str] = Field(default_factory=dict, repr=False)
    """Values by reference, for this call alone; only the worker's end of the pipe fills them in."""
    missing: Mapping[str, Text] = Field(default_factory=dict)
    """References that this site has no value for, and why."""
    soon: tuple[str, ...] = ()
    """Drivers that this host will need too: loaded now, and not while users wait for the switch."""
    life: int | None = None
    """The worker's life in which the step was begun (`runners.term`); a host refuses it in a later one."""


class Progress(Frozen):
    """How far a long step is."""

    done: int
    total: int
    text: str


class HostError(Frozen):
    """A call that gave no outcome; the step it belongs to is *unknown*."""

    kind: ErrorKind
    message: str


class HostReply(Frozen):
    """One line from the host. Exactly one field beside `id` is set; all but `progress` and `log` end the call."""

    id: str
    progress: Progress | None = None
    log: str | None = None
    outcome: Outcome | None = None
    observation: Observation | None = None
    preview: Preview | None = None
    error: HostError | None = None
    spent: bool = False
    """With the reply that ends a call: the host cannot be made as it was, and takes no other call."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> "HostReply":
        kinds = type(self).model_fields.keys() - {"id", "spent"}
        said = [name for name in kinds if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"a reply says one thing, this one says {said or 'nothing'}")
        return self

    @property
    def final(self) -> bool:
        """Whether this ends the call."""
        return self.progress is None and self.log is None
