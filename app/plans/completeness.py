"""The lamps *complete* and *current*, the time that a plan needs, and the steps that lean on the supplier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.core.messages import Message, say

CHECKED_FOR = timedelta(days=365)
"""How long a check of contacts or of an assumption counts."""


@dataclass(frozen=True)
class Work:
    """One step of a plan: seconds it is expected to take, and what must be done before it."""

    id: str
    estimate: int | None
    needs: tuple[str, ...] = ()
    needs_supplier: bool = False


@dataclass(frozen=True)
class Lamp:
    """A lamp with what keeps it from being lit."""

    missing: tuple[Message, ...]

    @property
    def lit(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


@dataclass(frozen=True)
class TimeNeeded:
    """The critical path over the steps, in seconds; `unknown` names steps without an estimate."""

    seconds: int | None
    path: tuple[str, ...]
    unknown: tuple[str, ...]


def unreachable(work: Sequence[Work]) -> tuple[str, ...]:
    """Steps that wait in a ring or for a step that does not exist; empty for a sound plan."""
    done: set[str] = set()
    waiting = list(work)
    while ready := [step for step in waiting if set(step.needs) <= done]:
        done |= {step.id for step in ready}
        waiting = [step for step in waiting if step.id not in done]
    return tuple(step.id for step in waiting)


def time_needed(work: Sequence[Work]) -> TimeNeeded:
    """The longest way through the steps, not their sum: steps that need not wait for each other go side by side."""
    if not work or unreachable(work):
        return TimeNeeded(None, (), tuple(step.id for step in work if step.estimate is None))
    ends: dict[str, tuple[int, tuple[str, ...]]] = {}
    waiting = list(work)
    while waiting:
        for step in [each for each in waiting if set(each.needs) <= set(ends)]:
            before, path = max((ends[need] for need in step.needs), default=(0, ()))
            ends[step.id] = (before + (step.estimate or 0), (*path, step.id))
            waiting.remove(step)
    seconds, path = max(ends.values())
    return TimeNeeded(seconds, path, tuple(step.id for step in work if step.estimate is None))


def too_slow(needed: TimeNeeded, mtpd: int | None) -> bool:
    """Whether the time that is known to be needed is longer than the longest tolerable disruption."""
    return needed.seconds is not None and mtpd is not None and needed.seconds > mtpd


def complete(parts: Sequence[tuple[Message, bool]], needed: TimeNeeded, mtpd: int | None) -> Lamp:
    """*Complete*: every part that this kind of plan needs is filled in, and the time needed is known and fits."""
    missing = [say("Not filled in: {part}.", part=part) for part, filled in parts if not filled]
    if needed.seconds is None:
        missing.append(say("The time needed is not known: add steps with an estimate."))
    elif needed.unknown:
        missing.append(say("Without an estimate: {steps}.", steps=", ".join(needed.unknown)))
    if mtpd is None:
        missing.append(say("The longest tolerable disruption of the service is not known."))
    elif too_slow(needed, mtpd):
        missing.append(
            say("The plan needs {needed} s; the service can be missed {mtpd} s.", needed=needed.seconds, mtpd=mtpd)
        )
    return Lamp(tuple(missing))


def current(
    *,
    next_review_on: date | None,
    contacts: Mapping[str, date | None],
    assumptions: Mapping[str, date | None],
    approved_at: datetime,
    changes: Sequence[datetime],
    now: datetime,
) -> Lamp:
    """*Current*: reviewed in its term, contacts and assumptions checked, nothing substantive changed since approval."""
    missing = []
    if next_review_on is None:
        missing.append(say("No day is set for the next review."))
    elif next_review_on < now.date():
        missing.append(say("The review was due on {day}.", day=next_review_on.isoformat()))
    for who, checked in {**contacts, **assumptions}.items():
        if checked is None or not now.date() - CHECKED_FOR <= checked <= now.date():
            missing.append(say("Not checked within 12 months: {what}.", what=who))
    if since := [at for at in changes if approved_at < at <= now]:
        missing.append(
            say(
                "{count} substantive changes since it was approved, the last on {day}.",
                count=len(since),
                day=max(since).date().isoformat(),
            )
        )
    return Lamp(tuple(missing))
