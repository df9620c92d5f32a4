"""The scene's own book: what happened and what was true then, kept apart from the rows that are under test."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from app.playbooks.rules import Mode
from app.runs.rules import Call

FRESH, SIGNED = 60.0, 900.0
PROVES = {
    "postgres.check-fenced": "fenced",
    "postgres.check-cut-off": "fenced",
    "postgres.caught-up": "caught-up",
    "postgres.accepted-loss": "caught-up",
}


@dataclass(frozen=True)
class Intent:
    """An intent that was committed, with what was true at that moment."""

    run_id: str
    step_id: str
    call: Call
    generation: int
    runner: str
    token: int
    epoch: int
    mode: Mode
    held_back: bool
    """Whether its run was over, paused, aborting, or undoing while this was no undo."""
    granted: bool
    """Whether enough people had approved exactly this, by the scene's own book."""
    irreversible: bool
    stood_after: tuple[str, ...] = ()
    """For an undo: changes that were started later and still stood."""
    undo_failed: bool = False
    undone_before: bool = False
    fenced: bool = False
    """Whether a probe saw the other side fenced in the last minute, or a person signed it in the last quarter."""
    caught_up: bool = False
    """Whether this side was seen to have everything, after the other one was stopped."""


@dataclass
class Said:
    """One approval, as the person meant it."""

    run_id: str
    person: str
    yes: bool
    config: str
    until: datetime
    id: str
    revoked: bool = False


@dataclass
class Book:
    """What happened, by the scene's own account."""

    intents: list[Intent] = field(default_factory=list)
    starts: list[tuple[str, bool]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    """Per step what was last really told or seen of it."""
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Per step how often a person said that it may be tried again."""
    real: set[str] = field(default_factory=set)
    proven: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    """Fact, run and side: when it was seen, and for how long that counts."""
    planned: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Per started run what it was when it started: mode, digest, playbook."""
    evidence: list[str] = field(default_factory=list)
    buried_alive: list[str] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    """Grows with each new owner of what is under way: a run that starts, a step that is taken over."""


def hashed(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
