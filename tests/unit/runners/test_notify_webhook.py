"""notify.webhook: a signed CloudEvent, never an unsigned one."""

import json

import httpcore
import httpx
import pytest
import respx
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook as Verifier

from runners.contract import SitePolicy, Verdict
from runners.notify.webhook import Webhook, WebhookParams
from tests.unit.runners.fake_context import FakeContext

URL = "http://192.0.2.7/hook"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(autouse=True)
def _listed(context: FakeContext) -> None:
    context.policy = SitePolicy(http=("http://192.0.2.7",))
    context.secrets["secret://hook"] = SECRET


@respx.mock
def test_the_receiver_can_verify_what_it_gets(context: FakeContext) -> None:
    route = respx.post(URL).mock(return_value=httpx.Response(204))
    params = WebhookParams(url=URL, secret="secret://hook", subject="drill/7", data={"reden": "crisis – geoefend"})
    assert Webhook().run(params, context).verdict is Verdict.PASSED
    sent = route.calls.last.request
    event = Verifier(SECRET).verify(sent.content, dict(sent.headers))
    assert event["specversion"] == "1.0"
    assert event["id"] == sent.headers["webhook-id"] == "run:step:1"
    assert (event["type"], event["source"]) == ("nl.wissel.drill.step", "urn:nld:wissel")
    assert event["data"] == {"reden": "crisis – geoefend"}
    assert sent.headers["content-type"].startswith("application/cloudevents+json")
    assert json.loads(sent.content)["time"].endswith("Z")


@respx.mock
@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_!"])
def test_a_useless_secret_sends_nothing(context: FakeContext, secret: str) -> None:
    context.secrets["secret://hook"] = secret
    route = respx.post(URL).mock(return_value=httpx.Response(204))
    assert Webhook().run(WebhookParams(url=URL, secret="secret://hook"), context).verdict is Verdict.UNKNOWN
    assert not route.called


@respx.mock
def test_another_answer_or_none_is_not_delivered(context: FakeContext) -> None:
    respx.post(URL).mock(return_value=httpx.Response(410))
    assert Webhook().run(WebhookParams(url=URL, secret="secret://hook"), context).verdict is Verdict.FAILED
    respx.post(URL).mock(side_effect=httpcore.ConnectTimeout("late"))
    assert Webhook().run(WebhookParams(url=URL, secret="secret://hook"), context).verdict is Verdict.FAILED


def test_a_secret_written_out_is_refused() -> None:
    with pytest.raises(ValidationError, match="secret://"):
        WebhookParams(url=URL, secret=SECRET)
