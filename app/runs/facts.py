"""Safety facts of a run: who provides them, who requires them, and whether they were seen lately enough."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.core.db import locked
from app.playbooks.safety import CAUGHT_UP
from app.runs.models import Run, SeenFact, StepRun
from app.runs.rules import Call
from runners.contract import Effect, Fact, Side, Verdict

FRESH = timedelta(seconds=60)
"""A safety fact that a probe saw longer ago is no fact: the world may have moved."""
AHEAD = timedelta(seconds=2)
"""A fact may be so much younger than now, for clocks of machines differ; one from further ahead was seen by a clock
that was wrong, then or now."""
SIGNED = timedelta(minutes=15)
"""How long a named person's word stands in the place of a probe."""


def key(fact: Fact, params: Mapping[str, Any]) -> str | None:
    """``fenced:PAIR:SIDE`` for the pair and side that `params` name; None where they name none.

    `params`: resolved parameters in JSON or shapes; the pair by its name, the side as its word.
    """
    pair, side = params.get(fact.pair), params.get(fact.node)
    name = pair.get("name") if isinstance(pair, Mapping) else getattr(pair, "name", None)
    if name is None or not isinstance(side, str) or side not in (*Side,):
        return None
    word = Side(side).other if fact.opposite else Side(side)
    return f"{fact.kind}:{name}:{word.value}"


def keys(facts: Iterable[Fact], params: Mapping[str, Any]) -> list[str]:
    """The keys of all facts that `params` name."""
    return [found for fact in facts if (found := key(fact, params)) is not None]


def touched(effect: Effect, params: Mapping[str, Any]) -> list[str]:
    """``PAIR:SIDE`` of the node that a changing step works on, as the loader judges it; nothing for what only looks."""
    found = key(Fact(kind=""), params) if effect is Effect.CHANGES else None
    return [found.removeprefix(":")] if found is not None else []


def disturb(session: Session, run: Run, row: StepRun, *, done: bool = False) -> None:
    """Void what was seen of the nodes that a step changes: a look from before says nothing of what it leaves.

    The loader refuses playbooks in which that matters; here it holds whatever came between. When the step begins, what
    it rests on itself still counts, so that after a crash it can be looked for; `done`: from then on no more.
    """
    own = () if done else row.driver.get("requires", ())
    nodes = row.driver.get("touches", ())
    if not nodes:
        return
    for each in session.exec(select(SeenFact).where(SeenFact.run_id == run.id, col(SeenFact.holds))):
        if each.fact not in own and any(_is_about(each.fact, node) for node in nodes):
            each.holds = False
            session.add(each)


def _is_about(fact: str, node: str) -> bool:
    """*Caught up* is about both sides: what the other one takes in later, this one was not seen to have."""
    pair, _, side = node.rpartition(":")
    return fact.partition(":")[2] == node or fact == f"{CAUGHT_UP}:{pair}:{Side(side).other}"


def remember(session: Session, run: Run, row: StepRun, verdict: Verdict | None, *, now: datetime) -> None:
    """Note what a step saw of the facts that it provides: they hold only when it passed.

    What it changed is to be looked at again. An undo voids every fact.
    """
    if row.call is Call.UNDO:
        for each in session.exec(select(SeenFact).where(SeenFact.run_id == run.id)):
            each.holds = False
            session.add(each)
        return
    disturb(session, run, row, done=verdict is Verdict.PASSED)
    for fact in row.driver.get("provides", ()):
        note(session, run, fact, holds=verdict is Verdict.PASSED, step_id=row.step_id, now=now)


def note(
    session: Session, run: Run, fact: str, *, holds: bool, step_id: str, now: datetime, signed_by: str | None = None
) -> None:
    """Write what is known of a fact now; `signed_by` names the person who vouches for it in place of a probe."""
    found = session.exec(select(SeenFact).where(SeenFact.run_id == run.id, SeenFact.fact == fact)).first()
    row = found or SeenFact(run_id=run.id, fact=fact, holds=holds, at=now, step_id=step_id)
    row.holds, row.at, row.step_id, row.signed_by = holds, now, step_id, signed_by
    session.add(row)
    session.flush()


def missing(session: Session, run: Run, row: StepRun, *, now: datetime) -> list[str]:
    """The facts that the step requires and that were not seen to hold lately enough."""
    return [fact for fact in row.driver.get("requires", ()) if not _holds(session, run, fact, now)]


def _holds(session: Session, run: Run, fact: str, now: datetime) -> bool:
    found = session.exec(select(SeenFact).where(SeenFact.run_id == run.id, SeenFact.fact == fact)).first()
    if found is None:
        return False
    seen: SeenFact = locked(session, SeenFact, found.id)
    return seen.holds and -AHEAD <= now - seen.at <= (SIGNED if seen.signed_by else FRESH)


def void_all(session: Session) -> int:
    """Hold nothing that was seen for true any more, in any run that is not over; how many facts that were.

    For a clock on the wall that was set: by it, what was seen long ago may look fresh from now on.
    """
    open_runs = select(Run.id).where(col(Run.ended).is_(None))
    held = session.exec(select(SeenFact).where(col(SeenFact.holds), col(SeenFact.run_id).in_(open_runs))).all()
    for each in held:
        each.holds = False
        session.add(each)
    return len(held)
