"""Turns the form of a minimum viable organisation into its content, and back: one row a function, one line an item."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.core import forms
from app.core.errors import FieldError, InvalidInput
from app.core.messages import say
from app.plans.content import MvoContent

BLANK_FUNCTIONS = 1
BLANK_ROWS = 2
_CELL = re.compile(r"(functions|notInMvo)\.(\d{1,3})\.([a-zA-Z]+)")
_DURATIONS = ("mtpd", "manualLongest")
_KEYS = ("services", "suppliers", "objects")
_AMOUNT = re.compile(r"(.+?):\s*(\d{1,12}(?:[.,]\d{1,6})?)\s+(\S.*)")
_COUNT = re.compile(r"(.+?):\s*(\d{1,7})")
Row = dict[str, Any]
Line = Callable[[str], Row | None]


def content(fields: Mapping[str, str], before: Mapping[str, Any]) -> MvoContent:
    """What was typed as content; details that the form does not show stay with their line. Raises InvalidInput."""
    faults: list[FieldError] = []
    rows = _rows("functions", fields)
    ordered = sorted(rows, key=lambda number: (_rank(rows[number].pop("rank", ""), number), number))
    earlier = before.get("functions", [])
    functions = [
        _function(number, rows[number], earlier[number] if number < len(earlier) else {}, faults) for number in ordered
    ]
    people = before.get("peopleAvailable", [])
    given = {
        **before,
        "horizonDays": fields.get("horizonDays", ""),
        "obligations": _items(fields.get("obligations", "")),
        "functions": functions,
        "peopleAvailable": _lines("peopleAvailable", fields.get("peopleAvailable", ""), count, people, faults),
        "notInMvo": [row for _, row in sorted(_rows("notInMvo", fields).items())],
    }
    _refuse_twins(functions, ordered, faults)
    if faults:
        raise forms.wrong(faults)
    return _read(given, ordered)


def _read(given: Mapping[str, Any], ordered: Sequence[int]) -> MvoContent:
    """The content; faults name the row of the form, whatever rank it got."""
    try:
        return forms.read(MvoContent, given)
    except InvalidInput as problem:
        faults = [FieldError(_cell(each.field, ordered), each.code, each.reason) for each in problem.errors]
        raise forms.wrong(faults) from problem


def _cell(field: str, ordered: Sequence[int]) -> str:
    parts = field.split(".")
    if parts[0] == "functions" and len(parts) > 2:
        return f"functions.{ordered[int(parts[1])]}.{parts[2]}"
    return ".".join(parts[:1] if parts[0] == "peopleAvailable" else parts)


def _rank(text: str, number: int) -> float:
    return float(text) if re.fullmatch(r"\d{1,4}", text) else number + 1.5


def _rows(name: str, fields: Mapping[str, str]) -> dict[int, Row]:
    """The rows in which something was typed; a rank or a tier alone is nothing."""
    found: dict[int, Row] = {}
    for field, text in fields.items():
        cell = _CELL.fullmatch(field)
        if cell and cell[1] == name and text:
            found.setdefault(int(cell[2]), {})[cell[3]] = text
    return {number: row for number, row in found.items() if row.keys() - {"rank", "tier", "fallsBackTogether"}}


def _function(number: int, row: Row, before: Mapping[str, Any], faults: list[FieldError]) -> Row:
    place = f"functions.{number}."
    made: Row = {name: text for name, text in row.items() if name not in {*_DURATIONS, *_KEYS}}
    for name in _DURATIONS:
        made[name] = _duration(place + name, row.get(name, ""), faults)
    for name in _KEYS:
        made[name] = [key for key in re.split(r"[,;\s]+", row.get(name, "")) if key]
    if "mbco" in made:
        made["mbco"] = made["mbco"].replace(",", ".")
    made["fallsBackTogether"] = "fallsBackTogether" in row
    for name, line in (("people", count), ("facilities", amount), ("data", data)):
        made[name] = _lines(place + name, row.get(name, ""), line, before.get(name, []), faults)
    return made


def _duration(field: str, text: str, faults: list[FieldError]) -> int | None:
    try:
        return forms.seconds(text) if text else None
    except ValueError:
        faults.append(FieldError(field, "duration", say("Write a duration such as 4 h, 15 min or 2 d.")))
        return None


def _items(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _lines(field: str, text: str, read: Line, before: Sequence[Row], faults: list[FieldError]) -> list[Row]:
    """One row a line; what else was known of a row of the same name stays."""
    rows: list[Row] = []
    for line in _items(text):
        row = read(line)
        if row is None:
            faults.append(FieldError(field, "line", say("'{line}' is not written as the example shows.", line=line)))
            continue
        name, value = next(iter(row.items()))
        rows.append({**next((each for each in before if each.get(name) == value), {}), **row})
    return rows


def count(line: str) -> Row | None:
    """``Desk clerk: 4``."""
    found = _COUNT.fullmatch(line)
    return {"role": found[1].strip(), "count": int(found[2])} if found else None


def amount(line: str) -> Row | None:
    """``Workplace: 12 desks``."""
    found = _AMOUNT.fullmatch(line)
    if not found:
        return None
    return {"resource": found[1].strip(), "number": float(found[2].replace(",", ".")), "unit": found[3].strip()}


def data(line: str) -> Row | None:
    """``Case files: 1 d``, or only the name where any age will do."""
    name, colon, age = line.rpartition(":")
    if not colon:
        return {"name": line, "oldestAcceptable": None}
    try:
        return {"name": name.strip(), "oldestAcceptable": forms.seconds(age)}
    except ValueError:
        return None


def _refuse_twins(functions: Sequence[Row], ordered: Sequence[int], faults: list[FieldError]) -> None:
    seen: set[str] = set()
    for number, row in zip(ordered, functions, strict=True):
        name = str(row.get("name", "")).casefold()
        if name and name in seen:
            faults.append(FieldError(f"functions.{number}.name", "twice", say("Another function has this name.")))
        seen.add(name)


def spread(given: MvoContent) -> dict[str, Any]:
    """The content as the cells of its form."""
    cells: dict[str, Any] = {"horizonDays": given.horizon_days, "obligations": "\n".join(given.obligations)}
    cells["peopleAvailable"] = "\n".join(f"{each.role}: {each.count}" for each in given.people_available)
    for number, each in enumerate(given.functions):
        cells |= {f"functions.{number}.{name}": value for name, value in _cells(each, number).items()}
    for number, out in enumerate(given.not_in_mvo):
        cells |= {f"notInMvo.{number}.{name}": value for name, value in out.model_dump(by_alias=True).items()}
    return cells


def _cells(each: Any, number: int) -> dict[str, Any]:
    return {
        "rank": number + 1,
        "name": each.name,
        "obligation": each.obligation,
        "tier": each.tier,
        "mbco": "" if each.mbco is None else f"{each.mbco:.15g}",
        "mbcoUnit": each.mbco_unit,
        "mtpd": forms.spoken(each.mtpd),
        "manualWorkaround": each.manual_workaround,
        "manualLongest": forms.spoken(each.manual_longest),
        "manualPeople": "" if each.manual_people is None else each.manual_people,
        "fallsBackTogether": "yes" if each.falls_back_together else "",
        "services": ", ".join(each.services),
        "suppliers": ", ".join(each.suppliers),
        "objects": ", ".join(each.objects),
        "people": "\n".join(f"{one.role}: {one.count}" for one in each.people),
        "facilities": "\n".join(f"{one.resource}: {one.number:.15g} {one.unit}" for one in each.facilities),
        "data": "\n".join(_age(one) for one in each.data),
    }


def _age(one: Any) -> str:
    return str(one.name) if one.oldest_acceptable is None else f"{one.name}: {forms.spoken(one.oldest_acceptable)}"
