"""The form on which somebody signs for a test that was done outside Wissel."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlmodel import Session
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.core import clock, forms, labels
from app.core.browser import Fields, form_with_file
from app.core.db import SessionDep
from app.core.errors import InvalidInput
from app.core.web import field_errors, redirect, render
from app.plans import service
from app.plans.evidence_shapes import AttestationIn
from app.plans.facts import Verdict, WithoutSupplier
from app.plans.models import Plan
from app.plans.parameters import Reviewer

router = APIRouter(include_in_schema=False)
Sent = Annotated[Fields, Depends(form_with_file)]
_HOME = ZoneInfo("Europe/Amsterdam")
_CHUNK = 1 << 20
_DURATIONS = ("rto", "rpo", "hold")
_EVIDENCE = {"name": "evidenceName", "sha256": "evidenceSha256", "takenAt": "evidenceTakenAt"}


@router.get("/plans/{key}/attestations/new")
def attestation(request: Request, session: SessionDep, actor: Reviewer, key: str) -> HTMLResponse:
    """The empty form."""
    return _page(request, session, service.find_plan(session, key), {"level": "3", "verdict": "pass"})


def _page(
    request: Request, session: Session, plan: Plan, values: dict[str, Any], problem: InvalidInput | None = None
) -> HTMLResponse:
    edition = service.approved_version(session, plan.id)
    rows = service.claims_of(session, edition.id) if edition else []
    context: dict[str, Any] = {
        "plan": plan,
        "values": forms.Typed(values),
        "errors": forms.Typed(_named(problem) if problem else {}),
        "claims": [(row.key, f"{labels.label(row.kind).capitalize()} ({row.key})") for row in rows],
        "verdicts": labels.options(Verdict),
        "alone": labels.options(WithoutSupplier),
    }
    status = problem.status if problem else 200
    return render(request, "plans/attest_form.html", status=status, section="services", **context)


def _named(problem: InvalidInput) -> dict[str, str]:
    """The faults by the fields of this form, which has one file."""
    found = field_errors(problem)
    inside = {name.rpartition(".")[2]: reason for name, reason in found.items() if name.startswith("evidence.")}
    own = {name: reason for name, reason in found.items() if not name.startswith("evidence")}
    return own | {_EVIDENCE.get(name, name): reason for name, reason in inside.items()}


@router.post("/plans/{key}/attestations")
def attest(request: Request, session: SessionDep, actor: Reviewer, key: str, fields: Sent) -> Response:
    """Sign for an outside test; its file is not kept, only its fingerprint."""
    plan = service.find_plan(session, key, lock=True)
    values: dict[str, Any] = fields.filled()
    if file := fields.file("file"):
        values |= {"evidenceName": (file.filename or "")[:200], "evidenceSha256": _fingerprint(file)}
    try:
        given = forms.read(AttestationIn, _given(values), durations=_DURATIONS)
        with session.begin_nested():
            service.attest(session, plan, given, actor=actor, now=clock.now())
    except InvalidInput as problem:
        return _page(request, session, plan, values, problem)
    return redirect(f"/plans/{plan.ref}")


def _fingerprint(file: UploadFile) -> str:
    digest = hashlib.sha256()
    while chunk := file.file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """What was typed by the names of the API; moments are those of Amsterdam, as the page says."""
    given = {name: text for name, text in values.items() if not name.startswith("evidence")}
    if "mbco" in given:
        given["mbco"] = given["mbco"].replace(",", ".")
    if str(given.get("level", "")).isdecimal():
        given["level"] = int(given["level"])
    given["mandatorySkipped"] = "mandatorySkipped" in given
    if "performedAt" in given:
        given["performedAt"] = _moment(given["performedAt"])
    taken = _moment(values["evidenceTakenAt"]) if "evidenceTakenAt" in values else given.get("performedAt")
    evidence = {"takenAt": taken} | {
        name: values[cell] for name, cell in _EVIDENCE.items() if name != "takenAt" and cell in values
    }
    return given | {"evidence": [{name: value for name, value in evidence.items() if value is not None}]}


def _moment(text: str) -> datetime | str:
    """A moment without a zone as one of Amsterdam; what is no moment stays as it is, for the shape to refuse."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found.replace(tzinfo=found.tzinfo or _HOME).astimezone(UTC)
