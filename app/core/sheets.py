"""A list of a page as CSV (RFC 4180, UTF-8): all rows that the filters leave, under the API's own field names."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from sqlmodel import Session
from starlette.responses import Response

from app.core import forms
from app.core.audit import chain
from app.core.listing import ListQuery
from app.core.shapes import Shape

Query = TypeVar("Query", bound=ListQuery)
MOST_ROWS = 10_000
"""More rows than this are not in one file; the filters make the list shorter."""
HEAD = "# audit log: "
"""Beginning of the last line, before the head of the audit log; no row begins so."""
_BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""
_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")
"""How a formula begins in some spreadsheet, those that take full-width signs for ordinary ones included."""


def asked(request: Request) -> bool:
    """Whether the address asks for the list as a file: ``?format=csv``."""
    return request.query_params.get("format") == "csv"


def query(shape: type[Query], request: Request) -> Query:
    """The list query of the address as `forms.query` reads it; for a file without pages. Raises InvalidInput."""
    if not asked(request):
        return forms.query(shape, request)
    given = {name: value for name, value in request.query_params.items() if value != "" and name != "format"}
    return whole(forms.read(shape, given))


def whole(found: Query) -> Query:
    """The same query for all rows at once."""
    return found.model_copy(update={"page": 1, "page_size": MOST_ROWS})


def sheet(session: Session, name: str, shape: type[Shape], rows: Iterable[Shape]) -> Response:
    """The rows as a download called `name`.csv; references by ref, lists with semicolons.

    Its last line is a comment with the head of the audit log at this moment.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    headings = [info.alias or field for field, info in shape.model_fields.items()]
    writer.writerow(headings)
    for row in rows:
        values = row.model_dump(mode="json", by_alias=True)
        writer.writerow([cell(values[heading]) for heading in headings])
    writer.writerow([f"{HEAD}{chain.head(session)}"])
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(_BOM + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def cell(value: Any) -> str:
    """A value as text; what a spreadsheet would run as a formula gets an apostrophe in front."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:.15g}"
        case {"ref": ref}:
            return cell(str(ref))
        case Mapping():
            return json.dumps(value, ensure_ascii=False) if value else ""
        case list():
            return "; ".join(cell(each) for each in value)
        case _:
            text = str(value)
            risky = text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n"))
            return f"'{text}" if risky else text
