"""Gathers what stands in a kit: the service, its sides, its plans with their last proof, and every playbook by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from app.catalog import insight, pictures
from app.catalog.insight import Dependencies
from app.catalog.models import CatalogObject, Contract, ContractService, Measure, ObjectService, Service
from app.catalog.rules import Known
from app.core.errors import NotFound, Problem
from app.drills.models import Drill
from app.plans import service as plans
from app.plans.content import Contact, MvoContent, PlanContent
from app.plans.facts import PlanKind
from app.plans.models import Mvo, MvoVersion, Plan, PlanVersion
from app.plans.portrait import Portrait, portrait
from app.playbooks import portrait as playbook_portrait
from app.playbooks import service as playbooks
from app.playbooks.models import PlaybookVersion
from app.playbooks.models import VersionState as PlaybookState
from app.playbooks.portrait import StepShown
from app.playbooks.rules import ClaimKind, Playbook
from app.runs import drivers
from app.runs.models import EvidenceFile, Run
from app.runs.preview import preview
from app.runs.shapes import CallOut


@dataclass(frozen=True)
class Planned:
    """A drill that has the playbook in it: the values it fills in, and each resolved call by step."""

    drill: Drill
    calls: dict[str, CallOut]
    refused: Problem | None
    """Why the calls cannot be told now."""


@dataclass(frozen=True)
class PlaybookPart:
    """A playbook as people carry it out by hand."""

    version: PlaybookVersion | None
    name: str
    content: Playbook | None
    """None where the plan names a playbook that is not here."""
    steps: Sequence[StepShown]
    planned: Sequence[Planned]
    named: bool = True
    """Whether the plan or one of its drills has it; else it is added because the plan has none for a lost side."""

    def calls(self, step_id: str) -> list[tuple[CallOut, list[Drill]]]:
        """The different calls that a step would make, each with the drills that would make it."""
        found: list[tuple[CallOut, list[Drill]]] = []
        for each in self.planned:
            call = each.calls.get(step_id)
            same = next((drills for other, drills in found if other == call), None)
            if same is not None:
                same.append(each.drill)
            elif call is not None:
                found.append((call, [each.drill]))
        return found

    @property
    def without_instruction(self) -> list[StepShown]:
        """Automated steps for which nobody wrote how to do them by hand."""
        return [each for each in self.steps if each.step.uses is not None and each.step.manual is None]


@dataclass(frozen=True)
class PlanPart:
    """A plan in the version in force (or its draft), where it stands, and the playbooks that carry it out."""

    plan: Plan
    version: PlanVersion | None
    content: PlanContent
    portrait: Portrait
    mvo: tuple[Mvo, MvoVersion, MvoContent] | None
    playbooks: Sequence[PlaybookPart]
    proven_by: Sequence[tuple[str, str, Sequence[EvidenceFile]]]
    """Claim key, reference of the run whose proof decides, and the files of that run."""


@dataclass(frozen=True)
class Kit:
    """Everything in the kit of one service."""

    service: Service
    pairs: Sequence[pictures.Pair]
    around: Dependencies
    objects: Sequence[CatalogObject]
    measures: Sequence[tuple[Contract, Measure]]
    plans: Sequence[PlanPart]

    @property
    def contacts(self) -> list[Contact]:
        """Everybody whom a plan names, each once."""
        found = {(each.role, each.name): each for part in self.plans for each in part.content.contacts}
        return list(found.values())

    @property
    def gaps(self) -> list[tuple[PlaybookPart, StepShown]]:
        """The automated steps that nobody could do from this paper."""
        parts = {part.name: part for plan in self.plans for part in plan.playbooks}
        return [(part, step) for part in parts.values() for step in part.without_instruction]


def gather(session: Session, service: Service, *, now: datetime) -> Kit:
    """The kit of a service as of `now`; reads only."""
    wanted = select(Plan).where(Plan.service_id == service.id, col(Plan.archived_at).is_(None)).order_by(col(Plan.ref))
    return Kit(
        service=service,
        pairs=pictures.pairs(session, service),
        around=insight.dependencies(session, service),
        objects=_objects(session, service),
        measures=_measures(session, service),
        plans=[_plan(session, plan, now=now) for plan in session.exec(wanted).all()],
    )


def _objects(session: Session, service: Service) -> Sequence[CatalogObject]:
    """What the service needs, except what is known not to be needed by the minimum."""
    wanted = (
        select(CatalogObject)
        .join(ObjectService, col(ObjectService.object_id) == col(CatalogObject.id))
        .where(ObjectService.service_id == service.id, col(CatalogObject.archived_at).is_(None))
        .where(col(CatalogObject.needed_for_mvo) != Known.NO)
    )
    return session.exec(wanted.order_by(col(CatalogObject.kind), col(CatalogObject.name))).all()


def _measures(session: Session, service: Service) -> Sequence[tuple[Contract, Measure]]:
    """The contract's measures that people can fall back on: those that are there."""
    wanted = (
        select(Contract, Measure)
        .join(Measure, col(Measure.contract_id) == col(Contract.id))
        .join(ContractService, col(ContractService.contract_id) == col(Contract.id))
        .where(ContractService.service_id == service.id, Measure.present == Known.YES)
        .where(col(Contract.archived_at).is_(None), col(Measure.archived_at).is_(None))
    )
    return session.exec(wanted.order_by(col(Contract.ref), col(Measure.ref))).all()


