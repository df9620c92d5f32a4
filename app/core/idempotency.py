"""Repeating a POST with the same Idempotency-Key answers the same and does nothing twice."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, SQLModel

from app.core import clock
from app.core.columns import document, moment
from app.core.db import SessionDep
from app.core.errors import Conflict
from app.core.messages import say


class KeyReused(Conflict):
    """The key was used before with another request."""

    code = "idempotency-key-reused"


class IdempotentAnswer(SQLModel, table=True):
    """What a request with an Idempotency-Key was answered."""

    __tablename__ = "idempotent_answer"
    key: str = Field(primary_key=True, max_length=64)
    """SHA-256 over caller, method, path and key, so that callers cannot see each other's answers."""
    request_hash: str = Field(max_length=64)
    status: int
    answer: dict[str, Any] = document()
    location: str | None = None
    at: datetime = moment()


class Once:
    """Runs a use case once per Idempotency-Key, in the transaction of the request."""

    def __init__(self, session: Session, key: str | None, request_hash: str) -> None:
        self._session, self._key, self._hash = session, key, request_hash

    def __call__(self, make: Callable[[], Any], response: Response, *, status: int = 201) -> Any:
        """The answer of `make` (an Out shape), or the stored one where the key was seen before."""
        if self._key is None:
            return make()
        row = self._claim(self._key, status)
        if row is None:
            return self._replay(self._session.get_one(IdempotentAnswer, self._key))
        answer = make()
        row.answer = jsonable_encoder(answer, by_alias=True)
        row.location = response.headers.get("Location")
        self._session.add(row)
        return answer

    def _claim(self, key: str, status: int) -> IdempotentAnswer | None:
        """A row for this key; None where there is one. A twin at the same moment waits here for the first to end."""
        if self._session.get(IdempotentAnswer, key) is not None:
            return None
        row = IdempotentAnswer(key=key, request_hash=self._hash, status=status, answer={}, at=clock.now())
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            return None
        return row

    def _replay(self, before: IdempotentAnswer) -> JSONResponse:
        if before.request_hash != self._hash:
            raise KeyReused(say("This Idempotency-Key was used before for another request. Use a new key."))
        headers = {"Idempotency-Replayed": "true"} | ({"Location": before.location} if before.location else {})
        return JSONResponse(before.answer, before.status, headers)


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


async def _once(
    request: Request,
    session: SessionDep,
    idempotency_key: Annotated[str | None, Header(max_length=200, min_length=1)] = None,
) -> Once:
    if idempotency_key is None:
        return Once(session, None, "")
    # Not the token: a caller who signed in again in the meantime is still the same caller.
    caller = str(getattr(request.state.actor, "ref", ""))
    body = hashlib.sha256(await request.body()).hexdigest()
    return Once(session, _digest(caller, request.method, request.url.path, idempotency_key), body)


OnceDep = Annotated[Once, Depends(_once)]
