"""The way out by HTTP: what is refused before anything is sent, and where a connection really goes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import respx

from runners.origins import NotAnswered, Origin, UrlRefused, allowed, allowed_address, origin, resolve
from runners.outgoing import Outgoing

DISGUISED = [
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.01/",
    "http://1.2.3.4.5/",
    "http://127.0.0.1./",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1%25eth0]/",
    "http://[::127.0.0.1]/",
    "http://[::a00:1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://127%2e0.0.1/",
    "http://①②⑦.0.0.1/",
]
NOBODY_THERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
]
MALFORMED = [
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "//example.org/",
    "example.org",
    "",
    "http://",
    "http:///path",
    "http://user@example.org/",
    "http://user:password@example.org/",
    "http://@example.org/",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://example.org:port/",
    "http://exa mple.org/",
    "http://example.org\\@evil.org/",
    "http://example.org/\r\nHost: evil.org",
    "http://example.org/\x00",
    "http://examplé.org/",
    "http://example.org/\u202e",
    "http://-example.org/",
    "http://.example.org/",
    "http://[::1/",
    "http://" + "a" * 300 + "/",
    "http://" + "a" * 64 + ".example.org/",
]


@pytest.mark.parametrize("url", DISGUISED + MALFORMED + NOBODY_THERE, ids=repr)
def test_a_url_that_hides_where_it_goes_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        origin(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.ORG/x?y", Origin("http", "example.org", 80)),
        ("https://example.org", Origin("https", "example.org", 443)),
        ("HTTP://127.0.0.1:8080/", Origin("http", "127.0.0.1", 8080)),
        ("http://[::1]:80/", Origin("http", "::1", 80)),
        ("https://a_b.example.org:443", Origin("https", "a_b.example.org", 443)),
    ],
)
def test_a_plain_url_has_its_origin(url: str, expected: Origin) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    ["http://example.org:8080/", "https://example.org/", "http://www.example.org/", "http://example.org.evil.net/"],
)
def test_scheme_host_and_port_must_all_be_on_the_list(url: str) -> None:
    with pytest.raises(UrlRefused, match="list"):
        allowed(url, ["http://example.org"])


def test_the_list_may_leave_out_the_usual_port_and_a_bad_line_allows_nothing() -> None:
    assert allowed("http://example.org:80/", ["http://example.org"])
    with pytest.raises(UrlRefused):
        allowed("http://example.org/", ["*", "http://*", "example.org", "http://user@example.org"])


def test_a_plain_connection_has_a_list_of_its_own() -> None:
    assert allowed_address("db.example.org:5432", ["db.example.org:5432"]).port == 5432
    for wrong in ("db.example.org:5433", "db.example.org", "0x7f.1:5432", "u@db.example.org:5432", "x/y:1"):
        with pytest.raises(UrlRefused):
            allowed_address(wrong, ["db.example.org:5432"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
    ],
)
def test_a_name_that_points_to_this_machine_or_to_metadata_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (address, 80))])
    with pytest.raises(UrlRefused, match="points to"):
        resolve(Origin("http", "innocent.example.org", 80))


def test_one_bad_address_among_good_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(0, 0, 0, "", ("192.0.2.7", 80)), (0, 0, 0, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(UrlRefused):
        resolve(Origin("http", "innocent.example.org", 80))


@pytest.fixture
def heard() -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers 200 to everything: its port, and the heads of what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    asked.append(link.recv(65536))
                    link.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, heard: tuple[int, list[bytes]]
) -> None:
    port, asked = heard
    answers = iter(["192.0.2.7", "127.0.0.1"])
    connected = []

    def connect(address: tuple[str, int], *more: object, **named: object) -> socket.socket:
        connected.append(address)
        link = socket.socket()
        link.connect(("127.0.0.1", port))
        return link

    monkeypatch.setattr("runners.origins.socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (next(answers), 8080))])
    monkeypatch.setattr(socket, "create_connection", connect)
    answer = Outgoing(["http://a.example.org:8080"]).request("GET", "http://a.example.org:8080/x?y=1", seconds=2)
    assert (answer.status, answer.body) == (200, b"ok")
    assert connected == [("192.0.2.7", 8080)]
    assert b"GET /x?y=1 HTTP/1.1\r\n" in asked[0]
    assert b"\r\nhost: a.example.org:8080\r\n" in asked[0].lower()


@respx.mock
def test_a_redirect_is_an_answer_and_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    respx.get("http://192.0.2.7/").mock(return_value=httpx.Response(302, headers={"location": "http://192.0.2.8/"}))
    assert Outgoing(["http://192.0.2.7"]).request("GET", "http://192.0.2.7/", seconds=2).status == 302


@respx.mock
def test_an_answer_is_read_no_further_than_a_megabyte() -> None:
    respx.get("http://192.0.2.7/").mock(return_value=httpx.Response(200, content=b"x" * 3_000_000))
    assert len(Outgoing(["http://192.0.2.7"]).request("GET", "http://192.0.2.7/", seconds=5).body) == 1_048_576


@contextmanager
def dripping(begun: bytes) -> Iterator[str]:
    """A server that sends what it has begun, and then one byte each 50 ms, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            link, _ = server.accept()
            with link:
                link.sendall(begun)
                while not stop.wait(0.05):
                    try:
                        link.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        stop.set()
        thread.join()


def test_an_answer_that_drips_ends_at_its_time() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n") as address:
        with pytest.raises(NotAnswered, match="not complete"):  # else it would take more than an hour
            Outgoing([address]).request("GET", f"{address}/", seconds=0.4)


def test_headers_that_drip_end_at_the_time_of_the_request() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nx: ") as address:
        with pytest.raises(NotAnswered, match="no answer within") as caught:
            Outgoing([address]).request("GET", f"{address}/", seconds=0.4)
    assert caught.value.sent
