"""escrow.smoke: what is built from the deposit starts and gives the right answer."""

from typing import Any

from runners.contract import Context, Effect, Measurement, Outcome, Preview, Text, failed, passed
from runners.escrow.deposit import Recipe
from runners.escrow.making import make
from runners.escrow.opened import RoomParams
from runners.escrow.sandbox import Finding
from runners.looking import Looking


class SmokeParams(RoomParams):
    """Level 3 of an escrow verification: the built software starts in the clean room and answers its question right.

    Proves: built anew from the deposit alone, it starts without a network and answers one HTTP request on the room's
    own loopback with the status and the fields that the recipe expects, within its time.
    Cannot see: whether the software does everything that production does, or works with real data and its neighbours.
    The question and the right answer come from the depositor: have them agreed upon when the deposit is accepted.
    Needs on the machine: bubblewrap and permission to make namespaces; without them it *could not look*. A recipe
    without a smoke test means *could not look* too.
    Bad input: as `escrow.build`; a program that does not start, does not answer, or answers wrong *fails*.
    """


class Smoke(Looking):
    """Builds, starts and asks the deposit in the clean room."""

    name = "escrow.smoke"
    Params = SmokeParams
    effect = Effect.ISOLATED

    def preview(self, params: Any, context: Context) -> Preview:
        """What would be done; the commands themselves are in the deposit."""
        del context
        return Preview(
            calls=(f"unpack {params.deposit.archive}", "bwrap (no network, nobody) recipe.json: build, start, ask"),
            changes=Text(nl="Verandert niets buiten een wegwerpmap.", en="Changes nothing outside a throwaway folder."),
        )

    def run(self, params: Any, context: Context) -> Outcome:
        """Build, start and ask it."""
        return make(params, context, _judge, smoke=True)


def _judge(how: Recipe, finding: Finding) -> Outcome:
    not_started = finding.last("not started")
    if not_started is not None:
        return failed(
            f"Het gebouwde start niet: {not_started['message']}.",
            f"What was built does not start: {not_started['message']}.",
        )
    answer = finding.last("answer")
    if answer is None:
        return failed(
            "Het gebouwde gaf geen antwoord voordat de tijd om was.",
            "What was built gave no answer before the time was up.",
        )
    took = Measurement(name="answer_ms", value=answer["ms"], unit="ms")
    if answer.get("right"):
        status = answer["status"]
        return passed(
            f"Het gebouwde start en geeft het juiste antwoord (status {status}).",
            f"What was built starts and gives the right answer (status {status}).",
            took,
        )
    return _wrong(how, answer)


def _wrong(how: Recipe, answer: dict[str, Any]) -> Outcome:
    expected = how.smoke.ask.expect_status if how.smoke else None
    if answer.get("first_right"):
        return failed(
            "Het gebouwde gaf één keer het juiste antwoord, maar een seconde later niet meer.",
            "What was built gave the right answer once, but a second later no more.",
        )
    if answer["exit_code"] is not None and "status" not in answer:
        return failed(
            f"Het gebouwde stopt met code {answer['exit_code']} zonder antwoord te geven.",
            f"What was built ends with code {answer['exit_code']} without an answer.",
        )
    match answer["problem"]:
        case "status":
            return failed(
                f"Het gebouwde antwoordt met status {answer['status']} in plaats van {expected}.",
                f"What was built answers with status {answer['status']} instead of {expected}.",
            )
        case "json":
            shown = answer["body"][:200]
            return failed(
                f"Het gebouwde geeft een ander antwoord dan het recept verwacht: {shown}",
                f"What was built gives another answer than the recipe expects: {shown}",
            )
        case problem:
            return failed(
                f"Het gebouwde gaf geen antwoord op de vraag: {problem}.",
                f"What was built gave no answer to the question: {problem}.",
            )
