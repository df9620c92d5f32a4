"""How a commit that made steps ready wakes the engine; by default nobody listens and the sweep finds them."""

from collections.abc import Callable

from sqlmodel import Session

from app.core.db import after_commit

_RUNS = "runs to wake"


def _nobody(run_id: str) -> None:
    """Nobody listens: the sweep of ready steps finds the work within a second."""


_listener: Callable[[str], None] = _nobody


def register(listener: Callable[[str], None] | None) -> None:
    """Call `listener(run_id)` after each commit that made steps of that run ready; None: nobody listens."""
    global _listener
    _listener = listener or _nobody


def notify(run_id: str) -> None:
    """Wake whoever listens."""
    _listener(run_id)


def after(session: Session, run_id: str) -> None:
    """Wake the engine for this run once the transaction has been committed."""
    waiting: set[str] = session.info.setdefault(_RUNS, set())
    if not waiting:
        after_commit(session, lambda: _wake(waiting))
    waiting.add(run_id)


def spare(session: Session, run_id: str) -> None:
    """Let the engine be after all: what this transaction made ready, it began too."""
    session.info.get(_RUNS, set()).discard(run_id)


def _wake(run_ids: set[str]) -> None:
    for run_id in sorted(run_ids):
        notify(run_id)
