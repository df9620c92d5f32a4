"""Runs while the disk is full: each waits for a person, and what fills the disk without changing anything is ended."""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from app.runs import words
from app.runs.models import Run, StepRun
from app.runs.progress import advance
from app.runs.rules import Pause
from app.runs.view import hold, tell
from runners.contract import Effect


def wait_for_room(session: Session, *, now: datetime) -> list[str]:
    """Pause every run that goes on: it needs a person and space. The references of those that were paused now."""
    going = select(Run.id).where(col(Run.started_at).is_not(None), col(Run.ended).is_(None), col(Run.paused).is_(None))
    wanted = going.where(col(Run.aborting).is_(False), col(Run.undoing).is_(False))
    paused = []
    for run_id in session.exec(wanted.order_by("id")).all():
        held = hold(session, run_id)
        run = held.run
        if run.ended is not None or run.paused is not None or run.aborting or run.undoing:
            continue
        run.paused, run.pause_reason = Pause.GUARD, words.NO_SPACE
        tell(session, run, "run.paused", now=now, reason=words.NO_SPACE)
        advance(session, held, now=now)
        paused.append(run.ref)
    return paused


def harmless(session: Session, underway: Iterable[str]) -> list[str]:
    """Of these steps those that only look or work in isolation: ended, they give back what they filled."""
    wanted = select(StepRun.id).where(col(StepRun.id).in_(list(underway)), StepRun.effect != Effect.CHANGES)
    return list(session.exec(wanted))
