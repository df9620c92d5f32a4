"""Holds plans against the rules: shared fate of both sides, steps that need the supplier, more time than there is."""

from collections.abc import Container, Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.catalog import insight
from app.catalog.graph import SharedFate, SharedKind
from app.catalog.models import EnvironmentPair, Measure, Service, Site, Supplier
from app.catalog.rules import Known
from app.findings import service as findings
from app.findings.models import Finding
from app.findings.rules import Cause, Severity, Source
from app.findings.service import NewFinding, Title
from app.plans import standing
from app.plans.completeness import time_needed, too_slow
from app.plans.content import PlanContent
from app.plans.facts import ExitMode, VersionState
from app.plans.models import Plan, PlanClaim, PlanVersion
from app.playbooks.rules import ClaimKind

AGAINST_LOSS = frozenset({ClaimKind.FAILOVER, ClaimKind.OTHER_ENVIRONMENT})
"""Claims that the other side goes on when the supplier is gone: shared fate takes exactly these away."""
_KINDS = {
    SharedKind.SITE: ("de locatie", "the site"),
    SharedKind.SUPPLIER: ("de leverancier", "the supplier"),
    SharedKind.PARENT: ("het moederbedrijf", "the parent company"),
    SharedKind.SUB_SUPPLIER: ("de onderaannemer", "the sub-supplier"),
    SharedKind.IDENTITY_PROVIDER: ("de dienst voor inloggen", "the identity provider"),
    SharedKind.DNS: ("de DNS-dienst", "the DNS provider"),
    SharedKind.CERTIFICATE_HOLDER: ("de houder van het certificaat", "the certificate holder"),
    SharedKind.KEY_PERSON: ("de sleutelpersoon", "the key person"),
}
_RULE = "rule:plan:"


def judge(session: Session, plan: Plan, *, now: datetime) -> None:
    """Open what the rules find in the version in force and in the next one, withdraw what is gone.

    A finding about a claim is never withdrawn, for it needs a passing retest; neither is one of shared fate.
    """
    found = _found(session, plan)
    for new in found.values():
        findings.open_finding(session, new, now=now)
    for key in _gone(_open_ones(session, plan), found):
        findings.withdraw(session, key, now=now, reason="The plan no longer says so.")


def is_outdated(session: Session, plan: Plan) -> bool:
    """Whether `judge` would write anything; reads only."""
    found, standing_ones = _found(session, plan), _open_ones(session, plan)
    known = {finding.open_key: finding for finding in standing_ones}
    told = all(key in known and not findings.is_worse(known[key], new) for key, new in found.items())
    return not told or bool(_gone(standing_ones, found))


def _found(session: Session, plan: Plan) -> dict[str, NewFinding]:
    return {new.key: new for version in _versions_to_judge(session, plan) for new in _all_of(session, plan, version)}


def _open_ones(session: Session, plan: Plan) -> Sequence[Finding]:
    return session.exec(select(Finding).where(col(Finding.open_key).startswith(f"{_RULE}{plan.id}:"))).all()


def _gone(standing_ones: Sequence[Finding], found: Container[str]) -> list[str]:
    """Keys of open findings that may be withdrawn, for no rule finds them any more."""
    return [
        finding.key
        for finding in standing_ones
        if finding.key not in found and ":shared:" not in finding.key and findings.may_be_withdrawn(finding)
    ]


def judge_pairs(session: Session, pair_ids: Sequence[str], *, now: datetime) -> None:
    """Tell the shared fate of pairs of services without any plan, until a plan tells it."""
    for pair_id in pair_ids:
        pair = session.get_one(EnvironmentPair, pair_id)
        _judge_pair_alone(session, pair, planned=_is_planned(session, pair), now=now)


def pair_is_outdated(session: Session, pair_id: str) -> bool:
    """Whether `judge_pairs` would write anything for this pair; reads only."""
    pair = session.get_one(EnvironmentPair, pair_id)
    keys = [_pair_key(pair, fate) for fate in insight.shared_fate(session, pair)]
    told = set(session.exec(select(Finding.open_key).where(col(Finding.open_key).in_(keys)))) if keys else set()
    return bool(told) if _is_planned(session, pair) else any(key not in told for key in keys)


def _is_planned(session: Session, pair: EnvironmentPair) -> bool:
    wanted = select(Plan.id).where(Plan.service_id == pair.service_id, col(Plan.archived_at).is_(None))
    return session.exec(wanted).first() is not None


def _versions_to_judge(session: Session, plan: Plan) -> list[PlanVersion]:
    """The version in force last, so that its words stay where both versions say the same."""
    versions = standing.versions_of(session, plan.id)
    order = (VersionState.DRAFT, VersionState.IN_REVIEW, VersionState.APPROVED)
    return [version for state in order for version in versions if version.state is state]


def _all_of(session: Session, plan: Plan, version: PlanVersion) -> Iterator[NewFinding]:
    content = PlanContent.model_validate(version.content)
    claims = standing.claims_of(session, version.id)
    yield from _too_slow(session, plan, version, content)
    if plan.mode is ExitMode.STRESSED:
        yield from _needs_supplier(session, plan, version, content, claims)
    for pair in insight.live_pairs(session, plan.service_id):
        for fate in insight.shared_fate(session, pair):
            yield from _shared(session, plan, version, claims, pair, fate)


