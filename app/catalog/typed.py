"""Turns what people type in the forms of the catalogue into what the API takes, and back."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from app.core import forms, openness
from app.core.browser import Fields
from app.core.errors import FieldError
from app.core.messages import say

DURATIONS = frozenset(
    {"mtpd", "rto", "rpo", "replaceableIn", "noticeOwn", "noticeSupplier", "timeToEffect", "depositEvery"}
)
_EMPTY_IS_NONE = DURATIONS | {
    *("mbcoNumber", "assessedOn", "expiresOn", "verifiedOn", "ownReviewOn", "watchSince"),
    *("supplier", "site", "ultimateParent", "code", "codeType"),
    *("startsOn", "endsOn", "overarching", "lastDepositOn", "verificationLevel", "cost"),
}
_DOCUMENTS = ("driver", "proxy")
_PROXY = ("socket", "backend", "primary", "fallback")
_CELL = re.compile(r"(driver|proxy)\.([a-z_]{1,40})|capacity\.(\d{1,3})\.([a-zA-Z]{1,20})")
_CENTS_AT_MOST = 10**15


def values(fields: Fields, lists_of: Iterable[str]) -> dict[str, Any]:
    """What was typed, by the API's names; a field that was left empty says that nothing is known."""
    found: dict[str, Any] = {
        name: (None if not text and name in _EMPTY_IS_NONE else text) for name, text in fields.items()
    }
    if found.get("mbcoNumber"):
        found["mbcoNumber"] = found["mbcoNumber"].replace(",", ".")
    return found | {name: fields.every(name) for name in lists_of}


def given(typed: Mapping[str, Any], fields: Mapping[str, str], row: Any = None) -> dict[str, Any]:
    """`typed` with its cells put together as the API takes them. Raises InvalidInput."""
    faults: list[FieldError] = []
    found = {name: value for name, value in typed.items() if not _CELL.fullmatch(name)}
    for name in _DOCUMENTS:
        if any(field.startswith(f"{name}.") for field in fields):
            found[name] = _document(name, fields, dict(getattr(row, name, None) or {}), faults)
    if any(field.startswith("capacity.") for field in fields):
        found["capacity"] = _capacity(fields)
    if "keyPeople" in found:
        found["keyPeople"] = [line.strip() for line in str(found["keyPeople"]).splitlines() if line.strip()]
    if "cost" in found:
        found["costCents"] = _cents(found.pop("cost"), faults)
    if faults:
        raise forms.wrong(faults)
    return found


def _document(name: str, fields: Mapping[str, str], before: dict[str, Any], faults: list[FieldError]) -> dict[str, Any]:
    """How a machine reaches it: what the form does not show stays as it was, an emptied field goes."""
    cells = {cell[2]: text for field, text in fields.items() if (cell := _CELL.fullmatch(field)) and cell[1] == name}
    if "tables" in cells:
        cells["tables"] = _tables(cells["tables"], before.get("tables", []))  # type: ignore[assignment]
    made = {key: value for key, value in {**before, **cells}.items() if value not in ("", [])}
    for path in openness.in_document(made):
        reason = say("Give the name of a secret, such as secret://noord-dsn. The secret itself stays at its site.")
        faults.append(FieldError(f"{name}.{path.strip('/').replace('/', '.')}", openness.CODE, reason))
    if name == "proxy" and made:
        missing = [key for key in _PROXY if key not in made]
        faults += [FieldError(f"proxy.{key}", "required", say("Fill in all four, or none.")) for key in missing]
    return made


def _tables(text: str, before: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Expected tables, one name a line; what else is known of a table stays."""
    known = {each.get("name"): dict(each) for each in before}
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return [known.get(name, {"name": name}) for name in names]


def _capacity(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for field, text in fields.items():
        cell = _CELL.fullmatch(field)
        if cell and cell[3] and text:
            rows.setdefault(int(cell[3]), {})[cell[4]] = text.replace(",", ".") if cell[4] == "number" else text
    return [row for _, row in sorted(rows.items())]


def _cents(text: str | None, faults: list[FieldError]) -> int | None:
    """Euros as people write them, in cents."""
    if not text:
        return None
    try:
        cents = Decimal(text.replace(" ", "").replace(",", ".")) * 100
        if cents == cents.to_integral_value() and 0 <= cents <= _CENTS_AT_MOST:
            return int(cents)
    except InvalidOperation:
        pass
    faults.append(FieldError("cost", "no-amount", say("Write an amount in euros, such as 12500 or 99,50.")))
    return None


def spread(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A row's documents, rows and amounts as the cells of its form."""
    cells: dict[str, Any] = {}
    for name in _DOCUMENTS:
        cells |= {f"{name}.{key}": value for key, value in (shown.get(name) or {}).items()}
    if tables := cells.get("driver.tables"):
        cells["driver.tables"] = "\n".join(str(each.get("name", "")) for each in tables)
    for number, each in enumerate(shown.get("capacity") or ()):
        cells |= {f"capacity.{number}.{key}": _plain(value) for key, value in each.items()}
    if people := shown.get("keyPeople"):
        cells["keyPeople"] = "\n".join(people)
    if isinstance(cost := shown.get("costCents"), int):
        cells["cost"] = f"{Decimal(cost) / 100:f}"
    return cells


def _plain(value: Any) -> Any:
    return "" if value is None else f"{value:.15g}" if isinstance(value, float) else value
