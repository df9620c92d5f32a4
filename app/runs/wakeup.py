"""How a commit that made steps ready wakes the engine; by default nobody listens and the sweep finds them."""

from collections.abc import Callable

from sqlmodel import Session

from app.core.db import after_commit


def _nobody(run_id: str) -> None:
    """Nobody listens: the sweep of ready steps finds the work within a second."""


_listener: Callable[[str], None] = _nobody


def register(listener: Callable[[str], None] | None) -> None:
    """Call `listener(run_id)` after each commit that changed the course of that run; None: nobody listens."""
    global _listener
    _listener = listener or _nobody


def notify(run_id: str) -> None:
    """Wake whoever listens."""
    _listener(run_id)


def after(session: Session, run_id: str) -> None:
    """Wake the engine for this run once the transaction has been committed."""
    after_commit(session, lambda: notify(run_id))
