"""Turns a snapshot into what one viewer sees on the page of a run: clock, steps, what is asked, what may be done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.access.rules import Action, Actor, may
from app.core import charts
from app.core.formats import short_clock
from app.core.i18n import gettext as _
from app.core.i18n import pick
from app.core.labels import label, named
from app.core.messages import Message, say
from app.playbooks.rules import StepKind
from app.runs import labels
from app.runs.models import RunEvent
from app.runs.rules import ENDS, MET, TROUBLE, RunState, StepState
from app.runs.shapes import StepOut
from app.runs.snapshot import NEWEST_LOG, Asked, Snapshot

REGIONS = ("head", "alert", "clock", "now", "steps", "burn", "log", "where", "people", "notes", "controls", "result")
"""The parts of the page that are renewed while it is open; each is a template `runs/region_NAME.html`."""
_TONES = {
    StepState.SUCCEEDED: ("positive", "check"),
    StepState.WARNING: ("warning", "triangle-alert"),
    StepState.STARTED: ("info", "play"),
    StepState.READY: ("info", "hourglass"),
    StepState.WAITING: ("info", "hourglass"),
    StepState.FAILED: ("negative", "x"),
    StepState.TIMED_OUT: ("negative", "clock-alert"),
    StepState.UNDO_FAILED: ("negative", "triangle-alert"),
    StepState.IGNORED: ("warning", "triangle-alert"),
    StepState.UNKNOWN: ("warning", "circle-help"),
    StepState.SKIPPED: ("neutral", "skip-forward"),
    StepState.UNDONE: ("neutral", "undo-2"),
    StepState.NOT_STARTED: ("neutral", "circle"),
}
_STEP_WORDS = {
    StepState.NOT_STARTED: say("not started"),
    StepState.READY: say("ready to start"),
    StepState.STARTED: say("running"),
    StepState.WAITING: say("waiting"),
    StepState.SUCCEEDED: say("done"),
    StepState.WARNING: say("done, with a warning"),
    StepState.FAILED: say("failed"),
    StepState.IGNORED: say("failed, ignored"),
    StepState.TIMED_OUT: say("took too long"),
    StepState.SKIPPED: say("skipped"),
    StepState.UNKNOWN: say("outcome unknown"),
    StepState.UNDONE: say("undone"),
    StepState.UNDO_FAILED: say("undo failed"),
}
_BACKWARD = (RunState.ABORTING, RunState.UNDOING, RunState.UNDO_FAILED)
"""States in which the run no longer heads for its end, so that a forecast of it says nothing."""
_TOLD_WHY = (*TROUBLE, StepState.WARNING, StepState.SKIPPED)
_BUSY = (StepState.STARTED, StepState.READY, StepState.WAITING)


@dataclass(frozen=True)
class Viewer:
    """Who looks, as far as the page depends on it."""

    person_id: str | None
    ref: str
    operates: bool
    answers: bool
    approves: bool

    @classmethod
    def of(cls, actor: Actor) -> "Viewer":
        """What this actor may do to runs."""
        return cls(
            actor.person_id,
            actor.ref,
            may(actor, Action.OPERATE_RUN),
            may(actor, Action.ANSWER_STEP),
            may(actor, Action.APPROVE_RUN),
        )


def context(found: Snapshot, viewer: Viewer, *, watching: tuple[str, ...] = ()) -> dict[str, Any]:
    """Everything that the regions of the page use."""
    run = found.run
    legal = {each.command for each in run.next_actions}
    return {
        "found": found,
        "run": run,
        "viewer": viewer,
        "legal": legal if viewer.operates else set(),
        "open": run.state not in ENDS,
        "begun": run.started_at is not None,
        "owing": [each for each in run.obligations if each["kind"] == "debt" and not each["doneAt"]],
        "cleaning": [each for each in run.obligations if each["kind"] == "clean-up" and not each["doneAt"]],
        "reviews": [each for each in run.obligations if each["kind"] == "review" and not each["doneAt"]],
        "since_alarm": _since(run.clocks.alarm_at, end_of(found)) if run.activation else None,
        "clock": _clock(found),
        "steps": [_step(found, each) for each in run.steps],
        "titles": {each.id: _title(each) for each in run.steps},
        "done": sum(each.state in MET for each in run.steps),
        "questions": [(each, found.asked[each.id]) for each in run.steps if each.id in found.asked],
        "mine": {key: _mine(found, viewer, key, asked) for key, asked in found.asked.items()},
        "troubled": [each for each in run.steps if each.state in (*TROUBLE, StepState.UNDO_FAILED)],
        "running": [each for each in run.steps if each.state in (StepState.STARTED, StepState.READY)],
        "waits": [each for each in run.steps if each.kind == StepKind.WAIT and each.state is StepState.WAITING],
        "skippable": [each for each in run.steps if _offers(each, "skip") and each.state is StepState.NOT_STARTED],
        "burn": _burn(found),
        "gantt": _gantt(found) if run.state in ENDS and run.started_at else None,
        "logged": _logged(run.steps),
        "watching": watching,
        "role_choices": [(each, named(each)) for each in found.roles],
        "may_ask": viewer.person_id is not None and (viewer.operates or viewer.person_id in found.deciders),
        "event_words": {each.id: _told(found, each) for each in found.events},
        "command_words": labels.COMMANDS,
        "approval": _approval(found, viewer),
        "offers": _offers,
    }


def _title(step: StepOut) -> str:
    words = step.title or step.question
    return pick(words) if words else step.id


def _told(found: Snapshot, event: RunEvent) -> Message:
    """What happened, in words; a wait that opens asks nobody."""
    waits = any(each.id == event.step_id and each.kind == StepKind.WAIT for each in found.run.steps)
    return labels.WAIT_OPENED if waits and event.kind == "step.opened" else labels.EVENTS[event.kind]


def _offers(step: StepOut, command: str) -> bool:
    return any(each.command == command for each in step.next_actions)


def _mine(found: Snapshot, viewer: Viewer, step_id: str, asked: Asked) -> str:
    """`yes`, `voted` or `no`: whether this is asked of the viewer."""
    step = next(each for each in found.run.steps if each.id == step_id)
    if any(vote["by"] == viewer.ref for vote in step.votes):
        return "voted"
    return "yes" if viewer.answers and viewer.person_id in asked.who else "no"


def _since(start: datetime | None, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds()) if start else 0.0


def _clock(found: Snapshot) -> dict[str, Any]:
    """The big clock: the outage once there is one, else the time since the start."""
    run, clocks = found.run, found.run.clocks
    end = run.ended_at or found.at
    running = (run.started_at is not None or run.activation) and run.ended_at is None
    outage = clocks.outage_since_at is not None
    if clocks.rta_ms is not None:
        seconds, ticking = clocks.rta_ms / 1000, False
    else:
        seconds, ticking = _since(clocks.outage_since_at or run.started_at, end), running
    goal = clocks.rto_goal_seconds
    onward = run.ended_at is None and clocks.rta_ms is None and run.state not in _BACKWARD
    forecast = found.outage_seconds if onward else None
    used = seconds if outage else 0.0
    margin = goal - max(forecast or 0.0, used) if goal is not None and (forecast is not None or outage) else None
    whole = _since(run.started_at, end)
    return {
        "seconds": seconds,
        "ticking": ticking,
        "outage": outage,
        "back": clocks.rta_ms is not None,
        "left": goal - used if goal is not None and outage and ticking else None,
        "margin": margin,
        "tight": margin is not None and goal is not None and margin < goal * 0.1,
        "whole": whole,
        "goal": goal,
        "forecast": run.clocks.expected_end_at if run.state not in _BACKWARD else None,
        "bar": charts.goal_bar(_("Recovery time against the goal"), used=used, forecast=forecast, goal=goal)
        if goal is not None or forecast
        else None,
    }


def _step(found: Snapshot, step: StepOut) -> dict[str, Any]:
    run = found.run
    tone, symbol = _TONES[step.state]
    took = None
    if step.started_at and run.started_at:
        took = _since(step.started_at, step.finished_at or found.at) if step.state is not StepState.WAITING else None
    at = _since(run.started_at, step.finished_at) if step.finished_at and run.started_at else None
    return {
        "id": step.id,
        "step": step,
        "title": _title(step),
        "tone": tone,
        "symbol": symbol,
        "state": pick(_STEP_WORDS[step.state]),
        "note": " · ".join(_notes(step)),
        "at": short_clock(at) if at is not None else "",
        "took": took,
        "plan": short_clock(found.planned[step.id]) if found.planned.get(step.id) else "",
        "current": step.state in _BUSY,
        "why": pick(step.reason) if step.reason and step.state in _TOLD_WHY else "",
    }


def _notes(step: StepOut) -> list[str]:
    notes = [step.uses or ""]
    if step.role:
        notes.append(_("asks: {role}").format(role=named(step.role)))
    if step.chosen:
        notes.append(_("decided: {option}").format(option=named(step.chosen)))
    if step.attempt > 1:
        notes.append(_("attempt {number}").format(number=step.attempt))
    if step.point_of_no_return:
        notes.append(_("no way back after this"))
    elif step.irreversible:
        notes.append(_("cannot be undone"))
    return [each for each in notes if each]


def _burn(found: Snapshot) -> Any:
    run = found.run
    if run.started_at is None or not found.planned:
        return None
    ended = {each.id: each for each in run.steps}
    marks = [
        charts.StepMark(
            _title(ended[step_id]),
            planned,
            _since(run.started_at, done) if (done := ended[step_id].finished_at) and _settled(ended[step_id]) else None,
        )
        for step_id, planned in found.planned.items()
        if step_id in ended
    ]
    goal = None
    if run.clocks.rto_goal_seconds is not None and run.clocks.outage_since_at is not None:
        # The outage of the real thing began before its run did.
        goal = (run.clocks.outage_since_at - run.started_at).total_seconds() + run.clocks.rto_goal_seconds
        goal = max(0.0, goal)
    return charts.burn_down(_("Steps left against time"), marks, now=_since(run.started_at, end_of(found)), goal=goal)


def _settled(step: StepOut) -> bool:
    return step.state in MET


def end_of(found: Snapshot) -> datetime:
    """The moment up to which the clocks of this page count."""
    return found.run.ended_at or found.at


def _gantt(found: Snapshot) -> Any:
    run = found.run
    spans = [
        charts.Span(
            _title(each),
            _since(run.started_at, each.started_at),
            _since(run.started_at, each.finished_at) if each.finished_at else None,
            _TONES[each.state][0],  # type: ignore[arg-type]
            pick(_STEP_WORDS[each.state]),
        )
        for each in run.steps
        if each.started_at is not None
    ]
    return charts.gantt(_("Steps in time"), spans, now=_since(run.started_at, end_of(found))) if spans else None


def _logged(steps: list[StepOut]) -> tuple[StepOut, str] | None:
    """The step whose log is shown: the running one, else the last one that wrote something."""
    wrote = [each for each in steps if each.log]
    if not wrote:
        return None
    busy = [each for each in wrote if each.state is StepState.STARTED]
    chosen = busy[0] if busy else max(wrote, key=lambda each: each.started_at.timestamp() if each.started_at else 0.0)
    return chosen, chosen.log[-NEWEST_LOG:]


def _approval(found: Snapshot, viewer: Viewer) -> dict[str, Any]:
    """Whether the viewer may approve or deny, and if not, why."""
    legal = {each.command for each in found.run.next_actions}
    said = {each.person_id for each in found.approvals if each.revoked_at is None and each.digest == found.run.digest}
    why = ""
    if viewer.person_id in found.excluded:
        why = _("You planned, started or wrote this. Two other people must approve it.")
    elif viewer.person_id in said:
        why = _("You decided about this. Somebody else must be the second person.")
    return {
        "asked": found.run.state is RunState.AWAITING_APPROVAL,
        "may_veto": viewer.approves and found.policy is not None and not why and _under_way(found),
        "may": viewer.approves and bool(legal & {"approve", "deny"}) and not why,
        "why": why if viewer.approves else "",
        "yes": [each for each in found.approvals if each.revoked_at is None],
    }


def _under_way(found: Snapshot) -> bool:
    return found.run.started_at is not None and found.run.state not in ENDS


def spoken(found: Snapshot, after: int) -> str:
    """What changed after an event, for the region that a screen reader reads: steps and the run, no progress."""
    titles = {each.id: _title(each) for each in found.run.steps}
    told = [
        f"{titles[event.step_id]}: {pick(_told(found, event))}" if event.step_id in titles else ""
        for event in reversed(found.events)
        if (event.id or 0) > after and event.kind.startswith("step.") and event.step_id in titles
    ]
    words = [each for each in told if each][-3:]
    if any((event.id or 0) > after and event.kind.startswith(("run.", "command.")) for event in found.events):
        words.append(label(found.run.state))
    return ". ".join(words)
