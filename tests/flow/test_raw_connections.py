"""What a stranger can do with a bare socket: bad heads, long ones, slow ones, two lengths, other hosts."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from app import serve
from app.core import listening, wire
from tests.flow.test_api_rules import SECURITY
from tests.flow.whole import API, EVERYBODY, Whole

LINE = b"POST /api/v1/sessions HTTP/1.1\r\nHost: wissel.test\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def served(template, tmp_path_factory) -> Iterator[tuple[Whole, int]]:
    """The application as it is served, with a route that breaks."""
    made = template.copy(tmp_path_factory.mktemp("raw"))

    def broken() -> None:
        raise RuntimeError("/etc/shadow")

    for path in ("/broken", f"{API}/broken"):
        made.app.add_api_route(path, broken)
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(made.app, **serve.options(made.settings)))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        yield made, door.getsockname()[1]
        server.should_exit = True
        thread.join()
    made.database.dispose()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(wire, "GRACE_SECONDS", 0.5)


def heard(port: int, *pieces: bytes, pause: float = 0.0, patience: float = 20.0) -> list[tuple[int, dict, bytes]]:
    """What comes back until the other side closes or is silent: status, headers and body of each answer."""
    with socket.create_connection(("127.0.0.1", port)) as plug:
        plug.settimeout(patience)
        got = b""
        try:
            for piece in pieces:
                plug.sendall(piece)
                time.sleep(pause)
            while True:
                more = plug.recv(65536)
                if not more:
                    break
                got += more
        except (ConnectionError, TimeoutError):
            pass
    return answers(got)


def answers(got: bytes) -> list[tuple[int, dict, bytes]]:
    found = []
    while got.startswith(b"HTTP/1.1 "):
        head, _, rest = got.partition(b"\r\n\r\n")
        lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines[1:])}
        length = int(headers.get("content-length", 0))
        found.append((int(lines[0].split()[1]), headers, rest[:length]))
        got = rest[length:]
    return found


CLOSE = b"Connection: close\r\n"
REFUSED = {
    "no HTTP": (b"NONSENSE\r\n\r\n", 400, "not-http"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "not-http"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "not-http"),
    "a host that is none": (b'GET / HTTP/1.1\r\nHost: a"><script>\r\n\r\n', 400, "bad-request"),
    "a host with a name in it": (b"GET / HTTP/1.1\r\nHost: me@evil.example\r\n\r\n", 400, "bad-request"),
    "two lengths": (LINE + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400, "not-http"),
    "a length with a sign": (LINE + b"Content-Length: +4\r\n\r\nabcd", 400, "not-http"),
    "an unknown coding": (LINE + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "not-http"),
    "a blank before the colon": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Y : z\r\n\r\n", 400, "not-http"),
    "a NUL in a header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400, "not-http"),
    "a length and a coding": (
        LINE
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
        "bad-request",
    ),
    "a head without end": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000, 431, "head-too-large"),
    "a long header": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n", 431, "head-too-large"),
    "many headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(4000)) + b"\r\n",
        431,
        "head-too-large",
    ),
    "a long address": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "address-too-long"),
    "a body that says it is large": (LINE + JSON + b"Content-Length: 99999999\r\n\r\n{", 413, "body-too-large"),
    "a body of a stranger that is large": (LINE + JSON + b"Content-Length: 70000\r\n\r\n{", 413, "body-too-large"),
    "chunks without end": (
        LINE + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 6,
        413,
        "body-too-large",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_is_told_as_such_with_all_headers_and_ends_the_connection(served, name):
    _, port = served
    sent, status, code = REFUSED[name]
    ((got, headers, body),) = heard(port, sent)
    assert (got, json.loads(body)["code"]) == (status, code)
    assert [each for each in SECURITY if each.lower() not in headers] == []
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_line",
    [b"GET /broken", b"GET /api/v1/broken", b"GET /nowhere", b"TRACE /", b"PUT /healthz", b"OPTIONS *", b"CONNECT x:1"],
)
def test_every_error_that_is_served_bears_the_headers_and_tells_nothing_of_the_inside(served, request_line):
    _, port = served
    ((status, headers, body),) = heard(port, request_line + b" HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    assert status >= 400
    assert [each for each in SECURITY if each.lower() not in headers] == []
    assert b"Traceback" not in body
    assert b"/etc/shadow" not in body
    assert "server" not in headers


@pytest.mark.usefixtures("impatient")
def test_a_head_that_drips_is_given_up(served):
    _, port = served
    ((status, headers, _),) = heard(port, b"GET /healthz HTTP/1.1\r\n", b"Host: a\r\n", pause=0.1)
    assert status == 408
    assert "content-security-policy" in headers


@pytest.mark.usefixtures("impatient")
def test_a_second_head_that_drips_is_given_up_too(served):
    _, port = served
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert [each[0] for each in heard(port, one, b"GET / HT", pause=0.2)] == [200, 408]


@pytest.mark.usefixtures("impatient")
def test_who_says_nothing_at_all_is_not_kept(served):
    _, port = served
    assert [each[0] for each in heard(port)] == [408]


@pytest.mark.usefixtures("impatient")
def test_a_body_that_drips_is_given_up(served):
    _, port = served
    ((status, _, body),) = heard(port, LINE + JSON + b"Content-Length: 100\r\n\r\n{")
    assert (status, json.loads(body)["code"]) == (408, "too-slow")


def test_a_hundred_slow_strangers_keep_nobody_from_being_served(served):
    made, port = served
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for plug in slow:
        plug.sendall(LINE + JSON + b"Content-Length: 100\r\n\r\n{")
    token = made.tokens[EVERYBODY].encode()
    asked = b"GET /api/v1/services HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token + b"\r\n" + CLOSE + b"\r\n"
    assert [each[0] for each in heard(port, asked)] == [200]
    for plug in slow:
        plug.close()


def test_a_request_behind_a_refused_one_is_not_read(served):
    _, port = served
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert len(heard(port, LINE + JSON + b"Content-Length: 99999999\r\n\r\n" + smuggled)) == 1


def test_what_is_asked_ahead_is_answered_in_order(served):
    _, port = served
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
    assert [each[0] for each in heard(port, one + b"\r\n" + one + CLOSE + b"\r\n")] == [200, 200]


NAMED = {"base_url": "https://wissel.example.nl"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("wissel.example.nl", 200),
        ("WISSEL.example.nl:443", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 421),
        ("wissel.example.nl.evil.example", 421),
        ("wissel.example.nl.", 421),
        ("127.0.0.1.evil.example", 421),
        ("2130706433", 421),
        ("", 421),
    ],
)
def test_who_has_a_name_is_reached_by_that_name_or_by_address(template, tmp_path, host, status):
    made = template.copy(tmp_path, **NAMED)
    answer = made.ask("GET", "/sign-in", headers={"Host": host})
    assert answer.status_code == status
    assert answer.headers["Strict-Transport-Security"]
    assert made.ask("GET", "/healthz", headers={"Host": host}).status_code == 200
    made.database.dispose()