def _plan(session: Session, plan: Plan, *, now: datetime) -> PlanPart:
    version = plans.approved_version(session, plan.id) or next(iter(plans.versions_of(session, plan.id)), None)
    content = PlanContent.model_validate(version.content if version else {})
    drills = session.exec(
        select(Drill).where(Drill.plan_id == plan.id, col(Drill.archived_at).is_(None)).order_by(col(Drill.ref))
    ).all()
    stands = portrait(session, plan, now=now)
    return PlanPart(
        plan=plan,
        version=version,
        content=content,
        portrait=stands,
        mvo=_mvo(session, version),
        playbooks=_playbooks(session, plan, content.playbooks, drills),
        proven_by=_proven_by(session, stands),
    )


def _mvo(session: Session, version: PlanVersion | None) -> tuple[Mvo, MvoVersion, MvoContent] | None:
    if version is None or version.mvo_version_id is None:
        return None
    row = session.get_one(MvoVersion, version.mvo_version_id)
    return session.get_one(Mvo, row.mvo_id), row, MvoContent.model_validate(row.content)


def _playbooks(session: Session, plan: Plan, named: Iterable[str], drills: Sequence[Drill]) -> list[PlaybookPart]:
    """What carries the plan out; a plan to fall back that has nothing for a lost side gets what Wissel ships for it."""
    parts = list(_own_playbooks(session, named, drills))
    if plan.kind is not PlanKind.FALLBACK or any(_for_a_lost_side(part.content) for part in parts):
        return parts
    published = select(PlaybookVersion).where(PlaybookVersion.state == PlaybookState.PUBLISHED)
    newest = {row.name: row for row in session.exec(published.order_by(col(PlaybookVersion.version)))}
    more = [row for _name, row in sorted(newest.items()) if _for_a_lost_side(playbooks.content(row))]
    return [*parts, *(_part(row, (), named=False) for row in more)]


def _for_a_lost_side(content: Playbook | None) -> bool:
    return content is not None and ClaimKind.FAILOVER in content.proves


def _own_playbooks(session: Session, named: Iterable[str], drills: Sequence[Drill]) -> Iterable[PlaybookPart]:
    """What the plan names, then what its drills use besides; each in the version that would run."""
    pinned = {drill.id: session.get_one(PlaybookVersion, drill.playbook_id) for drill in drills}
    for name in dict.fromkeys([*named, *(row.name for row in pinned.values())]):
        using = [drill for drill in drills if pinned[drill.id].name == name]
        version = _newest(session, name)
        if version is None:
            yield PlaybookPart(None, name, None, (), ())
            continue
        yield _part(version, [_planned(session, drill) for drill in using])


def _part(version: PlaybookVersion, planned: Sequence[Planned], *, named: bool = True) -> PlaybookPart:
    content = playbooks.content(version)
    return PlaybookPart(
        version, version.name, content, playbook_portrait.steps(content, drivers.registry()), planned, named
    )


def _newest(session: Session, name: str) -> PlaybookVersion | None:
    try:
        found = playbooks.get(session, name)
    except NotFound:
        return None
    return found if found.state is PlaybookState.PUBLISHED else None


def _planned(session: Session, drill: Drill) -> Planned:
    try:
        shown = preview(session, drill)
    except Problem as problem:
        return Planned(drill, {}, problem)
    return Planned(drill, {call.step: call for call in shown.calls}, None)


def _proven_by(session: Session, stands: Portrait) -> list[tuple[str, str, Sequence[EvidenceFile]]]:
    found = []
    for claim in stands.claims:
        run = session.get(Run, claim.proof.run_id) if claim.proof and claim.proof.run_id else None
        if run is not None:
            wanted = select(EvidenceFile).where(EvidenceFile.run_id == run.id).order_by(col(EvidenceFile.sha256))
            found.append((claim.key, run.ref, session.exec(wanted).all()))
    return found
