"""Reads the flat fields of the drill form into the shapes of the API, and puts their faults back at the fields."""

from collections.abc import Mapping
from typing import Any

from app.core import forms
from app.core.browser import Fields
from app.core.errors import FieldError, Problem
from app.core.i18n import pick
from app.core.messages import say
from app.core.shapes import Shape
from app.drills.readiness import asked_roles
from app.drills.rules import OnceAt, Recurring, Schedule, Window
from app.playbooks.rules import InputType, Playbook

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_WINDOWS, MOST_PEOPLE, SPARE_PEOPLE = 2, 20, 2
DEFAULTS: dict[str, Any] = {
    "mode": "rehearsal",
    "attendance": "attended",
    "grace": "15 min",
    "kind": "recurring",
    "schedule.month": "1,4,7,10",
    "schedule.day": "1st sun",
    "schedule.hour": "2",
    "schedule.minute": "0",
    "approvals.needed": "2",
    "approvals.processOwner": "yes",
}
_CRON = ("month", "day", "dayOfWeek", "hour", "minute")


class Timing(Shape):
    """When a drill falls, for a preview before the rest is right."""

    schedule: Schedule
    windows: list[Window] = []


def flat(fields: Fields) -> dict[str, Any]:
    """The fields as they were typed; chosen days as a list."""
    values: dict[str, Any] = fields.filled()
    for number in range(MOST_WINDOWS):
        values[f"windows.{number}.days"] = fields.every(f"windows.{number}.days")
    return values


def schedule_and_windows(values: Mapping[str, Any]) -> tuple[OnceAt | Recurring | None, list[Window]]:
    """The schedule of the form, None for a drill that is started by hand. Raises InvalidInput."""
    schedule = _schedule(values)
    if schedule is None:
        return None, []
    found = forms.read(Timing, {"schedule": schedule, "windows": _windows(values)})
    return found.schedule, found.windows


def participants_of(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Who takes part, from the rows of a form that name a person."""
    return [
        {"personId": values[f"participants.{n}.personId"], "role": values.get(f"participants.{n}.role", "")}
        for n in range(MOST_PEOPLE)
        if values.get(f"participants.{n}.personId")
    ]


def people_rows(values: Mapping[str, Any], playbook: Playbook | None) -> list[tuple[str, str]]:
    """Person and role per row: what was typed, else a row per person that the playbook asks, and some to spare."""
    typed = [
        (values.get(f"participants.{n}.personId", ""), values.get(f"participants.{n}.role", ""))
        for n in range(MOST_PEOPLE)
    ]
    rows = [each for each in typed if any(each)]
    named = [role for _who, role in rows]
    asked = asked_roles(playbook) if playbook else {}
    missing = [role for role, people in sorted(asked.items()) for _ in range(people - named.count(role))]
    return [*rows, *[("", role) for role in missing], *[("", "")] * SPARE_PEOPLE][:MOST_PEOPLE]


def nested(values: Mapping[str, Any], playbook: Playbook | None) -> dict[str, Any]:
    """The body of a drill by its API names. Raises InvalidInput for durations that cannot be read."""
    faults: list[FieldError] = []
    plain = ("title", "planId", "playbook", "mode", "scenario", "attendance", "onCallId", "ownerId")
    body: dict[str, Any] = {name: values[name] for name in plain if values.get(name)}
    body["grace"] = _seconds(values, "grace", faults) or 900
    body["inputs"] = _inputs(values, playbook, faults)
    body["windows"] = _windows(values)
    body["participants"] = participants_of(values)
    lines = values.get("objectives", "").splitlines()
    body["objectives"] = [{"text": line.strip()} for line in lines if line.strip()]
    body["limits"] = {name: values.get(f"limits.{name}", "") for name in ("blastRadius", "stopWord")}
    if values.get("limits.latestEnd"):
        body["limits"]["latestEnd"] = _seconds(values, "limits.latestEnd", faults)
    if values.get("approvals") or values.get("mode") == "live":
        body["approvals"] = _approvals(values, faults)
    if (schedule := _schedule(values)) is not None:
        body["schedule"] = schedule
    if faults:
        raise forms.wrong(faults)
    return body


def _approvals(values: Mapping[str, Any], faults: list[FieldError]) -> dict[str, Any]:
    given: dict[str, Any] = {"processOwner": "approvals.processOwner" in values}
    if values.get("approvals.needed"):
        given["needed"] = values["approvals.needed"]
    if values.get("approvals.validFor"):
        given["validFor"] = _seconds(values, "approvals.validFor", faults)
    return given


def without_sides(body: dict[str, Any]) -> dict[str, Any]:
    """The body of an alternating pair: which side goes where follows from the turn."""
    inputs = {name: value for name, value in body["inputs"].items() if value not in ("primary", "fallback")}
    return {**body, "inputs": inputs}


def _schedule(values: Mapping[str, Any]) -> dict[str, Any] | None:
    match values.get("kind"):
        case "once":
            return {"kind": "once", "at": values.get("schedule.at", "")}
        case "recurring":
            given = {name: values[f"schedule.{name}"] for name in _CRON if values.get(f"schedule.{name}")}
            return {"kind": "recurring", **given}
        case _:
            return None


def _windows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [
        {
            "days": values.get(f"windows.{n}.days", []),
            "starts": values.get(f"windows.{n}.starts", ""),
            "ends": values.get(f"windows.{n}.ends", ""),
        }
        for n in range(MOST_WINDOWS)
    ]
    return [each for each in found if any(each.values())]


def _seconds(values: Mapping[str, Any], name: str, faults: list[FieldError]) -> int | None:
    try:
        return forms.seconds(values[name]) if values.get(name) else None
    except ValueError:
        faults.append(FieldError(name, "duration", say("Write a duration such as 4 h, 15 min or 2 d.")))
        return None


def _inputs(values: Mapping[str, Any], playbook: Playbook | None, faults: list[FieldError]) -> dict[str, Any]:
    """The values of the playbook's inputs, each as its type; what was left empty takes the playbook's default."""
    given: dict[str, Any] = {}
    for name, declared in playbook.inputs.items() if playbook else ():
        text = values.get(f"inputs.{name}", "")
        if text:
            given[name] = _typed(declared.type, text, f"inputs.{name}", faults)
    return given


def _typed(kind: InputType, text: str, name: str, faults: list[FieldError]) -> Any:
    try:
        match kind:
            case InputType.INTEGER:
                return int(text)
            case InputType.NUMBER:
                return float(text.replace(",", "."))
            case InputType.BOOLEAN:
                return text == "true"
            case InputType.DURATION:
                return forms.seconds(text)
            case _:
                return text
    except ValueError:
        duration = say("Write a duration such as 4 h, 15 min or 2 d.")
        told = duration if kind is InputType.DURATION else say("Give a number.")
        faults.append(FieldError(name, "wrong-value", told))
        return None


def errors_of(problem: Problem | None) -> dict[str, str]:
    """The reasons by field of the form."""
    if problem is None:
        return {}
    return {_field(error.field): pick(error.reason) for error in problem.errors} or {"form": pick(problem.detail)}


def _field(name: str) -> str:
    """``schedule/at``, ``schedule.recurring.day`` and ``inputs/from`` as the form names them."""
    parts = [part for part in name.replace("/", ".").split(".") if part not in ("recurring", "once")]
    return ".".join(parts) or "form"
