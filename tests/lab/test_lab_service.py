"""The permit desk over HTTP where its database is away or the request is wrong: a clean answer, never a hang."""

import http.client
import json
import threading

import pytest

from app.lab import service
from app.lab.processes import free_port


@pytest.fixture(scope="module")
def desk():
    dsn = f"host=127.0.0.1 port={free_port()} user=nobody dbname=nothing"
    handler = type("Away", (service.Handler,), {"desk": service.Desk(dsn), "side": "fallback"})
    server = service.Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()


def ask(desk, method, path, body=None):
    desk.request(method, path, body)
    answer = desk.getresponse()
    return answer.status, answer.getheader("X-Wissel-Side"), json.loads(answer.read())


def test_without_its_database_the_desk_is_not_healthy_and_says_which_side_it_is(desk):
    status, side, body = ask(desk, "GET", "/health")
    assert (status, side) == (503, "fallback")
    assert body == {"side": "fallback", "writable": False, "version": service.VERSION}


def test_without_its_database_a_write_is_refused_and_not_acknowledged(desk):
    assert ask(desk, "POST", "/permits", '{"number": 7}')[0] == 503
    assert ask(desk, "GET", "/permits/count")[0] == 503


def test_the_version_needs_no_database(desk):
    assert ask(desk, "GET", "/version") == (200, "fallback", {"version": service.VERSION})


NUMBERS = ["0", "-1", "true", "7.0", "NaN", '"7"', "null", "9223372036854775808"]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", "\x00", "x" * 20_000, *(f'{{"number": {n}}}' for n in NUMBERS)])
def test_a_permit_without_a_positive_whole_number_is_refused(desk, body):
    assert ask(desk, "POST", "/permits", body)[0] == 422


def test_an_unknown_page_is_not_found(desk):
    assert ask(desk, "GET", "/permits/7")[0] == 404
    assert ask(desk, "POST", "/elsewhere", '{"number": 7}')[0] == 404