def _too_slow(session: Session, plan: Plan, version: PlanVersion, content: PlanContent) -> Iterator[NewFinding]:
    service = session.get(Service, plan.service_id)
    needed = time_needed(content.work())
    if service is None or not too_slow(needed, service.mtpd):
        return
    yield NewFinding(
        key=f"{_RULE}{plan.id}:too-slow",
        plan_id=plan.id,
        claim_key=None,
        object_ids=(),
        source=Source.RULE,
        cause=Cause.TOO_SLOW,
        severity=Severity.MEDIUM,
        title=Title(
            nl=f"{plan.name} kost meer tijd dan {service.name} gemist kan worden (MTPD)",
            en=f"{plan.name} takes more time than {service.name} can be missed (MTPD)",
        ),
        description=f"{' → '.join(needed.path)}: {needed.seconds} s > {service.mtpd} s",
        service_id=plan.service_id,
        plan_version=version.number,
    )


def _needs_supplier(
    session: Session, plan: Plan, version: PlanVersion, content: PlanContent, claims: Sequence[PlanClaim]
) -> Iterator[NewFinding]:
    steps: list[tuple[str, PlanClaim | None, str]] = [
        (f"step:{step.id}", None, step.title) for step in content.steps if step.needs_supplier
    ]
    for claim in claims:
        for measure_id in claim.measure_ids:
            measure = session.get(Measure, measure_id)
            if measure is not None and measure.needs_supplier is Known.YES:
                steps.append((f"measure:{measure.id}:{claim.key}", claim, measure.name))
    for key, claim_or_none, title in steps:
        yield NewFinding(
            key=f"{_RULE}{plan.id}:needs-supplier:{key}",
            plan_id=plan.id,
            claim_key=claim_or_none.key if claim_or_none else None,
            object_ids=(),
            source=Source.RULE,
            cause=Cause.CONTRACT,
            severity=Severity.HIGH,
            title=Title(
                nl=f"{plan.name}: '{title}' kan niet zonder de leverancier, die er dan juist niet is",
                en=f"{plan.name}: '{title}' needs the supplier, who is not there then",
            ),
            description="",
            level=claim_or_none.min_level if claim_or_none else None,
            service_id=plan.service_id,
            plan_version=version.number,
        )


def _shared(
    session: Session,
    plan: Plan,
    version: PlanVersion,
    claims: Sequence[PlanClaim],
    pair: EnvironmentPair,
    fate: SharedFate,
) -> Iterator[NewFinding]:
    taken: list[PlanClaim | None] = [claim for claim in claims if claim.kind in AGAINST_LOSS]
    for claim in taken or [None]:
        yield NewFinding(
            key=f"{_RULE}{plan.id}:shared:{pair.id}:{fate.kind}:{_short(fate)}:{claim.key if claim else ''}",
            plan_id=plan.id,
            claim_key=claim.key if claim else None,
            object_ids=(),
            source=Source.RULE,
            cause=Cause.CONTRACT,
            severity=Severity.HIGH if claim else Severity.MEDIUM,
            title=_title(session, pair, fate),
            description="",
            level=claim.min_level if claim else None,
            service_id=plan.service_id,
            plan_version=version.number,
        )


def _short(fate: SharedFate) -> str:
    return fate.key[:60]


def _title(session: Session, pair: EnvironmentPair, fate: SharedFate) -> Title:
    nl, en = _KINDS[fate.kind]
    name = _name(session, fate)
    return Title(
        nl=f"{pair.name}: beide kanten hangen aan {nl} {name}",
        en=f"{pair.name}: both sides hang on {en} {name}",
    )


def _name(session: Session, fate: SharedFate) -> str:
    table: type[Site] | type[Supplier] = Site if fate.kind is SharedKind.SITE else Supplier
    row = session.get(table, fate.key)
    return fate.key if row is None else row.name


def _pair_key(pair: EnvironmentPair, fate: SharedFate) -> str:
    return f"rule:pair:{pair.id}:shared:{fate.kind}:{_short(fate)}"


def _judge_pair_alone(session: Session, pair: EnvironmentPair, *, planned: bool, now: datetime) -> None:
    """A pair of a service without any plan: its shared fate is told all the same, until a plan tells it."""
    for fate in insight.shared_fate(session, pair):
        key = _pair_key(pair, fate)
        if planned:
            findings.withdraw(session, key, now=now, reason="A plan of the service has this finding now.")
            continue
        new = NewFinding(
            key=key,
            plan_id=None,
            claim_key=None,
            object_ids=(),
            source=Source.RULE,
            cause=Cause.CONTRACT,
            severity=Severity.MEDIUM,
            title=_title(session, pair, fate),
            description="",
            service_id=pair.service_id,
        )
        findings.open_finding(session, new, now=now)


def shared_kinds(session: Session, service_id: str) -> frozenset[SharedKind]:
    """What both sides of some pair of the service hang on: one supplier, parent, site or other party."""
    pairs = insight.live_pairs(session, service_id)
    return frozenset(fate.kind for pair in pairs for fate in insight.shared_fate(session, pair))
