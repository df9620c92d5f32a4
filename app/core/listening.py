"""How connections are listened to: heads bounded in size and time, faults of the protocol told with our headers.

uvicorn's own answers would bear no security headers, and it waits for the end of a head for ever. Its pure Python
parser is used wherever another is installed too: one parser, which was tried.
"""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.core.browser import standard_headers

HEAD_BYTES = 32 * 1024
"""Request line and headers together."""
HEAD_SECONDS = 10.0
"""How long a client may take for them: who sends a byte now and then would hold connections for ever."""


class Careful(H11Protocol):
    """One connection to a client."""

    headers_of_ours = standard_headers(secure=False)
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first head, not for ever."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is not complete yet has a time, from its first byte on."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._watch()
        else:
            self._unwatch()

    def send_400_response(self, msg: str) -> None:
        """Tell that this is no HTTP, or that its head is too long, and close."""
        large = len(self.conn.trailing_data[0]) > HEAD_BYTES
        self._refuse(431 if large else 400, "head-too-large" if large else "not-http")

    def _watch(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self._refuse(408, "too-slow")

    def _refuse(self, status: int, code: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and self.conn.their_state is not h11.MUST_CLOSE:
            body = json.dumps({"type": f"https://wissel.example/problems/{code}", "status": status, "code": code})
            told = self.headers_of_ours | {
                "Content-Type": "application/problem+json",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
            lines = [f"HTTP/1.1 {status} {_REASONS[status]}", *(f"{name}: {value}" for name, value in told.items())]
            # Written past h11: after a fault of the other side it is in no state to compose an answer.
            self.transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii"))
        self.transport.close()


def protocol(*, secure: bool) -> type[Careful]:
    """The protocol of a service that people reach over TLS, or not."""
    return type("Careful", (Careful,), {"headers_of_ours": standard_headers(secure=secure)})


_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}
