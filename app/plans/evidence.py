"""Records proofs: of runs, of reviews by people, and of tests that were done outside; none is ever changed again."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from app.access.behind import people_behind
from app.access.rules import Actor
from app.catalog import service as catalog
from app.catalog.rules import Assurance
from app.core import audit
from app.core.errors import FieldError, InvalidInput
from app.core.i18n import TwoLanguages
from app.core.messages import Message, say
from app.findings import service as findings
from app.findings.service import NewFinding, Title
from app.plans import standing
from app.plans.errors import AuthorCannotApprove, EvidenceNewerThanSignature, NothingApproved, OwnerCannotSign
from app.plans.evidence_shapes import AttestationIn, ReviewIn
from app.plans.facts import ProofSource, Verdict, WithoutSupplier, Worth
from app.plans.judging import AGAINST_LOSS, shared_kinds
from app.plans.models import MissedTest, Plan, PlanClaim, PlanVersion, ProofRow
from app.plans.worth import TOLD_AT_MOST, worth
from app.playbooks.rules import ClaimKind

REALLY_DONE = 3


@dataclass(frozen=True)
class NewProof:
    """What a run showed of one claim; the level was decided by `app.plans.levels.proof_level`."""

    plan_id: str
    plan_major: int
    claim_key: str
    level: int
    verdict: Verdict | str
    at: datetime
    reason: TwoLanguages
    level_why: Message | None = None
    """Why the level is not higher: `Level.why`."""
    rto_ms: int | None = None
    rpo_ms: int | None = None
    hold_s: float | None = None
    mbco: float | None = None
    without_supplier: WithoutSupplier | str = WithoutSupplier.UNKNOWN
    mandatory_skipped: bool = False
    simulated: bool = False
    attested: bool = False
    run_id: str | None = None


def record_proof(session: Session, new: NewProof, *, now: datetime | None = None, by: str = "system") -> ProofRow:
    """Write a run's proof, let it work on findings of the claim, and tell the catalogue what was tested.

    A run proves a claim once: the same run and claim again answers the row that stands; only a failure that was seen
    later in the run is written beside it. The caller calls `refresh`.
    """
    if new.run_id is not None:
        wanted = select(ProofRow).where(
            ProofRow.run_id == new.run_id, ProofRow.plan_id == new.plan_id, ProofRow.claim_key == new.claim_key
        )
        before = session.exec(wanted.order_by(col(ProofRow.at).desc())).first()
        if before is not None and (before.verdict is Verdict.FAIL or Verdict(new.verdict) is not Verdict.FAIL):
            return before
    row = ProofRow(
        plan_id=new.plan_id,
        plan_major=new.plan_major,
        claim_key=new.claim_key,
        source=ProofSource.ATTESTED if new.attested else ProofSource.RUN,
        level=new.level,
        verdict=Verdict(new.verdict),
        at=new.at,
        recorded_at=max(now or new.at, new.at),
        recorded_by=by,
        rto_ms=new.rto_ms,
        rpo_ms=new.rpo_ms,
        hold_ms=None if new.hold_s is None else round(new.hold_s * 1000),
        mbco=new.mbco,
        without_supplier=WithoutSupplier(new.without_supplier),
        mandatory_skipped=new.mandatory_skipped,
        simulated=new.simulated,
        attested=new.attested,
        run_id=new.run_id,
        reason_nl=new.reason.nl,
        reason_en=new.reason.en,
        level_why=asdict(new.level_why) if new.level_why else {},
    )
    return _write(session, row)


def _write(session: Session, row: ProofRow) -> ProofRow:
    session.add(row)
    session.flush()
    detail = {"claim": row.claim_key, "level": row.level, "verdict": row.verdict.value, "source": row.source.value}
    audit.record(session, row.recorded_by, "proof.recorded", "plan", row.plan_id, **detail)
    version = standing.approved_version(session, row.plan_id)
    rows = standing.claims_of(session, version.id) if version else []
    claim = next((each for each in rows if each.key == row.claim_key), None)
    if claim is not None:
        counted = worth(standing.as_claim(claim), standing.as_proof(row))
        _retest(session, row, claim, counted)
        _tell_catalogue(session, row, claim, counted)
    return row


def _retest(session: Session, row: ProofRow, claim: PlanClaim, counted: Worth) -> None:
    """Let the proof work on the claim's findings, unless it was told or pretended, or both sides share their fate."""
    if row.attested or row.simulated:
        return
    plan = standing.find_plan(session, row.plan_id)
    passed = counted.verdict is Verdict.PASS
    if passed and claim.kind in AGAINST_LOSS and shared_kinds(session, plan.service_id):
        # The switch went well and proves nothing against the loss of what both sides hang on.
        return
    findings.record_retest(
        session,
        row.plan_id,
        row.claim_key,
        level=counted.level,
        verdict=counted.verdict.value,
        run_id=row.run_id,
        at=row.at,
    )


