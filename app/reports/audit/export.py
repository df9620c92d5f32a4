"""The audit log as a file: the lines that the verifier takes, of one state, with its head as the last."""

from collections.abc import Iterator

from fastapi import Request
from starlette.responses import StreamingResponse

from app.access.rules import Actor
from app.core import clock
from app.core.audit import chain, keeper, verify_audit
from app.core.audit.signing import Signer
from app.core.db import Database
from app.core.errors import NotAllowed
from app.core.messages import say
from app.core.settings import Settings
from app.reports.audit import log

KIND = "application/jsonl"
CHUNK = 256


def whole_log(request: Request, actor: Actor) -> StreamingResponse:
    """The whole log as a download, signed up to its end. Raises NotAllowed for who may only see a part of it.

    A part of a chain shows nothing: what stands between its events could be anything.
    """
    require_all(actor)
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    now = clock.now()
    Signer(settings).sign(database, now=now, at_once=True)
    headers = {"Content-Disposition": f'attachment; filename="wissel-audit-{now:%Y%m%d-%H%M%S}.jsonl"'}
    return StreamingResponse(_chunks(database), media_type=KIND, headers=headers)


def require_all(actor: Actor) -> None:
    """Raises NotAllowed for who may only see a part of the log."""
    if not log.sees_all(actor):
        raise NotAllowed(say("Only an auditor of the whole organisation exports the log: a part of it proves nothing."))


def _chunks(database: Database) -> Iterator[bytes]:
    with keeper.snapshot(database) as connection:
        lines: list[bytes] = []
        for _, line in chain.lines(connection):
            lines.append(line + b"\n")
            if len(lines) >= CHUNK:
                yield b"".join(lines)
                lines = []
        yield b"".join(lines)


def verifier() -> bytes:
    """The program that verifies such a file, as an auditor runs it: one file."""
    with open(verify_audit.__file__, "rb") as file:
        return file.read()
