"""What only time and the catalogue bring about in plans: looked for beside other writers, written in small batches."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from sqlmodel import Session, col, select

from app.catalog import service as catalog
from app.catalog.models import EnvironmentPair
from app.catalog.rules import ObjectChange
from app.core.db import Database
from app.plans import judging, standing
from app.plans.models import Plan, StatusChange

WHY = "time passed, or the catalogue changed"
LOOK = 50
"""Plans looked at in one reading."""
WRITE = 2
"""Plans written in one transaction: some hundredths of a second, for on SQLite every other writer waits for it."""
PAUSE = 0.02
"""Seconds between two writings, in which others get their turn: a waiting writer on SQLite only looks now and then."""


def sweep(database: Database, *, now: datetime, pause: Callable[[float], None] = time.sleep) -> list[StatusChange]:
    """Findings of the rules, and status where proof ran out. Safe to repeat; changed by nobody meanwhile, it writes
    nothing. What the catalogue gets while this looks is for the next time.
    """
    with database.transaction(write=False) as session:
        changes = catalog.substantive_changes(session)
        plan_ids = list(session.exec(select(Plan.id).order_by(col(Plan.id))))
        pair_ids = list(session.exec(select(EnvironmentPair.id).where(col(EnvironmentPair.archived_at).is_(None))))
    found: list[StatusChange] = []
    for some in _groups(_outdated(database, plan_ids, changes, now), WRITE):
        with database.transaction() as session:
            found += _write(session, some, changes, now)
        pause(PAUSE)
    for some in _groups(_untold(database, pair_ids), WRITE):
        with database.transaction() as session:
            judging.judge_pairs(session, some, now=now)
        pause(PAUSE)
    return found


def _groups(ids: Iterator[str], size: int) -> Iterator[list[str]]:
    while some := list(islice(ids, size)):
        yield some


def _outdated(
    database: Database, plan_ids: Sequence[str], changes: Sequence[ObjectChange], now: datetime
) -> Iterator[str]:
    """The plans of which a finding or the stored status is no longer what the rules say."""
    for some in _groups(iter(plan_ids), LOOK):
        with database.transaction(write=False) as session:
            plans = session.exec(select(Plan).where(col(Plan.id).in_(some)).order_by(col(Plan.id))).all()
            differing = [
                plan.id
                for plan in plans
                if standing.is_outdated(session, plan, changes, now=now)
                or (plan.archived_at is None and judging.is_outdated(session, plan))
            ]
        yield from differing


def _untold(database: Database, pair_ids: Sequence[str]) -> Iterator[str]:
    with database.transaction(write=False) as session:
        differing = [pair_id for pair_id in pair_ids if judging.pair_is_outdated(session, pair_id)]
    yield from differing


def _write(
    session: Session, plan_ids: Sequence[str], changes: Sequence[ObjectChange], now: datetime
) -> list[StatusChange]:
    # Held first, in one order, as whoever works on a plan holds it before its findings are opened: no deadlock.
    held = select(Plan).where(col(Plan.id).in_(plan_ids)).order_by(col(Plan.id)).with_for_update()
    for plan in session.exec(held.execution_options(populate_existing=True)).all():
        if plan.archived_at is None:
            judging.judge(session, plan, now=now)
    return standing.refresh(session, now=now, plan_ids=plan_ids, why=WHY, changes=changes)
