"""What routes declare: the permission they need, and the actor they get."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from app.access.rules import Action, Actor, may
from app.core.errors import NotAllowed, NotSignedIn
from app.core.messages import say


def allowed(action: Action) -> Callable[[Request], Actor]:
    """A dependency that answers the signed-in actor if they may do `action`; else 401 or 403.

    A route without one (and without `public`) stops the start: see `app.main`.
    """

    def check(request: Request) -> Actor:
        actor: Actor | None = getattr(request.state, "actor", None)
        if actor is None:
            raise NotSignedIn(say("Sign in, or send a bearer token, to do this."))
        if not may(actor, action):
            raise NotAllowed(say("Your role does not permit this ({action}).", action=action.value))
        return actor

    check.action = action  # type: ignore[attr-defined]
    return check


def public() -> None:
    """Declares that a route is open to everybody."""


public.action = None  # type: ignore[attr-defined]

Reader = Annotated[Actor, Depends(allowed(Action.READ))]
"""Anybody who is signed in and may read."""
