"""Finds the parts of the organisation that somebody names, units and services, and says which roles hold there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Table, or_, select
from sqlmodel import Session, SQLModel

from app.access.rules import Action, Actor, Grant, Part, Place, Role, may, sight
from app.core.errors import FieldError
from app.core.messages import say


@dataclass(frozen=True)
class Within:
    """A part of the organisation that a role can be given in: a unit, or one service."""

    unit: str = ""
    service: Part | None = None

    @property
    def place(self) -> Place:
        """Where things of this part stand; of a unit, what will be added to it included."""
        return Place(frozenset({self.service or Part("", self.unit)}))

    @property
    def service_id(self) -> str:
        """The id of the service; empty for a unit."""
        return self.service.service_id if self.service else ""

    def as_grant(self, role: Role) -> Grant:
        """That role in this part."""
        return Grant(role, self.unit, self.service_id)


def holds(actor: Actor, role: Role, within: Within | None) -> bool:
    """Whether `actor` has `role` in all of that part; None: in the whole organisation."""
    if role in actor.roles:
        return True
    theirs = [grant for grant in actor.grants if grant.role is role]
    if within is None:
        return False
    if within.service is None:
        return any(grant.holds_in(within.unit) for grant in theirs)
    return any(grant.covers(within.service) for grant in theirs)


def _services() -> Table:
    return SQLModel.metadata.tables["service"]


def units_of(session: Session, actor: Actor) -> list[str]:
    """The units that services are of, as far as `actor` sees them."""
    column = _services().c.unit
    known = session.scalars(select(column).where(column != "").distinct().order_by(column)).all()
    seen = sight(actor)
    return [unit for unit in known if seen is None or unit in seen.units]


def all_services(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Reference and name of the services that `actor` sees, to choose from."""
    table = _services()
    rows = session.execute(select(table.c.id, table.c.ref, table.c.name, table.c.unit).order_by(table.c.name)).all()
    seen = sight(actor)
    return [(row.ref, row.name) for row in rows if seen is None or row.unit in seen.units or row.id in seen.services]


def services_of(session: Session, ids: Iterable[str]) -> dict[str, Row[tuple[str, str, str, str]]]:
    """Id, reference, name and unit of these services, by id."""
    table = _services()
    wanted = select(table.c.id, table.c.ref, table.c.name, table.c.unit).where(table.c.id.in_(set(ids)))
    return {row.id: row for row in session.execute(wanted)}


def find(
    session: Session, actor: Actor, *, units: Sequence[str], services: Sequence[str]
) -> tuple[list[Within], list[FieldError]]:
    """The parts that these units (by name) and services (by id, reference or name) are, and what is wrong with them.

    What `actor` may not see is as unknown as what is not there.
    """
    found: list[Within] = []
    faults: list[FieldError] = []
    known = units_of(session, actor) if units else []
    for number, unit in enumerate(units):
        field = f"units.{number}"
        if unit not in known:
            faults.append(_unknown_unit(field, unit, known))
        elif Within(unit) in found:
            faults.append(_twice(field, unit))
        else:
            found.append(Within(unit))
    for number, key in enumerate(services):
        field, parts = f"services.{number}", _named(session, actor, key)
        if len(parts) != 1:
            faults.append(_unknown_service(field, key, several=bool(parts)))
        elif (within := Within(service=parts[0])) in found:
            faults.append(_twice(field, key))
        else:
            found.append(within)
    return found, faults


def _named(session: Session, actor: Actor, key: str) -> list[Part]:
    """The services that bear this id, reference or name."""
    table = _services()
    for which in (or_(table.c.id == key, table.c.ref == key.upper()), table.c.name == key):
        rows = session.execute(select(table.c.id, table.c.unit).where(which)).all()
        parts = [Part(*row) for row in rows]
        if seen := [part for part in parts if may(actor, Action.READ, Place(frozenset({part})))]:
            return seen
    return []


def _unknown_unit(field: str, unit: str, known: list[str]) -> FieldError:
    alike = next((each for each in known if each.casefold() == unit.casefold()), None)
    if alike is not None:
        reason = say("No service is of a unit '{unit}'. Did you mean '{alike}'?", unit=unit, alike=alike)
    else:
        reason = say("No service is of a unit '{unit}'. Write it as it stands at a service.", unit=unit)
    return FieldError(field, "unknown-unit", reason)


def _unknown_service(field: str, key: str, *, several: bool) -> FieldError:
    if several:
        reason = say("Several services are called '{key}'. Give the reference, such as SVC-004.", key=key)
        return FieldError(field, "ambiguous-service", reason)
    reason = say("There is no service '{key}'. Give its name or its reference, such as SVC-004.", key=key)
    return FieldError(field, "unknown-service", reason)


def _twice(field: str, name: str) -> FieldError:
    return FieldError(field, "repeated", say("'{name}' stands here twice.", name=name))
