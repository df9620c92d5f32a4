"""Turns the form of a draft into the text of a plan: one line an item, and numbered rows for contacts and steps."""

import re
from collections.abc import Mapping
from typing import Any

from app.core import forms
from app.core.errors import FieldError
from app.core.messages import say
from app.plans.content import PlanContent

LINES = ("triggers", "activationCriteria", "deactivationCriteria", "successConditions", "playbooks", "mvoFunctions")
SWAP_LINES = ("reconciliationChecks", "stopCriteria")
ROWS = ("deciders", "contacts", "assumptions", "steps")
BLANK_ROWS = 2
_CELL = re.compile(r"(deciders|contacts|assumptions|steps)\.(\d{1,3})\.([a-zA-Z]+)")


def content(fields: Mapping[str, str], before: Mapping[str, Any]) -> PlanContent:
    """What was typed as the text of a plan; what the form does not show stays as it was. Raises InvalidInput."""
    faults: list[FieldError] = []
    given: dict[str, Any] = {**before, **{name: fields[name] for name in ("target", "communication") if name in fields}}
    given |= {name: _lines(fields[name]) for name in LINES if name in fields}
    given["timeAvailable"] = _duration("timeAvailable", fields.get("timeAvailable", ""), faults)
    given |= {name: _rows(name, fields, before.get(name, []), faults) for name in ROWS}
    given["swap"] = _swap(fields, before.get("swap", {}), faults)
    if faults:
        raise forms.wrong(faults)
    return forms.read(PlanContent, given)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _duration(name: str, text: str, faults: list[FieldError]) -> int | None:
    if not text:
        return None
    try:
        return forms.seconds(text)
    except ValueError:
        faults.append(FieldError(name, "duration", say("Write a duration such as 4 h, 15 min or 2 d.")))
        return None


def _rows(name: str, fields: Mapping[str, str], before: Any, faults: list[FieldError]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for field, text in fields.items():
        cell = _CELL.fullmatch(field)
        if cell and cell[1] == name and text:
            found.setdefault(int(cell[2]), {})[cell[3]] = text
    return [_row(name, number, row, before, faults) for number, row in sorted(found.items())]


def _row(name: str, number: int, row: dict[str, Any], before: Any, faults: list[FieldError]) -> dict[str, Any]:
    if name == "steps":
        row["estimate"] = _duration(f"steps.{number}.estimate", row.get("estimate", ""), faults)
        row["needs"] = [need for need in re.split(r"[,\s]+", row.get("needs", "")) if need]
        row["needsSupplier"] = "needsSupplier" in row
        row["id"] = row.get("id") or re.sub(r"[^a-z0-9]+", "-", row.get("title", "").lower()).strip("-")[:60]
    kept = dict(before[number]) if number < len(before) and name == "deciders" else {}
    return {**kept, **row}


def _swap(fields: Mapping[str, str], before: Mapping[str, Any], faults: list[FieldError]) -> dict[str, Any]:
    if "swap.policy" not in fields:
        return dict(before)
    told = {name: _lines(fields.get(f"swap.{name}", "")) for name in SWAP_LINES}
    hold = _duration("swap.holdPeriod", fields.get("swap.holdPeriod", ""), faults)
    accepts = fields.get("swap.acceptsForBusiness", "")
    return {**before, **told, "policy": fields["swap.policy"], "holdPeriod": hold, "acceptsForBusiness": accepts}
