"""The service's own calls to others: nothing unless it is listed, by any client, and an error that names the field."""

import gzip
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.core import outgoing
from app.core.errors import InvalidInput
from app.core.outgoing import NotAnswered, UrlRefused
from app.core.settings import Settings
from tests.bad_inputs.read import named
from tests.unit.runners.test_check_tls import Made


class Answers(http.server.BaseHTTPRequestHandler):
    """What a stranger may answer: well, elsewhere, without end, packed."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            return
        body = {"/large": b"x" * 3_000_000, "/packed": gzip.compress(b"x" * 3_000_000)}.get(self.path, b"well")
        self.send_response(200)
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def settings(tmp_path: Path, *origins: str, **more: Path) -> Settings:
    return Settings(data_dir=tmp_path, outgoing=", ".join(origins), **more)


def test_nothing_may_be_called_unless_it_is_listed(tmp_path, server):
    address = f"http://127.0.0.1:{server.server_port}"
    with outgoing.client(settings(tmp_path)) as client, pytest.raises(UrlRefused, match="list"):
        client.get(f"{address}/")
    with outgoing.client(settings(tmp_path, address)) as client:
        assert client.get(f"{address}/").text == "well"


def test_a_library_that_makes_its_own_client_goes_the_same_way(tmp_path, server, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    address = f"http://127.0.0.1:{server.server_port}"
    with httpx.Client(**outgoing.options(settings(tmp_path, address))) as client:
        assert client.get(f"{address}/").text == "well"
        assert client.get(f"{address}/away").status_code == 302
        with pytest.raises(httpx.HTTPError):
            client.get(f"{address}/away", follow_redirects=True)


def test_an_answer_that_is_too_large_is_no_answer(tmp_path, server):
    address = f"http://127.0.0.1:{server.server_port}"
    with outgoing.client(settings(tmp_path, address)) as client, pytest.raises(NotAnswered, match="larger"):
        client.get(f"{address}/large")


def test_a_packed_answer_that_nobody_asked_for_is_no_answer(tmp_path, server):
    address = f"http://127.0.0.1:{server.server_port}"
    with outgoing.client(settings(tmp_path, address)) as client, pytest.raises(NotAnswered, match="packed"):
        client.get(f"{address}/packed")


def test_only_known_authorities_are_believed_and_one_more_can_be_named(tmp_path, server):
    made = Made(tmp_path, name="localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.chain)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    address = f"https://localhost:{server.server_port}"
    with outgoing.client(settings(tmp_path, address)) as client, pytest.raises(NotAnswered, match="certificate"):
        client.get(address)
    with outgoing.client(settings(tmp_path, address, ca_file=made.ca)) as client:
        assert client.get(address).text == "well"
    literal = f"https://127.0.0.1:{server.server_port}"
    with (
        outgoing.client(settings(tmp_path, literal, ca_file=made.ca)) as client,
        pytest.raises(NotAnswered, match="certificate"),
    ):
        client.get(literal)


@pytest.mark.parametrize("url", ["http://u@example.org/", "ftp://example.org/", "https://2130706433/", "http://b.nl/"])
def test_a_refused_address_names_its_field(tmp_path, url):
    with pytest.raises(InvalidInput) as caught:
        outgoing.check(url, settings(tmp_path, "https://example.org"), field="url")
    assert [(each.field, each.code) for each in caught.value.errors] == [("url", "url-refused")]
    outgoing.check("https://example.org/hook", settings(tmp_path, "https://example.org"), field="url")


@pytest.mark.parametrize("bad", ["*", "example.org", "https://example.org/path", "https://u@example.org", "ftp://x"])
def test_a_list_that_says_something_else_stops_the_start(tmp_path, bad):
    with pytest.raises(ValueError, match="not an origin"):
        settings(tmp_path, "https://example.org", bad)


@pytest.mark.parametrize("name", named("urls"))
def test_the_corpus_of_addresses_is_refused(tmp_path, name):
    case = named("urls")[name]
    with pytest.raises(InvalidInput) as caught:
        outgoing.check(case["url"], settings(tmp_path, "https://listed.example"), field="url")
    assert [each.code for each in caught.value.errors] == [case["code"]]
    if case.get("same"):  # a client leaves the odd part out, and asks the listed origin itself
        return
    with (
        outgoing.client(settings(tmp_path, "https://listed.example")) as client,
        pytest.raises((UrlRefused, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)),
    ):
        client.get(case["url"])
