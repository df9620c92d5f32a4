"""The only way out by HTTP: what is on the list, to the address that was checked, no redirects, no proxies, bounds."""

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpcore
import httpx

from runners.origins import NotAnswered, Origin, UrlRefused, allowed, resolve

LARGEST = 1_048_576
"""Bytes of an answer that are read; the rest is dropped."""
SOONEST = 0.05
_PLAIN = {"accept-encoding": "identity", "connection": "close"}
"""Sent with every request: a packed answer could be a thousand times as large as what was counted."""

_WRONG = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, UrlRefused, NotAnswered)


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers (names in lower case), the first bytes of the body, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def trust(authorities: Path | None = None) -> ssl.SSLContext:
    """Who is believed: the system's trust store, and the authorities (PEM) in a file. Raises `NotAnswered`."""
    context = ssl.create_default_context()
    try:
        if authorities is not None:
            context.load_verify_locations(cafile=authorities)
    except OSError as error:
        raise NotAnswered(f"the authorities in {authorities} cannot be read: {error}", looked=False) from error
    return context


class Guarded(httpx.BaseTransport):
    """Transport of every httpx client in the house; each request is checked and uses a connection of its own.

    It raises `UrlRefused` or `NotAnswered`, which are `httpx.RequestError`s. `seconds` is for the
    whole request, look-up of the name excepted; `largest` is the most bytes of an answer.
    """

    def __init__(
        self, origins: Iterable[str], *, seconds: float, largest: int = LARGEST, authorities: Path | None = None
    ) -> None:
        self._origins, self._seconds, self._largest = tuple(origins), max(seconds, SOONEST), largest
        self._authorities = authorities
        self._trust: ssl.SSLContext | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Check where it goes, connect there, and hand the answer on as it comes."""
        wanted = allowed(str(request.url), self._origins)
        request.headers.update(_PLAIN)
        line = _Line(wanted, time.monotonic() + self._seconds, self._seconds)
        pool = httpcore.ConnectionPool(ssl_context=self._context(wanted), network_backend=line)
        asked = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": request.extensions.get("timeout", {})},
        )
        try:
            answer = pool.handle_request(asked)
        except _WRONG as error:
            pool.close()
            raise _told(error, line) from error
        body = _Body(answer, pool, line, self._largest)
        made = httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)
        if made.headers.get("content-encoding", "identity") != "identity":
            body.close()
            raise NotAnswered("the answer is packed, though that was not asked for", looked=True, sent=True)
        return made

    def _context(self, wanted: Origin) -> ssl.SSLContext | None:
        if wanted.scheme == "https" and self._trust is None:
            self._trust = trust(self._authorities)
        return self._trust


class _Line(httpcore.NetworkBackend):
    """Connects to the one address that was checked for `wanted`, and lets nothing last longer than `until`.

    A second look-up by the client could answer something else, so there is none.
    """

    def __init__(self, wanted: Origin, until: float, seconds: float) -> None:
        self.wanted, self.until, self.seconds = wanted, until, seconds
        self.connected = False

    def left(self, timeout: float | None) -> float:
        """Seconds that the next operation may take."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout if self.connected else httpcore.ConnectTimeout
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to what was checked, whatever the client understood of the URL."""
        address = str(resolve(self.wanted))
        plain = httpcore.SyncBackend().connect_tcp(address, self.wanted.port, self.left(timeout))
        self.connected = True
        return _Stream(plain, self)


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the time of the whole request."""

    def __init__(self, inner: httpcore.NetworkStream, line: _Line) -> None:
        self._inner, self._line = inner, line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._line.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._line.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, self._line.wanted.host, self._line.left(timeout))
        return _Stream(inner, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Body(httpx.SyncByteStream):
    """The answer's bytes up to a bound, and the connection that is closed with it."""

    def __init__(self, answer: httpcore.Response, pool: httpcore.ConnectionPool, line: _Line, largest: int) -> None:
        self._answer, self._pool, self._line, self._left = answer, pool, line, largest

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._answer.iter_stream():
                self._line.left(None)
                if piece[: self._left]:
                    yield piece[: self._left]
                self._left -= len(piece)
                if self._left < 0:
                    raise NotAnswered("the answer is larger than is read here", looked=True, sent=True)
        except httpcore.TimeoutException as error:
            why = f"the answer was not complete within {self._line.seconds:g} s"
            raise NotAnswered(why, looked=True, sent=True) from error
        except _WRONG as error:
            raise _told(error, self._line) from error

    def close(self) -> None:
        self._answer.close()
        self._pool.close()


def _told(error: Exception, line: _Line) -> Exception:
    if isinstance(error, (UrlRefused, NotAnswered)):
        return error
    if isinstance(error, (httpcore.ConnectError, httpcore.ConnectTimeout)):
        return NotAnswered(f"no connection: {error or type(error).__name__}", looked=True)
    if isinstance(error, httpcore.TimeoutException):
        return NotAnswered(f"no answer within {line.seconds:g} s", looked=True, sent=True)
    return NotAnswered(f"{type(error).__name__}: {error}", looked=True, sent=True)


class Outgoing:
    """A guarded client for the origins of one site. Each request uses a connection of its own, as a new user would."""

    def __init__(self, origins: Iterable[str], authorities: Path | None = None) -> None:
        self._origins, self._authorities = tuple(origins), authorities

    def request(
        self, method: str, url: str, *, seconds: float, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Ask once, within `seconds` altogether; of a longer answer the first `LARGEST` bytes.

        Raises `UrlRefused` or `NotAnswered`.
        """
        started = time.monotonic()
        way = Guarded(self._origins, seconds=seconds, authorities=self._authorities)
        mine = {"user-agent": "wissel", **(headers or {})}
        with (
            httpx.Client(transport=way, trust_env=False, timeout=max(seconds, SOONEST)) as client,
            client.stream(method, url, headers=mine, content=body or None) as answer,
        ):
            read = b""
            for piece in answer.iter_raw():
                read += piece
                if len(read) >= LARGEST:
                    break
        return Answer(answer.status_code, dict(answer.headers), read, time.monotonic() - started)
