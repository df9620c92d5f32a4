"""What routes declare: the permission they need, and the actor they get; the object is found by the address itself."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session

from app.access import reach
from app.access.rules import RESET_LIFE, Action, Actor, Place, is_proved, is_reset_lately, may, standing_at
from app.core import clock, formats
from app.core.db import SessionDep
from app.core.errors import NotAllowed, NotFound, NotSignedIn, StepUpNeeded
from app.core.messages import say

LOOKING = frozenset({"GET", "HEAD"})


class RecentlyReset(NotAllowed):
    """Somebody else's link replaced this person's means of signing in, less than a day ago."""

    code = "recently-reset"


def allowed(action: Action, *, withdraws: bool = False) -> Callable[[Request, Session], Actor]:
    """A dependency that answers the signed-in actor if they may do `action` to what the address names.

    Else 401, 403, or 404 where it is not theirs to see. A route without one (and without `public`) stops the start, as
    does one whose address names something of which nobody can tell where it stands: see `app.main`. What only takes an
    earlier word back (`withdraws`) asks for no proof: nothing may stand between a person and a stop.
    """

    def check(request: Request, session: SessionDep) -> Actor:
        actor: Actor | None = getattr(request.state, "actor", None)
        if actor is None:
            raise NotSignedIn(say("Sign in, or send a bearer token, to do this."))
        place = _place(request, session, actor)
        if not may(actor, action, place):
            raise NotAllowed(say("Your role does not permit this ({action}).", action=action.value))
        if request.method not in LOOKING and not withdraws:
            _require_proof(actor, action, now=clock.now())
        reach.work_for(session, actor, action, only_look=request.method in LOOKING)
        return actor if place is None else standing_at(actor, place)

    check.action = action  # type: ignore[attr-defined]
    check.withdraws = withdraws  # type: ignore[attr-defined]
    return check


def _require_proof(actor: Actor, action: Action, *, now: datetime) -> None:
    """Refuse what a person answers for with their name, where that may be somebody else who holds their session."""
    if actor.reset_at is not None and is_reset_lately(actor, action, now=now):
        until = formats.local(actor.reset_at + RESET_LIFE)
        raise RecentlyReset(
            say(
                "Your way to sign in was replaced with a link from somebody else. For a day you cannot approve or "
                "accept anything, until {until}. Ask another approver.",
                until=f"{until:%d-%m-%Y %H:%M}",
            )
        )
    if not is_proved(actor, action, now=now):
        raise StepUpNeeded(
            say(
                "You answer for this with your name, so prove first who you are: POST your password and code to "
                "/api/v1/sessions/current/proofs. Then repeat this within five minutes."
            )
        )


def _place(request: Request, session: Session, actor: Actor) -> Place | None:
    """Where the thing that the address names stands; None where it names none, or where the actor sees everything.

    Raises NotFound for what is not there and for what is not theirs to see, in the same words.
    """
    named = reach.named_by(request.scope["route"].path)
    if named is None or not actor.grants:
        return None
    table, key = reach.table_of(named[0]), request.path_params[named[1]]
    if table is None or not reach.is_placed(table):
        return Place()
    place = reach.place_of(session, table, key)
    if place is None or not may(actor, Action.READ, place):
        raise NotFound(say("There is no '{key}' here. Check the reference.", key=key))
    return place


def public() -> None:
    """Declares that a route is open to everybody."""


public.action = None  # type: ignore[attr-defined]

Reader = Annotated[Actor, Depends(allowed(Action.READ))]
"""Anybody who is signed in and may read."""
