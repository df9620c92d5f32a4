"""What must hold within one row and towards others before it is written; each check names every fault it finds."""

from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from app.access import reach
from app.access.rules import Actor
from app.catalog import graph
from app.catalog.models import (
    Environment,
    EnvironmentPair,
    HomeSideChange,
    Service,
    ServiceDependency,
    Supplier,
    SupplyChainLink,
)
from app.catalog.resource import Draft
from app.catalog.rules import (
    CodeType,
    ContractKind,
    Holder,
    Known,
    MeasureKind,
    SideRole,
    WatchLevel,
    code_is_valid,
    ends_before_start,
)
from app.core.columns import hold_counter
from app.core.errors import Conflict, FieldError
from app.core.messages import Message, say

_ESCROW_ONLY = ("escrow_agent", "deposit_every", "last_deposit_on", "release_conditions", "verification_level")


class StillLeanedOn(Conflict):
    """Others in the chain hang below it."""

    code = "still-leaned-on"


def service(session: Session, draft: Draft) -> list[FieldError]:
    """MBCO whole or absent, no service that leans on itself by whatever way."""
    row = draft.row
    faults = []
    if (row.mbco_number is None) != (not row.mbco_unit):
        faults.append(FieldError("mbcoUnit", "incomplete", say("Give the MBCO as a number and a unit.")))
    if draft.lists["depends_on"]:  # two edits that are each right can make a ring together: one at a time
        hold_counter(session, "SVC")
    edges = _dependencies(session) | {row.id: draft.lists["depends_on"]}
    if ring := graph.cycle(edges, row.id):
        faults.append(FieldError("dependsOn", "cycle", _ring_of(session, Service, row, ring)))
    return faults


def _dependencies(session: Session) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for each in session.exec(select(ServiceDependency)):
        edges.setdefault(each.service_id, []).append(each.depends_on_id)
    return edges


def _ring_of(session: Session, table: Any, row: Any, ring: tuple[str, ...]) -> Message:
    named = {each.id: f"{each.ref} {each.name}" for each in session.exec(select(table).where(col(table.id).in_(ring)))}
    named.setdefault(row.id, str(row.name))
    named |= dict.fromkeys(reach.unseen(session, table, named.keys() - {row.id}), "…")
    way = " → ".join(named[id] for id in ring)
    return say("This makes a ring: {ring}. Take one of the arrows out.", ring=way)


def supplier(session: Session, draft: Draft) -> list[FieldError]:
    """Code and kind go together and fit; the parent is another and no ring; a raised watch has a reason."""
    row = draft.row
    faults = [*_code_faults(session, row), *_parent_faults(session, row)]
    if row.watch_level is not WatchLevel.NORMAL and not row.watch_reason:
        faults.append(FieldError("watchReason", "required", say("Say why this supplier is watched more closely.")))
    if row.watch_level is not WatchLevel.NORMAL and row.watch_since is None:
        faults.append(FieldError("watchSince", "required", say("Say since when this supplier is watched.")))
    for number, report in enumerate(row.assurance_reports):
        faults += _period(report["starts_on"], report["ends_on"], f"assuranceReports.{number}.endsOn")
    return faults


def _code_faults(session: Session, row: Any) -> list[FieldError]:
    if (row.code is None) != (row.code_type is None):
        return [FieldError("codeType", "incomplete", say("Give a code together with its kind."))]
    if row.code is None:
        return []
    if not code_is_valid(CodeType(row.code_type), row.code):
        return [FieldError("code", "invalid-code", say("This is no valid {kind} code.", kind=row.code_type.upper()))]
    same = select(Supplier).where(
        Supplier.code == row.code,
        Supplier.code_type == row.code_type,
        Supplier.id != row.id,
        col(Supplier.archived_at).is_(None),
    )
    twin = session.exec(same).first()
    return [FieldError("code", "code-taken", say("{ref} has this code.", ref=twin.ref))] if twin else []


