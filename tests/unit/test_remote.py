"""The command line's client: a service that is away for a moment is asked again, a refusal is a sentence."""

import httpx
import pytest
import respx

from app import remote
from app.remote import ApiRefused, Remote

PLANS = "http://wissel.test/api/v1/plans"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(remote, "BETWEEN_SECONDS", 0)


@respx.mock
def test_a_service_that_is_away_for_a_moment_is_asked_again():
    route = respx.post(PLANS).mock(side_effect=[httpx.Response(503), httpx.Response(201, json={"ref": "PLN-001"})])
    assert Remote("http://wissel.test", "wsl_x").post("/plans", {}) == {"ref": "PLN-001"}
    assert route.call_count == 2


@respx.mock
def test_it_is_not_asked_for_ever():
    route = respx.get(PLANS).mock(return_value=httpx.Response(503, json={"detail": "Away.", "code": "unavailable"}))
    with pytest.raises(ApiRefused, match="Away"):
        Remote("http://wissel.test").get("/plans")
    assert route.call_count == remote.TRIES


@respx.mock
def test_a_refusal_is_not_repeated_and_names_each_field():
    errors = [{"field": "title", "code": "missing", "reason": "Give it a title."}]
    problem = {"detail": "Not right.", "code": "invalid-input", "errors": errors}
    route = respx.post(PLANS).mock(return_value=httpx.Response(400, json=problem))
    with pytest.raises(ApiRefused, match="title: Give it a title"):
        Remote("http://wissel.test").post("/plans", {})
    assert route.call_count == 1
