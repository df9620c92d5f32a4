"""switch.http: one request that its receiver can recognise, and what is known when no answer came."""

from typing import Any

import httpcore
import httpx
import pytest
import respx

from runners.contract import Repeat, Seen, SitePolicy, Verdict
from runners.switch.http import Http, HttpParams
from tests.unit.runners.fake_context import FakeContext

URL = "http://192.0.2.7/switch"


@pytest.fixture(autouse=True)
def _listed(context: FakeContext) -> None:
    context.policy = SitePolicy(http=("http://192.0.2.7",))


def _params(**more: Any) -> HttpParams:
    return HttpParams(url=URL, **more)


@respx.mock
def test_the_request_bears_its_key_the_fencing_token_and_the_secret(context: FakeContext) -> None:
    context.secrets["secret://api"] = "s3cret"
    route = respx.put(URL).mock(return_value=httpx.Response(202))
    outcome = Http().run(_params(method="PUT", body={"to": "fallback"}, token="secret://api"), context)
    assert outcome.verdict is Verdict.PASSED
    sent = route.calls.last.request
    assert sent.headers["idempotency-key"] == '"run:step:1"'
    assert sent.headers["x-fencing-token"] == "7"
    assert sent.headers["authorization"] == "Bearer s3cret"
    assert sent.content == b'{"to": "fallback"}'
    assert Http.repeat is Repeat.KEYED


@respx.mock
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (200, Verdict.PASSED),
        (301, Verdict.FAILED),
        (409, Verdict.FAILED),
        (500, Verdict.UNKNOWN),
        (503, Verdict.UNKNOWN),
    ],
)
def test_the_status_decides_and_a_broken_server_may_have_done_it(
    context: FakeContext, answer: int, expected: Verdict
) -> None:
    respx.post(URL).mock(return_value=httpx.Response(answer))
    assert Http().run(_params(), context).verdict is expected


@respx.mock
def test_no_answer_is_unknown_but_no_connection_means_that_nothing_was_done(context: FakeContext) -> None:
    respx.post(URL).mock(side_effect=httpcore.ReadTimeout("late"))
    assert Http().run(_params(), context).verdict is Verdict.UNKNOWN
    respx.post(URL).mock(side_effect=httpcore.ConnectError("refused"))
    assert Http().run(_params(), context).verdict is Verdict.FAILED


def test_nothing_is_sent_off_the_list_or_without_the_secret(context: FakeContext) -> None:
    with respx.mock(assert_all_called=False) as wire:
        route = wire.route().mock(return_value=httpx.Response(200))
        assert Http().run(HttpParams(url="http://192.0.2.8/"), context).verdict is Verdict.FAILED
        assert Http().run(_params(token="secret://none"), context).verdict is Verdict.UNKNOWN
        assert not route.called


@respx.mock
@pytest.mark.parametrize(("status", "seen"), [(200, Seen.DONE), (404, Seen.NOT_DONE), (500, Seen.UNKNOWN)])
def test_observing_asks_the_url_for_that(context: FakeContext, status: int, seen: Seen) -> None:
    respx.get("http://192.0.2.7/state").mock(return_value=httpx.Response(status))
    assert Http().observe(_params(observe_url="http://192.0.2.7/state"), context).seen is seen
    assert Http().observe(_params(), context).seen is Seen.UNKNOWN


@respx.mock
def test_the_undo_asks_its_own_url_under_its_own_key(context: FakeContext) -> None:
    route = respx.post("http://192.0.2.7/back").mock(return_value=httpx.Response(200))
    assert Http().undo(_params(undo_url="http://192.0.2.7/back"), context).verdict is Verdict.PASSED
    assert route.calls.last.request.headers["idempotency-key"] == '"run:step:1:undo"'
    assert Http().undo(_params(), context).verdict is Verdict.FAILED


def test_the_preview_shows_the_call_and_no_secret(context: FakeContext) -> None:
    context.secrets["secret://api"] = "s3cret"
    shown = str(Http().preview(_params(token="secret://api", body={"a": 1}), context))
    assert URL in shown
    assert "s3cret" not in shown
