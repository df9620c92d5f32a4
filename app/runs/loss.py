"""What a lost side means for a run: which steps are passed over, what is owed for them, what that forbids. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.messages import Message, say
from app.playbooks.rules import Lost, Playbook, StepKind
from runners.contract import Effect


class ObligationKind(StrEnum):
    """What a run leaves to be done."""

    CLEAN_UP = "clean-up"
    DEBT = "debt"
    """What must be caught up when a lost side returns."""
    REVIEW = "review"
    """Somebody else must look at what was begun without approval."""


@dataclass(frozen=True)
class Loss:
    """What an activation says is lost; empty where nothing is."""

    sides: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything is lost."""
        return bool(self.sides or self.sites)


def passed_over(rule: Lost | None, sides: Collection[str], site: str, loss: Loss) -> bool:
    """Whether a step is passed over: foreseen for a lost side, and it names one, or runs at a lost site.

    `sides`: those that its runner names; a question names none, and then any loss counts.
    """
    if rule is not Lost.SKIP or not loss:
        return False
    return not sides or bool(loss.sides & set(sides)) or site in loss.sites


OLDEST_ALARM = timedelta(days=31)
"""An alarm from longer ago is a slip of the pen."""


AHEAD = timedelta(seconds=60)
"""How far another clock may go ahead of ours before what it tells lies in the future."""


def noticed(moment: datetime, *, now: datetime) -> datetime:
    """The moment by our own clock: somebody else's may be a little ahead, and no disaster waits for that."""
    return now if now < moment <= now + AHEAD else moment


def alarm_fault(alarm_at: datetime, outage_at: datetime | None, *, now: datetime) -> tuple[str, Message] | None:
    """What is wrong with the times that somebody told: field, and what to do."""
    if alarm_at > now:
        return "alarmAt", say("The alarm can't lie in the future. Give the moment at which it was noticed.")
    if alarm_at < now - OLDEST_ALARM:
        return "alarmAt", say("This alarm is more than a month old. Give the moment at which it was noticed.")
    if outage_at is not None and not alarm_at - OLDEST_ALARM <= outage_at <= alarm_at:
        return "outageAt", say("The outage began before the alarm, or with it. Mend the time, or leave it out.")
    return None


def undecided(playbook: Playbook) -> str | None:
    """The first step without a way back that no decision of people comes before; None where each has one."""
    decisions = {step.id for step in playbook.steps if step.kind is StepKind.DECIDE}
    for step in playbook.steps:
        if step.point_of_no_return and not decisions & playbook.ancestors(step.id):
            return step.id
    return None


@dataclass(frozen=True)
class Skipped:
    """A step that was passed over for a lost side, as far as what is owed depends on it."""

    id: str
    position: int
    effect: Effect | None
    sides: tuple[str, ...] = ()
    """The lost sides that it names."""
    owes: bool = False
    """Whether the playbook says what is owed."""
    rejoins: bool = False
    """Whether it lets the side take part again."""


@dataclass(frozen=True)
class Owed:
    """What is owed for one passed-over step."""

    step: str
    side: str | None
    bars: bool
    """Whether the side may not take part again before this is settled."""


def owed(skipped: Sequence[Skipped]) -> list[Owed]:
    """What must be caught up when the side returns, in order: all that would have changed something, and what is said.

    What stands before the step that lets the side take part again bars that step; where nothing lets it take part
    again, everything bars it.
    """
    found = []
    for each in skipped:
        if each.effect is Effect.CHANGES or each.owes:
            last = max((other.position for other in skipped if other.rejoins), default=None)
            bars = not each.rejoins and (last is None or each.position < last)
            found.append(Owed(each.id, each.sides[0] if each.sides else None, bars))
    return found
