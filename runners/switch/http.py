"""Asks another system to switch, by one HTTP request that it can recognise when it is sent again."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

from runners.contract import (
    Context,
    Effect,
    Fencing,
    Frozen,
    Measurement,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    SecretMissing,
    SecretRef,
    Seen,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.origins import NotAnswered, UrlRefused
from runners.outgoing import Answer, Outgoing

MARGIN = 0.3
LONGEST = 30.0


class HttpParams(Frozen):
    """Sends POST or PUT to an allowed origin, with `Idempotency-Key` and `X-Fencing-Token`.

    Proves: the other system answered 2xx to exactly this request.
    Cannot see: whether it really switched; follow it with a check that asks the service itself.
    Needs: the origins of all URLs on the site's list (`http`); a target that keeps to `Idempotency-Key`: after a
    crash the same request is sent again. A target that can should refuse a lower `X-Fencing-Token` than it has seen.
    Bad input: a refused URL, a redirect or a 4xx is *failed*; no answer or a 5xx after the request went out is
    *unknown*: it may have been done.
    """

    url: str
    method: Literal["POST", "PUT"] = "POST"
    body: dict[str, Any] | None = None
    """Sent as JSON."""
    token: SecretRef | None = None
    """Sent as ``Authorization: Bearer``."""
    observe_url: str | None = None
    """GET answers 200 while the effect is there, 404 while it is not; anything else is unknown."""
    undo_url: str | None = None
    """Asked with the same method and body to take the effect back."""


class Http(Runner):
    """``switch.http``: keyed by `Idempotency-Key`; the undo asks `undo_url`."""

    name = "switch.http"
    Params = HttpParams
    effect = Effect.CHANGES
    repeat = Repeat.KEYED
    fencing = Fencing.PASSED_ON

    def preview(self, params: HttpParams, context: Context) -> Preview:
        """The request with its key; the token stays a reference."""
        body = f" {json.dumps(params.body, ensure_ascii=False)}" if params.body is not None else ""
        bearer = f" Authorization: Bearer {params.token}" if params.token else ""
        calls = (f"{params.method} {params.url}{body} Idempotency-Key: {context.effect_key}{bearer}",)
        nl, en = "Vraagt een ander systeem om te wisselen.", "Asks another system to switch."
        undo = f"{params.method} {params.undo_url}"
        back = Text(nl=undo, en=undo) if params.undo_url else None
        return Preview(calls=calls, changes=Text(nl=nl, en=en), undo=back, irreversible=params.undo_url is None)

    def observe(self, params: HttpParams, context: Context) -> Observation:
        """Ask `observe_url`, where there is one."""
        if params.observe_url is None:
            nl, en = "Er is geen URL om te kijken (observe_url).", "There is no URL to look at (observe_url)."
            return Observation(seen=Seen.UNKNOWN, reason=Text(nl=nl, en=en))
        try:
            answer = _ask(params, context, "GET", params.observe_url, "")
        except (UrlRefused, NotAnswered, SecretMissing) as error:
            return Observation(seen=Seen.UNKNOWN, reason=_text("Niet te zien", "Cannot be seen", error))
        seen = {200: Seen.DONE, 404: Seen.NOT_DONE}.get(answer.status, Seen.UNKNOWN)
        nl = f"Het andere systeem antwoordt met status {answer.status}."
        return Observation(seen=seen, reason=Text(nl=nl, en=f"The other system answers with status {answer.status}."))

    def run(self, params: HttpParams, context: Context) -> Outcome:
        """Send it once."""
        return _change(params, context, params.url, context.effect_key)

    def undo(self, params: HttpParams, context: Context) -> Outcome:
        """Ask `undo_url`, under a key of its own."""
        if params.undo_url is None:
            nl, en = "Er is geen URL om terug te draaien (undo_url).", "There is no URL to undo it (undo_url)."
            return failed(nl, en)
        return _change(params, context, params.undo_url, f"{context.effect_key}:undo")


def _change(params: HttpParams, context: Context, url: str, key: str) -> Outcome:
    try:
        answer = _ask(params, context, params.method, url, key)
    except UrlRefused as error:
        text = _text("Er is niets verstuurd", "Nothing was sent", error)
        return failed(text.nl, text.en)
    except SecretMissing as error:
        text = _text("Er is niets verstuurd", "Nothing was sent", error)
        return could_not_look(text.nl, text.en)
    except NotAnswered as error:
        return _unanswered(error)
    status = Measurement(name="status", value=answer.status)
    if 200 <= answer.status < 300:
        took = Measurement(name="answer_ms", value=round(answer.seconds * 1000, 1), unit="ms")
        nl, en = "Het andere systeem nam de opdracht aan.", "The other system accepted the request."
        return passed(nl, en, status, took, effective_at=datetime.now(UTC))
    nl = f"Het andere systeem antwoordt met status {answer.status}."
    en = f"The other system answers with status {answer.status}."
    return (could_not_look if answer.status >= 500 else failed)(nl, en, status)


def _unanswered(error: NotAnswered) -> Outcome:
    if error.sent:
        text = _text("Verstuurd zonder antwoord; het kan gedaan zijn", "Sent without an answer; it may be done", error)
        return could_not_look(text.nl, text.en)
    text = _text("Er is niets verstuurd", "Nothing was sent", error)
    return failed(text.nl, text.en)


def _ask(params: HttpParams, context: Context, method: str, url: str, key: str) -> Answer:
    headers = {"X-Fencing-Token": str(context.fencing_token), "Accept": "application/json"}
    if params.token is not None:
        headers["Authorization"] = f"Bearer {context.secret(params.token)}"
    body = b""
    if method != "GET":
        # The header's value is a quoted string (draft-ietf-httpapi-idempotency-key-header); keys hold no quotes.
        headers["Idempotency-Key"] = f'"{key}"'
        if params.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(params.body, ensure_ascii=False).encode()
    seconds = max(0.1, min(LONGEST, context.remaining() - MARGIN))
    return Outgoing(context.policy.http, context.policy.ca_file).request(
        method, url, seconds=seconds, headers=headers, body=body
    )


def _text(nl: str, en: str, error: Exception) -> Text:
    return Text(nl=f"{nl}: {error}.", en=f"{en}: {error}.")
