"""The port of the product: the next free one, and never another program's door."""

import socket

import respx

from app.lab.wissel import Entrance, free_port

ADDRESS = "http://wissel.test"


def test_a_port_that_somebody_listens_on_is_passed_over() -> None:
    first = free_port()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert free_port(first) > first


@respx.mock
def test_it_is_open_once_it_is_ready_and_lets_our_administrator_in() -> None:
    ready = respx.get(f"{ADDRESS}/readyz").respond(503)
    respx.post(f"{ADDRESS}/api/v1/sessions").respond(201, json={"token": "bearer"})
    entrance = Entrance(ADDRESS, "token")
    assert not entrance.opened()
    ready.respond(200)
    assert entrance.opened()
    assert entrance.bearer == "bearer"


@respx.mock
def test_a_stranger_who_answers_at_our_port_is_not_taken_for_us_and_asked_once() -> None:
    respx.get(f"{ADDRESS}/readyz").respond(200)
    asked = respx.post(f"{ADDRESS}/api/v1/sessions").respond(401, json={"code": "sign-in-link-refused"})
    entrance = Entrance(ADDRESS, "token")
    assert not entrance.opened()
    assert not entrance.opened()
    assert entrance.strange
    assert asked.call_count == 1
