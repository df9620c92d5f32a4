"""Gathers the first page: are we safe, what is due, and what can this reader do now."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session, col, select

from app.access.rules import Action, Actor, may
from app.catalog import service as catalog
from app.catalog.models import Service
from app.core import formats, outbox
from app.core.charts import Bar, Chart, Part, measured_line, stacked_bars
from app.core.i18n import gettext as _
from app.core.i18n import pick
from app.core.messages import Message
from app.core.month import Month, month
from app.drills import service as drills
from app.drills.models import Drill
from app.drills.rules import MomentState
from app.findings import matrix
from app.findings.models import Acceptance, Finding
from app.findings.rules import AcceptanceState, Severity
from app.plans import service as plans
from app.plans.facts import Status, VersionState
from app.plans.models import Plan, PlanVersion
from app.plans.portrait import sentence
from app.plans.standing import Standing
from app.plans.worth import worth
from app.runs import activated, approval
from app.runs.loss import ObligationKind
from app.runs.models import Obligation, Run
from app.runs.rules import RunState, RunVerdict

REALLY_SHOWN = 3
COUNTS = (Status.PROVEN, Status.PARTIALLY_PROVEN, Status.PAPER_ONLY)
BAD = (Status.FAILED, Status.OVERDUE, Status.STALE, Status.NEVER_TESTED, Status.PAPER_ONLY, Status.DRAFT)
SHORT_LIST = 8
UNDER_WAY = (
    RunState.QUEUED,
    RunState.RUNNING,
    RunState.PAUSED_BY_OPERATOR,
    RunState.PAUSED_BY_FAILED_STEP,
    RunState.PAUSED_BY_GUARD,
    RunState.WAITING,
    RunState.UNDOING,
    RunState.ABORTING,
)
_TONES = {RunVerdict.PASSED: "positive", RunVerdict.FAILED: "negative", RunVerdict.ABORTED: "negative"}


@dataclass(frozen=True)
class PlanStand:
    """A plan with where it stands."""

    plan: Plan
    service: Service
    status: Status
    sentence: Message
    level: int
    """Highest level of a claim that still counts."""


@dataclass(frozen=True)
class Waiting:
    """Something that this reader can decide or answer now."""

    kind: str
    """read-message, approve-run, answer-run, approve-plan, accept-risk, settle-debt or review-activation."""
    title: str
    href: str
    since: datetime | None


@dataclass(frozen=True)
class CalendarItem:
    """Something on a day of the calendar."""

    label: str
    href: str
    tone: str


@dataclass(frozen=True)
class Coming:
    """A planned moment of a drill."""

    drill: Drill
    due: datetime


@dataclass(frozen=True)
class Overview:
    """Everything on the first page."""

    services: list[Service]
    shown: int
    """Services of which at least one claim was really shown (level 3 and up) and still counts."""
    counts: Counter[Status]
    """Plans per status, and services without any plan."""
    stands: list[PlanStand]
    bad: list[PlanStand]
    bare: list[Service]
    """Services without a plan."""
    coverage: Chart
    findings: list[Finding]
    matrix: Chart
    waiting: list[Waiting]
    real: list[Run]
    """The real thing, under way now."""
    going: list[Run]
    recent: list[Run]
    coming: list[Coming]
    calendar: Month
    lines: list[Chart]

    @property
    def unplaced(self) -> int:
        """Open findings that nobody placed on the matrix."""
        return sum(finding.impact_now is None or finding.control_now is None for finding in self.findings)

    @property
    def serious(self) -> int:
        """Open findings of high severity."""
        return sum(finding.severity is Severity.HIGH for finding in self.findings)


def overview(session: Session, actor: Actor, *, unit: str, now: datetime) -> Overview:
    """The first page for this reader, of one unit or of all."""
    wanted = select(Service).where(col(Service.archived_at).is_(None)).order_by(col(Service.name))
    services = list(session.exec(wanted.where(Service.unit == unit) if unit else wanted).all())
    stands = plan_stands(session, services, now=now)
    planned = {stand.service.id for stand in stands}
    bare = [row for row in services if row.id not in planned]
    counts = Counter(stand.status for stand in stands)
    counts[Status.NO_PLAN] = len(bare)
    levels = levels_of(services, stands)
    ids = {row.id for row in services}
    findings = [row for row in matrix.open_findings(session) if not unit or row.service_id in ids]
    runs = _runs(session, ids if unit else None)
    coming = _coming(session, ids if unit else None, now=now)
    return Overview(
        services=services,
        shown=sum(level >= REALLY_SHOWN for level in levels.values()),
        counts=counts,
        stands=stands,
        bad=sorted((stand for stand in stands if stand.status in BAD), key=_urgency),
        bare=bare,
        coverage=_coverage(services, levels),
        findings=findings,
        matrix=matrix.drawn(findings),
        waiting=waiting(session, actor, now=now),
        real=[run for run in runs if run.activation and run.ended is None],
        going=[run for run in runs if run.state in UNDER_WAY and not run.activation],
        recent=[run for run in runs if run.ended_at][:SHORT_LIST],
        coming=_first_of_each(coming)[:SHORT_LIST],
        calendar=_calendar(coming, runs, now=now),
        lines=_lines(services, runs),
    )


def plan_stands(session: Session, services: Sequence[Service], *, now: datetime) -> list[PlanStand]:
    """Each plan of these services with its status, computed at `now`."""
    by_id = {row.id: row for row in services}
    wanted = select(Plan).where(col(Plan.service_id).in_(by_id), col(Plan.archived_at).is_(None))
    changes = catalog.substantive_changes(session)
    made = []
    for plan in session.exec(wanted.order_by(col(Plan.ref))).all():
        found = plans.standing(session, plan, now=now, changes=changes)
        told = sentence(found, now=now)
        made.append(PlanStand(plan, by_id[plan.service_id], found.status.status, told, _level(found)))
    return made


def _level(found: Standing) -> int:
    claims = {claim.key: claim for claim in found.facts.claims}
    counted = [
        worth(claims[each.key], each.proof).level
        for each in found.status.claims
        if each.status in COUNTS and each.proof is not None
    ]
    return max(counted, default=0) if found.version else 0


def levels_of(services: Sequence[Service], stands: Sequence[PlanStand]) -> dict[str, int]:
    """Per service the highest level that still counts; 0 where nothing does."""
    levels = {row.id: 0 for row in services}
    for stand in stands:
        levels[stand.service.id] = max(levels[stand.service.id], stand.level)
    return levels


def _urgency(stand: PlanStand) -> tuple[bool, int, str]:
    return not stand.service.criticality.counts_as_critical, BAD.index(stand.status), stand.service.name


def _coverage(services: Sequence[Service], levels: dict[str, int]) -> Chart:
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row in services:
        groups[row.unit or _("No unit")].append(levels[row.id])
    rows = {_("All services"): list(levels.values())} | (dict(sorted(groups.items())) if len(groups) > 1 else {})
    names = (
        _("0 nothing"),
        _("1 reviewed"),
        _("2 talked through"),
        _("3 part really tested"),
        _("4 whole chain"),
        _("5 real life"),
    )
    bars = [
        Bar(name, tuple(Part(names[level], found.count(level), level) for level in range(6)))
        for name, found in rows.items()
    ]
    return stacked_bars(_("Services by the highest level that still counts"), bars)


def waiting(session: Session, actor: Actor, *, now: datetime) -> list[Waiting]:
    """What waits for this reader: messages, runs to approve or answer, plans, risks to accept, debts, reviews."""
    found = _messages(session, actor, now)
    if may(actor, Action.OPERATE_RUN):
        found += _owed(session, ObligationKind.DEBT, "settle-debt")
    if may(actor, Action.APPROVE_RUN):
        found += _owed(session, ObligationKind.REVIEW, "review-activation", by=actor.ref)
        found += _runs_to_approve(session, actor, now)
    if may(actor, Action.ANSWER_STEP):
        found += _runs_in(session, RunState.WAITING, "answer-run")
    if may(actor, Action.APPROVE_PLAN):
        found += _plans_to_approve(session, actor)
    if may(actor, Action.ACCEPT_RISK):
        found += _risks_to_accept(session, actor)
    return found


def _runs_in(session: Session, state: RunState, kind: str) -> list[Waiting]:
    wanted = select(Run, Drill).join(Drill, col(Drill.id) == Run.drill_id).where(Run.state == state)
    rows = session.exec(wanted.order_by(col(Run.planned_at))).all()
    return [Waiting(kind, f"{run.ref} {drill.title}", f"/runs/{run.ref}", run.planned_at) for run, drill in rows]


def _runs_to_approve(session: Session, actor: Actor, now: datetime) -> list[Waiting]:
    """The runs that wait for the word of others, of whom the reader is one who has not given it."""
    wanted = (
        select(Run, Drill).join(Drill, col(Drill.id) == Run.drill_id).where(Run.state == RunState.AWAITING_APPROVAL)
    )
    found = []
    for run, drill in session.exec(wanted.order_by(col(Run.planned_at))).all():
        rows = approval.bearing(session, run, lock=False)
        said = {row.person_id for row in rows if approval.why_not(session, row, run, now=now) is None}
        if actor.person_id not in said | approval.excluded(session, drill, run):
            found.append(Waiting("approve-run", f"{run.ref} {drill.title}", f"/runs/{run.ref}", run.planned_at))
    return found


def _messages(session: Session, actor: Actor, now: datetime) -> list[Waiting]:
    """What the reader was told and did not read; what asks for an approval stands in the list itself."""
    rows = outbox.for_person(session, actor.person_id, now=now) if actor.person_id else []
    return [
        Waiting("read-message", row.subject, "/account/messages", row.created_at)
        for row in rows
        if row.kind != "approval-asked"
    ]


def _owed(session: Session, kind: ObligationKind, word: str, *, by: str = "") -> list[Waiting]:
    """What an activation left to be done; a review is not for who had a hand in it."""
    wanted = select(Obligation, Run).join(Run, col(Run.id) == Obligation.run_id).where(Obligation.kind == kind)
    rows = session.exec(wanted.where(col(Obligation.done_at).is_(None)).order_by(col(Obligation.id))).all()
    return [
        Waiting(word, f"{run.ref}: {pick(row.text) if row.text else row.what}", f"/runs/{run.ref}", run.started_at)
        for row, run in rows
        if not by or by not in activated.involved(session, run)
    ]


def _plans_to_approve(session: Session, actor: Actor) -> list[Waiting]:
    wanted = (
        select(PlanVersion, Plan)
        .join(Plan, col(Plan.id) == PlanVersion.plan_id)
        .where(PlanVersion.state == VersionState.IN_REVIEW, col(Plan.archived_at).is_(None))
    )
    return [
        Waiting(
            "approve-plan",
            f"{plan.name} {version.number}",
            f"/plans/{plan.ref}/versions/{version.number}",
            version.submitted_at,
        )
        for version, plan in session.exec(wanted).all()
        if actor.ref not in {version.author, *version.editors}
    ]


def _risks_to_accept(session: Session, actor: Actor) -> list[Waiting]:
    wanted = (
        select(Acceptance, Finding)
        .join(Finding, col(Finding.id) == Acceptance.finding_id)
        .where(Acceptance.state == AcceptanceState.REQUESTED)
    )
    return [
        Waiting("accept-risk", matrix.title(finding), f"/findings/{finding.ref}#acceptances", row.requested_at)
        for row, finding in session.exec(wanted).all()
        if row.requested_by_id != actor.person_id
    ]


def _runs(session: Session, services: set[str] | None) -> list[Run]:
    """Runs of the last year, the newest first."""
    wanted = select(Run).order_by(col(Run.planned_at).desc()).limit(500)
    if services is not None:
        wanted = wanted.where(col(Run.service_id).in_(services))
    return list(session.exec(wanted).all())


def _coming(session: Session, services: set[str] | None, *, now: datetime) -> list[Coming]:
    found = []
    for drill in session.exec(select(Drill).where(col(Drill.archived_at).is_(None))).all():
        if services is None or drill.service_id in services:
            moments = drills.coming_of(session, drill, count=6, now=now)
            planned = [nominal for nominal, judged in moments if judged.state is MomentState.PLANNED]
            found += [Coming(drill, nominal.due) for nominal in planned]
    return sorted(found, key=lambda each: each.due)


def _first_of_each(coming: Sequence[Coming]) -> list[Coming]:
    """The next moment of each drill: a monthly one does not push the others off the list."""
    first = {each.drill.id: each for each in reversed(coming)}
    return sorted(first.values(), key=lambda each: each.due)


def _calendar(coming: Sequence[Coming], runs: Sequence[Run], *, now: datetime) -> Month:
    items: defaultdict[date, list[CalendarItem]] = defaultdict(list)
    for run in reversed(runs):
        tone = _TONES.get(run.verdict, "warning") if run.verdict else "info"
        item = CalendarItem(run.ref, f"/runs/{run.ref}", tone)
        items[formats.local(run.planned_at).date()].append(item)
    for each in coming:
        day = formats.local(each.due).date()
        items[day].append(CalendarItem(each.drill.title, f"/drills/{each.drill.ref}", "info"))
    today = formats.local(now).date()
    return month(today.year, today.month, items, today=today)


def _lines(services: Sequence[Service], runs: Sequence[Run]) -> list[Chart]:
    """Measured recovery time against its goal, for services that were measured twice or more; three at most."""
    measured: defaultdict[str, list[tuple[datetime, float]]] = defaultdict(list)
    since = datetime.now(UTC) - timedelta(days=3 * 365)
    for run in reversed(runs):
        if run.service_id and run.rta_ms is not None and run.ended_at and run.ended_at > since:
            measured[run.service_id].append((run.ended_at, run.rta_ms / 1000))
    found = [(row, measured[row.id]) for row in services if len(measured[row.id]) > 1]
    return [
        measured_line(_("%(name)s: measured recovery time (RTA)") % {"name": row.name}, points[-12:], goal=row.rto)
        for row, points in found[:3]
    ]