def _tell_catalogue(session: Session, row: ProofRow, claim: PlanClaim, counted: Worth) -> None:
    """Push what the right derives: assurance of the measures that the claim rests on, proven access to its objects."""
    if counted.verdict is Verdict.INCONCLUSIVE:
        return
    passed = counted.verdict is Verdict.PASS
    for measure_id in claim.measure_ids:
        word = _assurance(session, row, passed=passed, level=counted.level)
        catalog.record_measure_tested(session, measure_id, word, row.at, counted.verdict.value)
    reached = passed and counted.level >= REALLY_DONE and row.without_supplier is WithoutSupplier.YES
    if reached and claim.kind is ClaimKind.ACCESS_WITHOUT_SUPPLIER:
        for object_id in claim.object_ids:
            catalog.record_access_proven(session, object_id, row.run_id or row.id, row.at)


def _assurance(session: Session, row: ProofRow, *, passed: bool, level: int) -> Assurance | None:
    if not passed:
        return None
    if level < REALLY_DONE:
        return Assurance.DESIGN
    wanted = select(ProofRow).where(
        ProofRow.plan_id == row.plan_id,
        ProofRow.claim_key == row.claim_key,
        ProofRow.at < row.at,
        ProofRow.level >= REALLY_DONE,
    )
    before = session.exec(wanted.order_by(col(ProofRow.at).desc())).first()
    again = before is not None and before.verdict is Verdict.PASS
    return Assurance.OPERATING if again else Assurance.EXISTENCE


def record_missed(session: Session, plan_id: str, *, moment_id: str, at: datetime, code: str, now: datetime) -> None:
    """Note that a planned test of the plan did not begin; the same moment again changes nothing."""
    if session.get(MissedTest, moment_id) is None:
        session.add(MissedTest(id=moment_id, plan_id=plan_id, at=at, reason_code=code[:40], created_at=now))
        session.flush()


def forget_missed(session: Session, moment_id: str) -> None:
    """Take back that a planned test was missed: the clock that said so was wrong."""
    row = session.get(MissedTest, moment_id)
    if row is not None:
        session.delete(row)
        session.flush()


def review(session: Session, plan: Plan, given: ReviewIn, *, actor: Actor, now: datetime) -> list[ProofRow]:
    """A recorded review (level 1) of claims of the approved version, or of the newest where none is approved.

    Raises AuthorCannotApprove where the reader wrote in that version.
    """
    version = _version_to_judge(session, plan)
    if actor.person_id in people_behind(session, [version.author, *version.editors]):
        raise AuthorCannotApprove(say("You wrote in this version. Somebody else reviews it."))
    known = {claim.key for claim in standing.claims_of(session, version.id)}
    _refuse_unknown(given.claims, known)
    rows = []
    for key in dict.fromkeys(given.claims):
        row = ProofRow(
            plan_id=plan.id,
            plan_major=version.major,
            claim_key=key,
            source=ProofSource.REVIEW,
            level=1,
            verdict=given.verdict,
            at=now,
            recorded_at=now,
            recorded_by=actor.ref,
            reason_nl=given.note,
            reason_en=given.note,
        )
        rows.append(_write(session, row))
        if given.verdict is Verdict.FAIL:
            _open_for(session, plan, version, row, actor=actor, now=now)
    standing.refresh(session, now=now, plan_ids=[plan.id], why="a review was recorded")
    return rows


def _version_to_judge(session: Session, plan: Plan) -> PlanVersion:
    version = standing.approved_version(session, plan.id) or next(iter(standing.versions_of(session, plan.id)), None)
    if version is None or plan.archived_at is not None:
        raise NothingApproved(say("{ref} has no version to judge.", ref=plan.ref))
    return version


def _refuse_unknown(keys: list[str], known: set[str]) -> None:
    unknown = [key for key in keys if key not in known]
    if unknown:
        reason = say("The plan makes no claim '{claim}'.", claim=unknown[0])
        raise InvalidInput(reason, errors=[FieldError("claims", "unknown-claim", reason)])


