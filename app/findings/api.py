"""Findings by API: list, enter, read, edit, and what is done about them."""

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from sqlmodel import col, select

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import IfMatch, require_match, show_etag
from app.core.errors import FieldError, InvalidInput
from app.core.idempotency import OnceDep
from app.core.listing import Page, link_header
from app.core.messages import say
from app.core.routers import api_router
from app.findings import acceptance, lists, service, work
from app.findings.models import Finding, FindingAction, FindingTransition
from app.findings.rules import Operation
from app.findings.shapes import (
    AcceptanceIn,
    AcceptanceOut,
    ActionIn,
    ActionOut,
    ActionPatch,
    CompletionIn,
    DecisionIn,
    FindingIn,
    FindingOut,
    FindingPatch,
    FindingQuery,
    RejectionIn,
    TransitionIn,
    TransitionOut,
)

router = api_router("/findings", tag="findings")
Reader = Annotated[Actor, Depends(allowed(Action.READ))]
Editor = Annotated[Actor, Depends(allowed(Action.EDIT_FINDING))]
Accepter = Annotated[Actor, Depends(allowed(Action.ACCEPT_RISK))]
Key = Annotated[str, Path(max_length=64, description="Id or human reference, such as FND-001")]
Id = Annotated[str, Path(max_length=36)]


def _shown(session: SessionDep, row: Finding, response: Response) -> FindingOut:
    session.flush()
    show_etag(response, row)
    return lists.shown(session, [row])[0]


def _shown_action(session: SessionDep, row: FindingAction, response: Response) -> ActionOut:
    show_etag(response, row)
    return lists.shown_actions(session, [row])[0]


@router.get("", operation_id="listFindings")
def findings(
    session: SessionDep, _actor: Reader, request: Request, response: Response, query: Annotated[FindingQuery, Query()]
) -> Page[FindingOut]:
    """A page of the findings."""
    rows, total = lists.listed(session, query)
    link_header(request, response, query, total)
    return Page(items=lists.shown(session, rows), total=total, page=query.page, page_size=query.page_size)


@router.post("", operation_id="createFinding", status_code=201, response_model=FindingOut)
def enter(session: SessionDep, actor: Editor, once: OnceDep, response: Response, data: FindingIn) -> Any:
    """Enter a finding from an exercise, an audit or an incident."""

    def make() -> FindingOut:
        row = work.enter(session, data, now=clock.now(), actor=actor)
        response.headers["Location"] = f"/api/v1/findings/{row.id}"
        return _shown(session, row, response)

    return once(make, response)


@router.get("/{key}", operation_id="getFinding")
def finding(session: SessionDep, _actor: Reader, response: Response, key: Key) -> FindingOut:
    """One finding, with what can be done now."""
    return _shown(session, service.find(session, key), response)


@router.patch("/{key}", operation_id="editFinding", response_model=FindingOut)
def edit(
    session: SessionDep,
    actor: Editor,
    response: Response,
    key: Key,
    patch: FindingPatch,  # type: ignore[valid-type]
    if_match: IfMatch = None,
) -> Any:
    """Change cause, owner, due day or the places on the two axes."""
    row = service.find(session, key, lock=True)
    require_match(if_match, row)
    return _shown(session, work.change(session, row, patch.sent(), actor=actor), response)  # type: ignore[attr-defined]


@router.get("/{key}/transitions", operation_id="listFindingTransitions")
def transitions(session: SessionDep, _actor: Reader, key: Key) -> list[TransitionOut]:
    """Each step from state to state, the oldest first."""
    row = service.find(session, key)
    steps = select(FindingTransition).where(FindingTransition.finding_id == row.id)
    return [TransitionOut.model_validate(step) for step in session.exec(steps.order_by(col(FindingTransition.id)))]


@router.post("/{key}/transitions", operation_id="moveFinding", status_code=201)
def move(session: SessionDep, actor: Editor, response: Response, key: Key, data: TransitionIn) -> FindingOut:
    """Start action, ask for a retest, return to action, reopen, or end the acceptance of the risk."""
    row, now = service.find(session, key, lock=True), clock.now()
    if data.operation in (Operation.REOPEN, Operation.END_ACCEPTANCE) and not data.reason:
        sentence = say("Say why.")
        raise InvalidInput(sentence, errors=[FieldError("reason", "required", sentence)])
    if data.operation not in service.legal_operations(session, row):
        raise service.not_now(session, row, data.operation)
    if data.operation is Operation.END_ACCEPTANCE:
        acceptance.end(session, row, now=now, actor=actor, reason=data.reason)
    else:
        service.move(session, row, data.operation, now=now, actor=actor, reason=data.reason)
    return _shown(session, row, response)


@router.post("/{key}/rejections", operation_id="rejectFinding", status_code=201)
def reject(session: SessionDep, actor: Accepter, response: Response, key: Key, data: RejectionIn) -> FindingOut:
    """Say that this is no finding, and why."""
    row = service.find(session, key, lock=True)
    service.move(session, row, Operation.REJECT, now=clock.now(), actor=actor, reason=data.reason)
    return _shown(session, row, response)


