"""check.http: which side serves, whether that holds, and a number in the answer."""

import time
from collections.abc import Callable

import httpcore
import httpx
import pytest
import respx

from runners.check.http import CheckHttp
from runners.contract import Outcome, SitePolicy, Verdict
from tests.unit.runners.fake_context import FakeContext, figures

URL = "http://192.0.2.7:8080/health"
Look = Callable[..., Outcome]


@pytest.fixture
def look(context: FakeContext) -> Look:
    context.policy = SitePolicy(http=("http://192.0.2.7:8080",))

    def run(seconds: float = 20, **params: object) -> Outcome:
        checked = CheckHttp.Params.model_validate({"url": URL, **params})
        return CheckHttp().run(checked, context.give(seconds))

    return run


@respx.mock
@pytest.mark.parametrize(
    ("answer", "params", "expected"),
    [
        (httpx.Response(200), {}, Verdict.PASSED),
        (httpx.Response(503), {}, Verdict.FAILED),
        (httpx.Response(302, headers={"location": "/x"}), {}, Verdict.FAILED),
        (httpx.Response(204), {"status": 204}, Verdict.PASSED),
        (httpx.Response(200, headers={"X-Wissel-Side": "fallback"}), {"served_by": "fallback"}, Verdict.PASSED),
        (httpx.Response(200, headers={"X-Wissel-Side": "primary"}), {"served_by": "fallback"}, Verdict.FAILED),
        (httpx.Response(200, json={"side": "fallback"}), {"served_by": "fallback"}, Verdict.PASSED),
        (httpx.Response(200, json={"side": None}), {"served_by": "fallback"}, Verdict.FAILED),
        (httpx.Response(200, text="fine"), {"served_by": "fallback"}, Verdict.FAILED),
        (httpx.Response(200, json=["side"]), {"served_by": "fallback"}, Verdict.FAILED),
        (httpx.Response(200, json={"q": {"depth": 3}}), {"value_of": "q.depth", "at_least": 3}, Verdict.PASSED),
        (httpx.Response(200, json={"q": {"depth": 2}}), {"value_of": "q.depth", "at_least": 3}, Verdict.FAILED),
        (httpx.Response(200, json={"depth": 9}), {"value_of": "depth", "at_most": 3}, Verdict.FAILED),
        (httpx.Response(200, json={"depth": True}), {"value_of": "depth"}, Verdict.FAILED),
        (httpx.Response(200, json={"depth": "3"}), {"value_of": "depth"}, Verdict.FAILED),
        (httpx.Response(200, text='{"depth": NaN}'), {"value_of": "depth"}, Verdict.FAILED),
        (httpx.Response(200, text='{"depth": 1e999}'), {"value_of": "depth"}, Verdict.FAILED),
        (httpx.Response(200, text="[" * 100_000), {"value_of": "depth"}, Verdict.FAILED),
    ],
)
def test_one_look_judges_the_answer(look: Look, answer: httpx.Response, params: dict, expected: Verdict) -> None:
    respx.get(URL).mock(return_value=answer)
    assert look(**params).verdict is expected


@respx.mock
def test_the_measured_number_bears_its_own_name(look: Look) -> None:
    respx.get(URL).mock(return_value=httpx.Response(200, json={"permits": 12}))
    assert figures(look(value_of="permits"))["permits"] == 12


def test_a_url_that_is_not_on_the_list_is_not_looked_at(look: Look) -> None:
    outcome = look(url="http://192.0.2.8/")
    assert outcome.verdict is Verdict.UNKNOWN
    assert "list" in outcome.reason.en


@respx.mock
def test_the_effect_holds_from_the_beginning_of_the_stable_period(look: Look) -> None:
    good, bad = httpx.Response(200), httpx.Response(503)
    respx.get(URL).mock(side_effect=[bad, good, bad, *[good] * 100])
    started = time.monotonic()
    outcome = look(stable_for="PT0.3S", every="PT0.05S")
    took = time.monotonic() - started
    assert outcome.verdict is Verdict.PASSED
    assert figures(outcome)["misses"] == 2
    assert outcome.effective_at is not None
    assert took >= 0.3
    assert outcome.effective_at.timestamp() <= time.time() - 0.3


@respx.mock
def test_a_service_that_flaps_never_becomes_stable(look: Look) -> None:
    answers = [httpx.Response(200), httpx.Response(503)] * 200
    respx.get(URL).mock(side_effect=answers)
    assert look(seconds=1.0, stable_for="PT0.3S", every="PT0.05S").verdict is Verdict.FAILED


@respx.mock
def test_it_goes_on_looking_for_as_long_as_asked(look: Look) -> None:
    respx.get(URL).mock(side_effect=[httpcore.ConnectError("refused"), httpx.Response(503), httpx.Response(200)])
    assert look(within="PT2S").verdict is Verdict.PASSED


@respx.mock
def test_a_service_that_does_not_answer_has_failed(look: Look) -> None:
    respx.get(URL).mock(side_effect=httpcore.ReadTimeout("late"))
    assert look().verdict is Verdict.FAILED
