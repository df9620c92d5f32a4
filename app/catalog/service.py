"""What the domains to the right ask of the catalogue, and the derived columns that they push into it."""

from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import SYSTEM, Actor
from app.catalog import changes
from app.catalog.models import (
    CatalogObject,
    CatalogRow,
    EnvironmentPair,
    HomeSideChange,
    Measure,
    Service,
)
from app.catalog.rules import Assurance, ObjectChange, SideRole, rto_exceeds_mtpd
from app.core import audit
from app.core.db import locked
from app.core.errors import Conflict, NotAllowed, not_found
from app.core.messages import say

Row = TypeVar("Row", bound=CatalogRow)


class HomeIsKnown(Conflict):
    """Nothing put the home side in doubt, so only a run moves it."""

    code = "home-side-known"


def find(session: Session, table: type[Row], key: str) -> Row:
    """The row with this id or human reference, archived ones too. Raises NotFound."""
    row: Row = reach.find(session, table, key, str(table.__tablename__).replace("_", " "))
    return row


def home_side(session: Session, pair_id: str) -> tuple[SideRole, datetime]:
    """The side of the pair that serves now, and since when. Raises NotFound."""
    pair = find(session, EnvironmentPair, pair_id)
    return pair.home_side, pair.home_since


def set_home_side(session: Session, pair_id: str, side: SideRole | str, *, at: datetime, run_id: str | None) -> None:
    """A run moved the service to `side`; writes the history row. To the side that is home already: nothing happens."""
    pair: EnvironmentPair | None = locked(session, EnvironmentPair, pair_id)
    if pair is None:
        raise not_found("environment pair", pair_id)
    before, pair_side = pair.home_side, SideRole(side)
    pair.home_unseen_since = None
    session.add(pair)
    if before is pair_side:
        return
    pair.home_side, pair.home_since = pair_side, at
    pair.revision += 1
    session.add_all([pair, HomeSideChange(pair_id=pair.id, side=pair_side, at=at, run_id=run_id)])
    detail = {"before": before.value, "after": pair_side.value, "run": run_id}
    audit.record(session, SYSTEM.ref, "environment_pair.home-moved", "environment_pair", pair.id, **detail)


def home_seen(session: Session, pair_id: str, side: SideRole | str) -> None:
    """A check saw the service work from the side that is held for home: what a restore put in doubt is known again."""
    pair = session.get(EnvironmentPair, pair_id)
    if pair is not None and pair.home_unseen_since is not None and pair.home_side is SideRole(side):
        pair.home_unseen_since = None
        session.add(pair)


def confirm_home(
    session: Session, pair: EnvironmentPair, side: SideRole, *, actor: Actor, reason: str, now: datetime
) -> None:
    """A person looked which side is home after a restore; at any other time it changes by a run only."""
    if actor.person_id is None:
        raise NotAllowed(say("Only a person can say which side they saw serve."))
    if pair.home_unseen_since is None:
        raise HomeIsKnown(say("The home side of {pair} is known. It changes by a run only.", pair=pair.ref))
    before = pair.home_side
    set_home_side(session, pair.id, side, at=pair.home_since if side is before else now, run_id=None)
    detail = {"before": before.value, "seen": side.value, "reason": reason}
    audit.record(session, actor.ref, "environment_pair.home-seen", "environment_pair", pair.id, **detail)


def doubt_homes(session: Session, *, now: datetime) -> None:
    """After a restore: whichever side served may have changed, and nobody looked since."""
    for pair in session.exec(select(EnvironmentPair)):
        pair.home_unseen_since = now
        session.add(pair)


def home_history(session: Session, pair_id: str) -> list[HomeSideChange]:
    """Each home side that the pair had, the oldest first."""
    statement = select(HomeSideChange).where(HomeSideChange.pair_id == pair_id)
    return list(session.exec(statement.order_by(col(HomeSideChange.at), col(HomeSideChange.id))))


def substantive_changes(session: Session, *, since: datetime | None = None) -> list[ObjectChange]:
    """Substantive changes by people and imports, the oldest first, from `since` on."""
    return changes.read(session, since=since)


def record_exit_plan_exists(session: Session, service_id: str, exists: bool) -> None:
    """Whether an approved exit plan of the service exists (RoI b_07.01.0080)."""
    _push(session, Service, service_id, exit_plan_exists=exists)


def record_measure_tested(
    session: Session, measure_id: str, assurance: Assurance | str | None, at: datetime, result: str
) -> None:
    """What the last test of a measure showed: `result` in the words of proofs (pass, partial, fail, inconclusive)."""
    word = None if assurance is None else Assurance(assurance)
    _push(session, Measure, measure_id, assurance=word, last_tested_at=at, last_result=result)


def record_access_proven(session: Session, object_id: str, evidence: str, at: datetime) -> None:
    """A test reached the object without its supplier; `evidence` names the run or the file that shows it."""
    _push(session, CatalogObject, object_id, access_evidence=evidence, access_proven_at=at)


def _push(session: Session, table: type[CatalogRow], id: str, **values: Any) -> None:
    row = locked(session, table, id)
    if row is None:
        raise not_found(str(table.__tablename__).replace("_", " "), id)
    if all(getattr(row, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(row, name, value)
    row.revision += 1
    session.add(row)


def services_with_rto_over_mtpd(session: Session) -> list[Service]:
    """Services whose recovery goal is longer than their longest tolerable disruption."""
    live = session.exec(select(Service).where(col(Service.archived_at).is_(None)))
    return [service for service in live if rto_exceeds_mtpd(service.rto, service.mtpd)]
