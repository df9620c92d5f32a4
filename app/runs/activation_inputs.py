"""Works out what an activation starts from: the playbook, its inputs, and which sides follow from what is lost."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, or_, select

from app.catalog import service as catalog
from app.catalog.models import Environment, EnvironmentPair, Site, Supplier
from app.core.errors import FieldError, InvalidInput
from app.core.messages import Message, say
from app.drills import inputs as drill_inputs
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import ClaimKind, InputType, Mode, Playbook, opposed
from app.runs.activation_shapes import ActivationBase, LostIn
from runners.contract import Side


@dataclass
class Filled:
    """The inputs as far as they were told, and the pair."""

    pair_id: str | None = None
    home: Side = Side.PRIMARY
    given: dict[str, Any] = field(default_factory=dict)

    def with_sides(self, playbook: Playbook, lost: list[str]) -> dict[str, Any]:
        """All inputs: away from the lost side, or from the one that serves now where nothing is lost."""
        sides = opposed(playbook.inputs)
        if sides is None:
            return self.given
        source = Side(lost[0]) if lost else self.home
        return {sides[0]: source.value, sides[1]: source.other.value, **self.given}

    def direction(self, playbook: Playbook, inputs: dict[str, Any]) -> str | None:
        """Over or back, by the side that will serve; None for what moves nothing."""
        sides = opposed(playbook.inputs)
        if sides is None:
            return None
        return "over" if inputs.get(sides[1]) == Side.FALLBACK.value else "back"


def playbook_for(session: Session, key: str | None) -> PlaybookVersion:
    """The published version with this id or name; without a key the only one that proves an unplanned fail-over."""
    published = select(PlaybookVersion).where(PlaybookVersion.state == VersionState.PUBLISHED)
    newest = published.order_by(col(PlaybookVersion.name), col(PlaybookVersion.version).desc())
    if key is not None:
        named = or_(col(PlaybookVersion.id) == key, col(PlaybookVersion.name) == key)
        row = session.exec(newest.where(named)).first() if key.isprintable() else None
        if row is None:
            raise _wrong("playbook", "not-found", say("There is no published playbook '{key}'.", key=key))
        return row
    by_name: dict[str, PlaybookVersion] = {}
    for row in session.exec(newest):
        by_name.setdefault(row.name, row)
    found = [row for row in by_name.values() if _proves_failover(Playbook.model_validate(row.content))]
    if len(found) != 1:
        names = ", ".join(row.name for row in found) or "–"
        reason = say("Name the playbook. These prove an unplanned fail-over: {names}.", names=names)
        raise _wrong("playbook", "playbook-unclear", reason)
    return found[0]


def _proves_failover(playbook: Playbook) -> bool:
    return ClaimKind.FAILOVER in playbook.proves and Mode.LIVE in playbook.modes


def _wrong(name: str, code: str, reason: Message) -> InvalidInput:
    return InvalidInput(reason, errors=[FieldError(name, code, reason)])


def filled(session: Session, playbook: Playbook, data: ActivationBase, service_id: str | None) -> Filled:
    """What was told of the inputs, with the pair under the name that the playbook gives it."""
    name = next((key for key, each in playbook.inputs.items() if each.type is InputType.ENVIRONMENT_PAIR), None)
    given = dict(data.inputs)
    if name is None:
        return Filled(given=given)
    wanted = data.pair or given.get(name)
    pair_id = drill_inputs.pair_id(session, wanted, service_id)
    if pair_id is None:
        reason = say("Name an environment pair of this plan's service.")
        raise _wrong("pair", "pair-unclear", reason)
    pair = session.get_one(EnvironmentPair, pair_id)
    return Filled(pair_id, Side(pair.home_side.value), {**given, name: pair_id})


def what_is_lost(session: Session, told: LostIn, pair_id: str | None) -> dict[str, list[str]]:
    """The sides that are lost, said or following from a lost site or supplier; and the sites that are."""
    sites = {_site(session, key).name for key in told.sites}
    suppliers = [catalog.find(session, Supplier, key) for key in told.suppliers]
    held = {row.id for row in suppliers}
    sites |= {row.name for row in session.exec(select(Site)) if row.supplier_id in held}
    sides = set(told.sides)
    where = _where(session, pair_id)
    for side, (environment, site) in where.items():
        if site.name in sites or (environment.supplier_id or site.supplier_id) in held - {None}:
            sides.add(side)
    if told.sides and not where:
        reason = say("This playbook has no sides. Name a site or a supplier, or leave it out.")
        raise _wrong("lost/sides", "no-sides", reason)
    kept = {site.name for side, (_, site) in where.items() if side not in sides}
    sites |= {site.name for side, (_, site) in where.items() if side in sides and site.name not in kept}
    return {
        "sides": sorted(side.value for side in sides),
        "sites": sorted(sites),
        "suppliers": sorted(row.ref for row in suppliers),
    }


def _site(session: Session, key: str) -> Site:
    row = session.exec(select(Site).where(Site.name == key)).first() if key.isprintable() else None
    return row or catalog.find(session, Site, key)


def _where(session: Session, pair_id: str | None) -> dict[Side, tuple[Environment, Site]]:
    pair = session.get(EnvironmentPair, pair_id) if pair_id else None
    if pair is None:
        return {}
    found = {}
    for side, key in ((Side.PRIMARY, pair.primary_id), (Side.FALLBACK, pair.fallback_id)):
        environment = session.get_one(Environment, key)
        found[side] = (environment, session.get_one(Site, environment.site_id))
    return found
