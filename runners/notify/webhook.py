"""Tells another system what happened, as a signed CloudEvent."""

import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field
from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signer

from runners.contract import (
    Context,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    Repeat,
    SecretMissing,
    SecretRef,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import Looking
from runners.origins import NotAnswered, UrlRefused
from runners.outgoing import Outgoing

MARGIN = 0.3
LONGEST = 10.0


class WebhookParams(Frozen):
    """Posts a CloudEvents 1.0 event (JSON, after the NLGov profile), signed by Standard Webhooks.

    Proves: the receiver answered 2xx.
    Cannot see: whether anybody read it.
    Needs: the origin on the site's list (`http`), and the shared secret (``whsec_`` and base64) by reference.
    Bad input: a refused URL, another answer or none is *failed*; a secret that is missing or cannot be read is
    *could not look*. Nothing is sent unsigned. A repeat bears the same `webhook-id`, so a receiver can drop it.
    """

    url: str
    secret: SecretRef
    type: Annotated[str, Field(pattern=r"^[a-z0-9]+(\.[a-z0-9_-]+)+$")] = "nl.wissel.drill.step"
    """Reverse domain name and event, in lower case."""
    source: Annotated[str, Field(pattern=r"^(urn:[a-z0-9][a-z0-9-]{0,31}:\S+|https://\S+)$")] = "urn:nld:wissel"
    """Who tells it: ``urn:nld:oin:…:systeem:…`` of your organisation."""
    subject: str | None = None
    data: dict[str, Any] = {}


class Webhook(Looking):
    """``notify.webhook``: changes nothing in an environment and carries no proof, so its effect is *observes*."""

    name = "notify.webhook"
    Params = WebhookParams
    repeat = Repeat.KEYED

    def preview(self, params: WebhookParams, context: Context) -> Preview:
        """The one request."""
        calls = (f"POST {params.url} {params.type}, signed with {params.secret}",)
        return Preview(calls=calls, changes=Text(nl="Stuurt een bericht.", en="Sends a message."))

    def run(self, params: WebhookParams, context: Context) -> Outcome:
        """Sign and send it once."""
        moment = datetime.now(UTC)
        body = _event(params, context.effect_key, moment)
        try:
            headers = _signed(context.secret(params.secret), context.effect_key, moment, body)
            seconds = max(0.1, min(LONGEST, context.remaining() - MARGIN))
            client = Outgoing(context.policy.http, context.policy.ca_file)
            answer = client.request("POST", params.url, seconds=seconds, headers=headers, body=body.encode())
        except SecretMissing:
            nl, en = f"Deze locatie heeft {params.secret} niet.", f"This site does not hold {params.secret}."
            return could_not_look(nl, en)
        except (binascii.Error, EmptyWebhookSecretError, ValueError):
            nl, en = f"{params.secret} is geen sleutel voor webhooks.", f"{params.secret} is no webhook secret."
            return could_not_look(f"{nl} Er is niets verstuurd.", f"{en} Nothing was sent.")
        except (UrlRefused, NotAnswered) as error:
            return failed(f"Het bericht is niet afgeleverd: {error}.", f"The message was not delivered: {error}.")
        status = Measurement(name="status", value=answer.status)
        if 200 <= answer.status < 300:
            return passed("Het bericht is afgeleverd.", "The message was delivered.", status)
        nl = f"De ontvanger antwoordt met status {answer.status}."
        return failed(nl, f"The receiver answers with status {answer.status}.", status)


def _event(params: WebhookParams, key: str, moment: datetime) -> str:
    event = {
        "specversion": "1.0",
        "id": key,
        "source": params.source,
        "type": params.type,
        "time": moment.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": params.data,
    }
    return json.dumps(event | ({"subject": params.subject} if params.subject else {}), ensure_ascii=False)


def _signed(secret: str, key: str, moment: datetime, body: str) -> dict[str, str]:
    return {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": key,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Signer(secret).sign(key, moment, body),
    }