def _parent_faults(session: Session, row: Any) -> list[FieldError]:
    if row.ultimate_parent_id is None:
        if row.has_parent is Known.YES:
            return [FieldError("ultimateParent", "required", say("Name the parent, or say that it is unknown."))]
        return []
    if row.has_parent is Known.NO:
        return [FieldError("hasParent", "contradiction", say("A parent is named, so this cannot be no."))]
    hold_counter(session, "SUP")
    parents = {each.id: [each.ultimate_parent_id] for each in session.exec(select(Supplier)) if each.ultimate_parent_id}
    if ring := graph.cycle(parents | {row.id: [row.ultimate_parent_id]}, row.id):
        return [FieldError("ultimateParent", "cycle", _ring_of(session, Supplier, row, ring))]
    return []


def _period(start: Any, end: Any, at: str) -> list[FieldError]:
    if ends_before_start(_as_day(start), _as_day(end)):
        return [FieldError(at, "ends-before-start", say("The end lies before the start."))]
    return []


def _as_day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def contract(session: Session, draft: Draft) -> list[FieldError]:
    """An end after the start; a subsequent contract names an overarching one of the same supplier, and is no ring."""
    row = draft.row
    faults = _period(row.starts_on, row.ends_on, "endsOn")
    if row.kind is ContractKind.SUBSEQUENT and row.overarching_id is None:
        faults.append(
            FieldError("overarching", "required", say("Name the overarching contract that this one is under."))
        )
    if row.overarching_id is not None and row.kind is not ContractKind.SUBSEQUENT:
        faults.append(FieldError("kind", "contradiction", say("Only a subsequent contract has an overarching one.")))
    if row.overarching_id is not None:
        over = session.get(type(row), row.overarching_id)
        if over is not None and over.kind is not ContractKind.OVERARCHING:
            faults.append(
                FieldError("overarching", "wrong-kind", say("{ref} is no overarching contract.", ref=over.ref))
            )
    return faults


def measure(_session: Session, draft: Draft) -> list[FieldError]:
    """Fields of escrow and of usage rights only where the kind is that."""
    row = draft.row
    faults = []
    if row.kind is not MeasureKind.ESCROW:
        faults += [_out_of_place(name, "escrow") for name in _ESCROW_ONLY if getattr(row, name) not in (None, "")]
    if row.kind is not MeasureKind.USAGE_RIGHTS:
        faults += [_out_of_place("ip_owner", "usage_rights")] if row.ip_owner else []
        faults += [_out_of_place("transferable", "usage_rights")] if row.transferable is not Known.UNKNOWN else []
    if row.present is Known.NO and row.verification_level:
        faults.append(FieldError("verificationLevel", "contradiction", say("An absent measure cannot be verified.")))
    return faults


def _out_of_place(name: str, kind: str) -> FieldError:
    head, *rest = name.split("_")
    return FieldError(
        head + "".join(part.title() for part in rest),
        "out-of-place",
        say("This belongs to a measure of kind {kind} only.", kind=kind),
    )


def catalog_object(_session: Session, draft: Draft) -> list[FieldError]:
    """The supplier named as holder is one only where a supplier holds it."""
    row = draft.row
    if row.supplier_id is not None and row.holder is Holder.OWN:
        return [
            FieldError("holder", "contradiction", say("A supplier is named, but we are said to hold it ourselves."))
        ]
    return []


def access_said_anew(session: Session, row: Any, changed: frozenset[str], _actor: Actor) -> None:
    """What a person says later stands above what a test showed before."""
    if "access_without_supplier" in changed:
        row.access_proven_at, row.access_evidence = None, ""
        session.add(row)


