"""Whether a run could do without the supplier: what its drivers say, against whose sites and things it used."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, or_, select

from app.catalog.graph import top_of
from app.catalog.insight import parents_of
from app.catalog.models import CatalogObject, Contract, Environment, EnvironmentPair, Site, Supplier, SupplyChainLink
from app.catalog.rules import Holder, normalised
from app.drills.models import Drill
from app.plans.facts import WithoutSupplier
from app.plans.models import Plan
from app.runs.models import Run
from app.runs.verdicts import StepDone, undecided, without_supplier
from app.runs.view import Held
from runners.contract import Text


def judge(session: Session, held: Held, path: Sequence[StepDone]) -> tuple[WithoutSupplier, Text]:
    """*Yes* only if no step needed the supplier and nothing of it was used; with the reason in both languages."""
    lost = lost_suppliers(session, held.run)
    used = _used(session, held, path, lost)
    if used:
        names = ", ".join(used)
        return WithoutSupplier.NO, Text(
            nl=f"Niet zonder de leverancier: gebruikt is {names}.", en=f"Not without the supplier: it used {names}."
        )
    answer = without_supplier(path)
    if answer is WithoutSupplier.UNKNOWN:
        silent = ", ".join(undecided(path)) or "–"
        return answer, Text(
            nl=f"Onbekend is of dit zonder de leverancier kan. Deze stappen kunnen dat niet weten: {silent}.",
            en=f"Whether this works without the supplier is unknown. These steps cannot tell: {silent}.",
        )
    return answer, _SAID[answer]


_SAID = {
    WithoutSupplier.YES: Text(nl="Geen stap had de leverancier nodig.", en="No step needed the supplier."),
    WithoutSupplier.NO: Text(nl="Een stap had de leverancier nodig.", en="A step needed the supplier."),
}


def lost_suppliers(session: Session, run: Run) -> frozenset[str]:
    """Whose loss the plan is about, as ultimate parents: the contract's supplier, else who delivers the service.

    Who runs only the fallback side is not counted: that side is there for this loss.
    """
    parents = parents_of(session)
    plan = session.get_one(Plan, run.plan_id)
    contract = session.get(Contract, plan.contract_id) if plan.contract_id else None
    if contract is not None:
        return frozenset({top_of(parents, contract.supplier_id)})
    pair = session.get(EnvironmentPair, run.pair_id) if run.pair_id else None
    sides = (pair.primary_id, pair.fallback_id) if pair else (None, None)
    primary, fallback = (
        _tops(parents, _runs(session, session.get(Environment, each) if each else None)) for each in sides
    )
    direct = select(SupplyChainLink.supplier_id).where(
        SupplyChainLink.service_id == run.service_id,
        col(SupplyChainLink.recipient_id).is_(None),
        col(SupplyChainLink.archived_at).is_(None),
    )
    return (_tops(parents, session.exec(direct)) - (fallback - primary)) | primary


def _tops(parents: dict[str, str | None], suppliers: Iterable[str]) -> frozenset[str]:
    return frozenset(top_of(parents, each) for each in suppliers)


def _runs(session: Session, environment: Environment | None) -> list[str]:
    """Who runs an environment and the place where it stands."""
    if environment is None:
        return []
    site = session.get(Site, environment.site_id)
    return [each for each in (environment.supplier_id, site.supplier_id if site else None) if each]


def _used(session: Session, held: Held, path: Sequence[StepDone], lost: frozenset[str]) -> list[str]:
    """Names of what the steps used and the lost suppliers own, run or hold."""
    if not lost:
        return []
    parents = parents_of(session)
    found = {
        name: None
        for name, suppliers in _touched(session, held, [each.id for each in path if each.carried_out], lost)
        if _tops(parents, suppliers) & lost
    }
    return list(found)


def _touched(
    session: Session, held: Held, steps: Sequence[str], lost: frozenset[str]
) -> Iterable[tuple[str, list[str]]]:
    """What the steps touched, each with the suppliers behind it: sites, environments, and the things put in."""
    run = held.run
    sites = {held.steps[each].site for each in steps}
    for site in session.exec(select(Site).where(col(Site.name).in_(sites))):
        yield site.name, [site.supplier_id] if site.supplier_id else []
    pair = session.get(EnvironmentPair, run.pair_id) if run.pair_id else None
    named = {side for each in steps for side in held.steps[each].driver.get("sides", ())}
    ids = {"primary": pair.primary_id, "fallback": pair.fallback_id} if pair else {}
    for side in sorted(named & set(ids)):
        if (environment := session.get(Environment, ids[side])) is not None:
            yield environment.name, [*_runs(session, environment), *_leaned_on(session, environment, lost)]
    drill = session.get_one(Drill, run.drill_id)
    given = [each for each in drill.inputs.values() if isinstance(each, str)]
    wanted = select(CatalogObject).where(or_(col(CatalogObject.id).in_(given), col(CatalogObject.ref).in_(given)))
    for thing in session.exec(wanted):
        if thing.supplier_id:
            yield thing.name, [thing.supplier_id]
        elif thing.holder is Holder.SUPPLIER:
            yield thing.name, list(lost)


def _leaned_on(session: Session, environment: Environment, lost: frozenset[str]) -> list[str]:
    """The lost suppliers whose identity provider, names or certificates the environment leans on."""
    told = {environment.identity_provider, environment.dns_provider, environment.certificate_holder}
    names = {normalised(each) for each in told} - {""}
    return [each.id for each in session.exec(select(Supplier)) if each.id in lost and normalised(each.name) in names]