def attest(session: Session, plan: Plan, given: AttestationIn, *, actor: Actor, now: datetime) -> ProofRow:
    """A test that was done outside, signed by who sends it; counts for level 3 at most and clears no failure.

    Raises OwnerCannotSign, EvidenceNewerThanSignature, NothingApproved, InvalidInput.
    """
    version = standing.approved_version(session, plan.id)
    if version is None:
        raise NothingApproved(say("{ref} has no approved version: there is nothing to prove yet.", ref=plan.ref))
    _refuse_owner(session, plan, version, actor)
    _refuse_unknown([given.claim], {claim.key for claim in standing.claims_of(session, version.id)})
    signed_at = given.signed_at or now
    _refuse_newer(given, signed_at, now=now)
    row = ProofRow(
        plan_id=plan.id,
        plan_major=_major_at(session, plan, given.performed_at, version),
        claim_key=given.claim,
        source=ProofSource.ATTESTED,
        level=min(given.level, TOLD_AT_MOST) if given.verdict is not Verdict.FAIL else given.level,
        verdict=given.verdict,
        at=given.performed_at,
        recorded_at=now,
        recorded_by=actor.ref,
        rto_ms=None if given.rto is None else given.rto * 1000,
        rpo_ms=None if given.rpo is None else given.rpo * 1000,
        hold_ms=None if given.hold is None else given.hold * 1000,
        mbco=given.mbco,
        without_supplier=given.without_supplier,
        mandatory_skipped=given.mandatory_skipped,
        attested=True,
        reason_nl=given.note,
        reason_en=given.note,
        signed_at=signed_at,
        evidence=[file.model_dump(mode="json", by_alias=True) for file in given.evidence],
    )
    _write(session, row)
    if given.verdict is Verdict.FAIL:
        _open_for(session, plan, version, row, actor=actor, now=now)
    standing.refresh(session, now=now, plan_ids=[plan.id], why="an outside test was attested")
    return row


def _refuse_owner(session: Session, plan: Plan, version: PlanVersion, actor: Actor) -> None:
    wrote = people_behind(session, [version.author, *version.editors, plan.created_by])
    if actor.person_id == plan.owner_id or actor.person_id in wrote:
        raise OwnerCannotSign(say("You own or wrote this plan. Somebody else signs for a test that was done outside."))


def _major_at(session: Session, plan: Plan, at: datetime, current: PlanVersion) -> int:
    """The major version that was tested: the one in force when it was performed, the present one before any."""
    then = standing.approved_version(session, plan.id, at=at)
    return then.major if then else current.major


def _refuse_newer(given: AttestationIn, signed_at: datetime, *, now: datetime) -> None:
    wrong: list[tuple[str, Message]] = []
    if signed_at > now:
        wrong.append(("signedAt", say("The signature is of a later moment than now.")))
    if given.performed_at > signed_at:
        wrong.append(("performedAt", say("The test is of a later moment than the signature under it.")))
    for number, file in enumerate(given.evidence):
        if file.taken_at > signed_at:
            reason = say("'{name}' is newer than the signature under it.", name=file.name)
            wrong.append((f"evidence/{number}/takenAt", reason))
    if wrong:
        errors = [FieldError(field, "newer-than-signature", reason) for field, reason in wrong]
        raise EvidenceNewerThanSignature(wrong[0][1], errors=errors)


def _open_for(
    session: Session, plan: Plan, version: PlanVersion, row: ProofRow, *, actor: Actor, now: datetime
) -> None:
    how = Title("bij een review", "in a review")
    if row.attested:
        how = Title("bij een test buiten Wissel", "in an outside test")
    findings.open_finding(
        session,
        NewFinding(
            key=f"proof:{plan.id}:{row.claim_key}:{row.source.value}",
            plan_id=plan.id,
            claim_key=row.claim_key,
            object_ids=(),
            source="audit",
            cause=None,
            severity="high",
            title=Title(
                nl=f"{plan.name}: '{row.claim_key}' is {how.nl} gezakt",
                en=f"{plan.name}: '{row.claim_key}' failed {how.en}",
            ),
            description=row.reason_en,
            level=row.level,
            service_id=plan.service_id,
            plan_version=version.number,
        ),
        now=now,
        actor=actor,
    )