def site(_session: Session, draft: Draft) -> list[FieldError]:
    """Each resource once."""
    names = [each["resource"].casefold() for each in draft.row.capacity]
    return [
        FieldError(f"capacity.{number}.resource", "twice", say("This resource stands in the list twice."))
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def pair(session: Session, draft: Draft) -> list[FieldError]:
    """Two different environments of the pair's own service, each in its role."""
    row = draft.row
    faults = []
    for role in SideRole:
        id = getattr(row, f"{role}_id")
        environment = session.get(Environment, id) if id else None
        if environment is None:
            continue
        if environment.service_id != row.service_id:
            faults.append(FieldError(role, "other-service", say("{ref} is of another service.", ref=environment.ref)))
        if environment.role is not role:
            sentence = say("{ref} has the role {role}.", ref=environment.ref, role=environment.role.value)
            faults.append(FieldError(role, "wrong-role", sentence))
    return faults


def paired_environment(session: Session, draft: Draft) -> list[FieldError]:
    """An environment in a pair keeps its role and its service."""
    row = draft.row
    pairs = select(EnvironmentPair).where(col(EnvironmentPair.archived_at).is_(None))
    primary = session.exec(pairs.where(EnvironmentPair.primary_id == row.id)).first()
    fallback = session.exec(pairs.where(EnvironmentPair.fallback_id == row.id)).first()
    faults = []
    for held, role in ((primary, SideRole.PRIMARY), (fallback, SideRole.FALLBACK)):
        if held is None:
            continue
        if row.role is not role:
            faults.append(FieldError("role", "in-a-pair", say("{ref} uses it in that role.", ref=held.ref)))
        if row.service_id != held.service_id:
            faults.append(FieldError("service", "in-a-pair", say("{ref} uses it for its service.", ref=held.ref)))
    return faults


def first_home(session: Session, row: Any, changed: frozenset[str], _actor: Actor) -> None:
    """The history of the home side begins with what was said when the pair was entered."""
    if "created" in changed:
        session.add(HomeSideChange(pair_id=row.id, side=row.home_side, at=row.home_since))


def chain_link(session: Session, draft: Draft) -> list[FieldError]:
    """Not to itself, to somebody who is in the chain, and in no ring."""
    row = draft.row
    if row.supplier_id is not None and row.supplier_id == row.recipient_id:
        return [FieldError("recipient", "cycle", say("A supplier cannot deliver to itself."))]
    if not row.service_id or not row.supplier_id:
        return []
    hold_counter(session, "LNK")
    others = [link for link in _chain(session, row.service_id) if link.id != row.id]
    wanted = [*others, graph.ChainLink(row.id, row.supplier_id, row.recipient_id)]
    if ring := graph.feeds_itself(wanted):
        return [FieldError("recipient", "cycle", _ring_of(session, Supplier, row, ring))]
    found = graph.ranks(wanted)
    if row.id not in found:
        sentence = say("This recipient is not in the chain of the service yet. Add its own link first.")
        return [FieldError("recipient", "not-in-chain", sentence)]
    if len(found) < len(wanted):
        return [FieldError("supplier", "still-leaned-on", say("Others in the chain deliver to this supplier."))]
    return []


def _chain(session: Session, service_id: str) -> list[graph.ChainLink]:
    links = select(SupplyChainLink).where(
        SupplyChainLink.service_id == service_id, col(SupplyChainLink.archived_at).is_(None)
    )
    return [graph.ChainLink(each.id, each.supplier_id, each.recipient_id) for each in session.exec(links)]


def ranked_anew(session: Session, row: Any, _changed: frozenset[str], _actor: Actor) -> None:
    """Ranks follow the tree after each write. Raises StillLeanedOn where links would hang on nothing."""
    chain = _chain(session, row.service_id)
    found = graph.ranks(chain)
    if len(found) < len(chain):
        raise StillLeanedOn(say("Others in the chain deliver to this supplier. Move or archive those links first."))
    for link in session.exec(select(SupplyChainLink).where(SupplyChainLink.service_id == row.service_id)):
        link.rank = found.get(link.id, 0)
        session.add(link)
    session.flush()
