"""The real thing by API: a plan is put to work. It is a run like any other from then on."""

from typing import Annotated, Any

from fastapi import Depends, Response

from app.access.guard import allowed
from app.access.rules import Action, Actor
from app.core import clock
from app.core.db import SessionDep
from app.core.edits import show_etag
from app.core.idempotency import OnceDep
from app.core.routers import api_router
from app.runs import activations, shown
from app.runs.activation_shapes import ActivationIn
from app.runs.shapes import RunOut

router = api_router(tag="runs")
Operator = Annotated[Actor, Depends(allowed(Action.OPERATE_RUN))]


@router.post("/activations", operation_id="activatePlan", status_code=201, response_model=RunOut)
def activate(session: SessionDep, actor: Operator, once: OnceDep, response: Response, data: ActivationIn) -> Any:
    """Put a plan to work because something really happened. It takes the locks of drills over.

    It starts at once where approvals given beforehand count, or with `breakGlass`; else it awaits approval by two
    others. 409 where another activation of the same environments is under way or waits, or something is still owed to
    the side that would serve.
    """

    def make() -> RunOut:
        now = clock.now()
        held = activations.start(session, data, actor=actor, now=now)
        session.flush()
        response.headers["Location"] = f"/api/v1/runs/{held.run.id}"
        show_etag(response, held.run)
        return shown.whole(session, held.run, now=now)

    return once(make, response)
