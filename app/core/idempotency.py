"""Repeating a POST with the same Idempotency-Key answers the same and does nothing twice."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
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
        before = self._session.get(IdempotentAnswer, self._key)
        if before is not None:
            return self._replay(before)
        answer = make()
        self._session.add(
            IdempotentAnswer(
                key=self._key,
                request_hash=self._hash,
                status=status,
                answer=jsonable_encoder(answer, by_alias=True),
                location=response.headers.get("Location"),
                at=clock.now(),
            )
        )
        return answer

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
    caller = request.headers.get("authorization", "") or request.headers.get("cookie", "")
    body = hashlib.sha256(await request.body()).hexdigest()
    return Once(session, _digest(caller, request.method, request.url.path, idempotency_key), body)


OnceDep = Annotated[Once, Depends(_once)]