@router.get("/{key}/actions", operation_id="listFindingActions")
def actions(session: SessionDep, _actor: Reader, key: Key) -> list[ActionOut]:
    """The actions on a finding, the oldest first."""
    return lists.shown_actions(session, work.actions(session, service.find(session, key)))


@router.post("/{key}/actions", operation_id="createFindingAction", status_code=201, response_model=ActionOut)
def add_action(session: SessionDep, actor: Editor, once: OnceDep, response: Response, key: Key, data: ActionIn) -> Any:
    """Agree on an action; the first one takes an open finding to *action*."""

    def make() -> ActionOut:
        finding = service.find(session, key, lock=True)
        row = work.add_action(session, finding, data, now=clock.now(), actor=actor)
        response.headers["Location"] = f"/api/v1/findings/{finding.id}/actions/{row.id}"
        return _shown_action(session, row, response)

    return once(make, response)


@router.get("/{key}/actions/{actionId}", operation_id="getFindingAction")
def action(
    session: SessionDep, _actor: Reader, response: Response, key: Key, action_id: Annotated[Id, Path(alias="actionId")]
) -> ActionOut:
    """One action."""
    return _shown_action(session, work.find_action(session, service.find(session, key), action_id), response)


@router.patch("/{key}/actions/{actionId}", operation_id="editFindingAction", response_model=ActionOut)
def edit_action(
    session: SessionDep,
    actor: Editor,
    response: Response,
    key: Key,
    action_id: Annotated[Id, Path(alias="actionId")],
    patch: ActionPatch,  # type: ignore[valid-type]
    if_match: IfMatch = None,
) -> Any:
    """Change an action that is not finished."""
    row = work.find_action(session, service.find(session, key, lock=True), action_id)
    require_match(if_match, row)
    return _shown_action(session, work.change_action(session, row, patch.sent(), actor=actor), response)  # type: ignore[attr-defined]


@router.post("/{key}/actions/{actionId}/completions", operation_id="completeFindingAction", status_code=201)
def complete_action(
    session: SessionDep,
    actor: Editor,
    response: Response,
    key: Key,
    action_id: Annotated[Id, Path(alias="actionId")],
    data: CompletionIn | None = None,
) -> ActionOut:
    """Finish an action; only a passing retest verifies the finding itself."""
    row = work.find_action(session, service.find(session, key, lock=True), action_id)
    work.complete_action(session, row, data.note if data else "", now=clock.now(), actor=actor)
    return _shown_action(session, row, response)


@router.get("/{key}/acceptances", operation_id="listAcceptances")
def acceptances(session: SessionDep, _actor: Reader, key: Key) -> list[AcceptanceOut]:
    """Requests to accept the risk that is left, the oldest first."""
    return lists.shown_acceptances(session, acceptance.of(session, service.find(session, key)))


@router.post("/{key}/acceptances", operation_id="requestAcceptance", status_code=201, response_model=AcceptanceOut)
def request_acceptance(
    session: SessionDep, actor: Editor, once: OnceDep, response: Response, key: Key, data: AcceptanceIn
) -> Any:
    """Ask that the risk be accepted; another person with the mandate decides."""

    def make() -> AcceptanceOut:
        finding = service.find(session, key, lock=True)
        wanted = acceptance.Request(
            what_can_happen=data.what_can_happen,
            impact=data.impact,
            control=data.control,
            until=data.until,
            alternatives=tuple(each.model_dump() for each in data.alternatives),
            conditions=data.conditions,
            evidence_seen=data.evidence_seen,
        )
        row = acceptance.request(session, finding, wanted, now=clock.now(), actor=actor)
        response.headers["Location"] = f"/api/v1/findings/{finding.id}/acceptances/{row.id}"
        return lists.shown_acceptances(session, [row])[0]

    return once(make, response)


@router.get("/{key}/acceptances/{acceptanceId}", operation_id="getAcceptance")
def one_acceptance(
    session: SessionDep, _actor: Reader, key: Key, acceptance_id: Annotated[Id, Path(alias="acceptanceId")]
) -> AcceptanceOut:
    """One request to accept the risk that is left."""
    row = acceptance.find(session, service.find(session, key), acceptance_id)
    return lists.shown_acceptances(session, [row])[0]


@router.post("/{key}/acceptances/{acceptanceId}/decisions", operation_id="decideOnAcceptance", status_code=201)
def decide(
    session: SessionDep,
    actor: Accepter,
    key: Key,
    acceptance_id: Annotated[Id, Path(alias="acceptanceId")],
    data: DecisionIn,
) -> AcceptanceOut:
    """Accept the risk, or refuse to; never by the person who asked."""
    row = acceptance.decide(
        session,
        service.find(session, key, lock=True),
        acceptance_id,
        accept=data.accepted,
        mandate=data.mandate,
        reason=data.reason,
        now=clock.now(),
        actor=actor,
    )
    return lists.shown_acceptances(session, [row])[0]
