"""Asks a service over HTTP, as a user would, which side serves and whether it goes on serving."""

import json
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from runners.contract import (
    Context,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    Side,
    Text,
    Verdict,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES, Looking
from runners.origins import NotAnswered, UrlRefused
from runners.outgoing import Answer, Outgoing

HEADER = "x-wissel-side"
ONE_LOOK = 5.0
"""Longest wait for one answer, in seconds."""
TIGHT = 0.02
"""Seconds between two looks before the first good one: the clock of the outage depends on it."""
MARGIN = 0.3


class CheckHttpParams(Frozen):
    """Asks a URL and looks at its status, at which side served it, and at a number in its JSON.

    Proves: a new connection to this URL, from this worker, gets this answer, for all of `stable_for`.
    With `served_by` it is an independent probe: the service itself says which side it is, by the header
    `X-Wissel-Side` or the JSON key `side`.
    Cannot see: users elsewhere, who may still have an old DNS answer or an old connection.
    Needs: the origin of the URL on the site's list (`http`). Proxies and redirects are never used.
    Bad input: a URL that is refused, or a name that cannot be resolved here, is *could not look*; a wrong answer or
    none is *failed*.
    """

    url: str
    served_by: Side | None = None
    stable_for: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(0)
    """How long each look must be good; then it is looked until that holds or the time is up."""
    within: Annotated[timedelta, Field(ge=timedelta(0))] | None = None
    """How long to go on looking; default: the step's time-out with `stable_for`, else one look."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    value_of: str | None = None
    """Path of a number in the JSON answer, with dots: ``queue.depth``. Becomes a measurement of that name."""
    at_least: float | None = None
    at_most: float | None = None
    every: Annotated[timedelta, Field(ge=timedelta(milliseconds=10))] = timedelta(milliseconds=200)


@dataclass(frozen=True)
class Look:
    """One look: its verdict, why, and what was measured."""

    verdict: Verdict
    why: Text
    figures: tuple[Measurement, ...] = ()


class CheckHttp(Looking):
    """``check.http``: effective from the beginning of the stable period. A probe where `served_by` is given."""

    name = "check.http"
    Params = CheckHttpParams
    probe = True

    def preview(self, params: CheckHttpParams, context: Context) -> Preview:
        """The one request."""
        return Preview(calls=(f"GET {params.url}",), changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckHttpParams, context: Context) -> Outcome:
        """Look until it was good for `stable_for`, or the time is up."""
        client = Outgoing(context.policy.http, context.policy.ca_file)
        until = time.monotonic() + _patience(params, context)
        wanted = params.stable_for.total_seconds()
        since: tuple[float, datetime] | None = None
        looks = misses = 0
        while True:
            asked, moment = time.monotonic(), datetime.now(UTC)
            seen = _look(client, params, min(ONE_LOOK, max(0.1, context.remaining() - MARGIN)))
            looks += 1
            if seen.verdict is Verdict.PASSED:
                since = since or (asked, moment)
                if time.monotonic() - since[0] >= wanted:
                    return _good(params, seen, since[1], looks, misses)
            else:
                since, misses = None, misses + 1
            if time.monotonic() >= until:
                return _bad(params, seen, looks, misses)
            time.sleep(max(0.0, min(params.every.total_seconds() if since else TIGHT, until - time.monotonic())))


def _patience(params: CheckHttpParams, context: Context) -> float:
    most = max(0.0, context.remaining() - MARGIN)
    if params.within is not None:
        return min(most, params.within.total_seconds())
    return most if params.stable_for else 0.0


def _look(client: Outgoing, params: CheckHttpParams, seconds: float) -> Look:
    try:
        answer = client.request("GET", params.url, seconds=seconds)
    except UrlRefused as error:
        text = Text(nl=f"Deze URL mag hier niet worden bevraagd: {error}.", en=f"This URL may not be asked: {error}.")
        return Look(Verdict.UNKNOWN, text)
    except NotAnswered as error:
        verdict = Verdict.FAILED if error.looked else Verdict.UNKNOWN
        return Look(
            verdict, Text(nl=f"De dienst antwoordt niet: {error}.", en=f"The service does not answer: {error}.")
        )
    took = Measurement(name="answer_ms", value=round(answer.seconds * 1000, 1), unit="ms")
    status = Measurement(name="status", value=answer.status)
    if answer.status != params.status:
        nl = f"De dienst antwoordt met status {answer.status}, niet {params.status}."
        text = Text(nl=nl, en=f"The service answers with status {answer.status}, not {params.status}.")
        return Look(Verdict.FAILED, text, (status, took))
    return _judge(params, answer, (status, took))


def _judge(params: CheckHttpParams, answer: Answer, figures: tuple[Measurement, ...]) -> Look:
    document = _json(answer.body)
    if params.served_by is not None:
        side = answer.headers.get(HEADER) or (document.get("side") if isinstance(document, dict) else None)
        if side != params.served_by.value:
            wanted, shown = SIDE_NAMES[params.served_by], "?" if side is None else str(side)[:40]
            nl = f"De dienst zegt dat kant '{shown}' antwoordt, niet {wanted.nl}."
            en = f"The service says that side '{shown}' answers, not {wanted.en}."
            return Look(Verdict.FAILED, Text(nl=nl, en=en), figures)
        figures = (*figures, Measurement(name="served_by", value=str(side)))
    if params.value_of is not None:
        return _number(params, document, figures)
    return Look(Verdict.PASSED, Text(nl="De dienst antwoordt goed.", en="The service answers well."), figures)


def _number(params: CheckHttpParams, document: Any, figures: tuple[Measurement, ...]) -> Look:
    found = document
    for part in str(params.value_of).split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        nl = f"Het antwoord heeft geen getal in '{params.value_of}'."
        return Look(Verdict.FAILED, Text(nl=nl, en=f"The answer has no number in '{params.value_of}'."), figures)
    figures = (*figures, Measurement(name=str(params.value_of), value=found))
    low = params.at_least is not None and found < params.at_least
    high = params.at_most is not None and found > params.at_most
    bound = params.at_least if low else params.at_most
    if low or high:
        nl = f"{params.value_of} is {found:g}: {'lager' if low else 'hoger'} dan {bound:g}."
        en = f"{params.value_of} is {found:g}: {'below' if low else 'above'} {bound:g}."
        return Look(Verdict.FAILED, Text(nl=nl, en=en), figures)
    return Look(
        Verdict.PASSED, Text(nl=f"{params.value_of} is {found:g}.", en=f"{params.value_of} is {found:g}."), figures
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _good(params: CheckHttpParams, seen: Look, since: datetime, looks: int, misses: int) -> Outcome:
    stable = params.stable_for.total_seconds()
    counts = (Measurement(name="looks", value=looks), Measurement(name="misses", value=misses))
    nl, en = seen.why.nl, seen.why.en
    if stable:
        nl, en = f"{nl} Dat bleef {stable:g} s zo.", f"{en} That held for {stable:g} s."
    return passed(nl, en, *seen.figures, *counts, effective_at=since)


def _bad(params: CheckHttpParams, seen: Look, looks: int, misses: int) -> Outcome:
    counts = (Measurement(name="looks", value=looks), Measurement(name="misses", value=misses))
    if seen.verdict is Verdict.UNKNOWN:
        return could_not_look(seen.why.nl, seen.why.en, *counts)
    if seen.verdict is Verdict.PASSED:
        stable = params.stable_for.total_seconds()
        nl = f"De dienst antwoordt goed, maar niet {stable:g} s achter elkaar binnen de tijd."
        en = f"The service answers well, but not for {stable:g} s on end within the time."
        return failed(nl, en, *seen.figures, *counts)
    return failed(seen.why.nl, seen.why.en, *seen.figures, *counts)
