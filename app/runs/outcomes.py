"""Settles a step by what was seen of it, by its outcome, or by the lack of one."""

from datetime import datetime, timedelta

from app.runs.models import StepRun
from app.runs.progress import look_or_ask
from app.runs.rules import Call, StepState
from app.runs.view import Held
from runners.contract import Effect, Observation, Outcome, Seen, Text, Verdict


def adopt(row: StepRun, observation: Observation, now: datetime) -> None:
    """Settle a step by what was seen of its effect."""
    row.finished_at = now
    verdicts = {Seen.DONE: Verdict.PASSED, Seen.NOT_DONE: Verdict.FAILED, Seen.UNKNOWN: Verdict.UNKNOWN}
    if row.call is Call.UNDO:
        row.state = StepState.UNDONE if observation.seen is Seen.NOT_DONE else StepState.UNDO_FAILED
        return
    states = {Seen.DONE: StepState.SUCCEEDED, Seen.NOT_DONE: StepState.FAILED, Seen.UNKNOWN: StepState.UNKNOWN}
    row.state, row.verdict = states[observation.seen], verdicts[observation.seen]
    if observation.seen is Seen.NOT_DONE and row.effect is Effect.ISOLATED:
        # What only looks, in a place of its own, proves by its outcome alone: without one nobody looked.
        row.state, row.verdict = StepState.UNKNOWN, Verdict.UNKNOWN
    row.absent = observation.seen is Seen.NOT_DONE
    row.crashed = observation.seen is Seen.UNKNOWN
    row.outcome = {
        "verdict": row.verdict.value,
        "reason": _after(row, observation),
        "measurements": [each.model_dump() for each in observation.measurements],
    }


def _after(row: StepRun, observation: Observation) -> dict[str, str]:
    """What was seen, after why it had to be looked for: without that nobody knows what went wrong."""
    seen, why = observation.reason.model_dump(), row.outcome.get("reason")
    if why is None or observation.seen is Seen.DONE:
        return seen
    return {language: f"{why[language]} {seen[language]}" for language in seen}


def settle(row: StepRun, outcome: Outcome, now: datetime) -> None:
    """Settle a step by its outcome."""
    row.finished_at, row.crashed = now, False
    if row.call is Call.UNDO:
        row.state = StepState.UNDONE if outcome.verdict is Verdict.PASSED else StepState.UNDO_FAILED
        row.outcome = row.outcome | {"reason": outcome.reason.model_dump()}
        return
    done = StepState.WARNING if outcome.warning else StepState.SUCCEEDED
    states = {Verdict.PASSED: done, Verdict.FAILED: StepState.FAILED, Verdict.UNKNOWN: StepState.UNKNOWN}
    row.state, row.verdict, row.effective_at = states[outcome.verdict], outcome.verdict, outcome.effective_at
    row.outcome = outcome.model_dump(mode="json", exclude={"evidence"})


def no_outcome(row: StepRun, error: Text | None, now: datetime) -> None:
    """The body ended without a word: killed, past its deadline, or a bug. What it did is not known."""
    reason = error or Text(nl="De stap gaf geen uitkomst.", en="The step gave no outcome.")
    if row.call is Call.RUN:
        row.verdict = Verdict.UNKNOWN
        row.outcome = {"verdict": Verdict.UNKNOWN.value, "reason": reason.model_dump(), "measurements": []}
    else:
        row.outcome = row.outcome | {"reason": reason.model_dump()}
    look_or_ask(row, now=now)


def plan_retry(held: Held, row: StepRun, now: datetime) -> None:
    """Set the moment of an automatic retry, where the playbook wants one and the effect is harmless or not there."""
    step = held.playbook.step(row.step_id)
    harmless = row.effect in (Effect.OBSERVES, Effect.ISOLATED) or row.absent
    troubled = row.state in (StepState.FAILED, StepState.TIMED_OUT, StepState.UNKNOWN) and row.call is Call.RUN
    stopping = held.run.aborting or held.run.undoing
    if step.retries and harmless and troubled and not stopping and row.tries <= step.retries.times:
        row.retry_at = now + timedelta(seconds=step.retries.wait)
