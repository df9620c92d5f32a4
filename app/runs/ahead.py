"""Which drivers a worker can load ahead: those of runs that wait to begin."""

from sqlmodel import Session, col, select

from app.runs.models import Run, StepRun

MOST = 500
"""So many steps are looked at: the next runs, not all that are planned."""


def drivers_ahead(session: Session, sites: frozenset[str] | None) -> frozenset[str]:
    """Names of the drivers that runs which have not begun need at these sites; `sites` None: every site."""
    wanted = (
        select(StepRun.driver)
        .join(Run, col(Run.id) == col(StepRun.run_id))
        .where(col(Run.started_at).is_(None), col(Run.ended).is_(None))
        .order_by(col(Run.planned_at))
        .limit(MOST)
    )
    if sites is not None:
        wanted = wanted.where(col(StepRun.site).in_(sites))
    # An ask that falls with a lost side has a driver that says so, and no runner.
    return frozenset(str(driver["runner"]) for driver in session.exec(wanted) if "runner" in driver)
