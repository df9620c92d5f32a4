"""Lists as CSV: all rows that the filters leave, in any spreadsheet, without a cell that runs as a formula."""

import csv
import io
import re
from pathlib import Path

import pytest

from app.core.sheets import HEAD, cell
from app.playbooks.rules import Mode
from tests.browser.site import Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401
from tests.flow.runs_site import Browser, make_world
from tests.flow.runs_world import LINE


def rows_of(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8-sig")
    rows, _, head = text.rpartition(HEAD)
    assert re.fullmatch(r"\d+:[0-9a-f]{64}(:\d+:[0-9a-f]{128})?\s*", head), "its last line is the head of the audit log"
    return list(csv.DictReader(io.StringIO(rows)))


@pytest.mark.parametrize("path", ["services", "suppliers", "objects", "plans", "findings"])
def test_a_list_is_downloaded_as_filtered(pages: Pages, path: str) -> None:  # noqa: F811
    anna = pages.anna()
    assert f"/{path}?format=csv" in anna.get(f"/{path}").text
    answer = anna.get(f"/{path}?format=csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{path}.csv"'
    found = rows_of(answer)
    assert all(row["ref"] and row["id"] for row in found)
    one = rows_of(anna.get(f"/{path}?format=csv&q={found[0]['ref']}"))
    assert [row["ref"] for row in one] == [found[0]["ref"]]
    assert rows_of(anna.get(f"/{path}?format=csv&q=nothing-is-called-this")) == []
    assert Visitor(pages.site).get(f"/{path}?format=csv").headers["location"].startswith("/sign-in")


def test_the_file_has_every_row_and_not_one_page(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    for number in range(25):
        anna.get("/services/new")
        name = f"Dienst {number}"
        assert anna.post("/services", name=name, criticality="other", substitutability="unknown").status_code == 303
    assert len(rows_of(anna.get("/services?format=csv&page=2&pageSize=5"))) == 30
    assert len(rows_of(anna.get("/services?format=csv&criticality=other"))) == 26


def test_another_format_and_a_wrong_filter_are_refused(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    assert anna.get("/services?format=xml").status_code == 400
    assert anna.get("/services?format=csv&colour=red").status_code == 400


def test_drills_and_runs_are_downloaded_too(tmp_path: Path) -> None:
    world, site = make_world(tmp_path)
    world.drill(LINE, Mode.REHEARSAL)
    browser = Browser(site, "operator")
    drills = rows_of(browser.get("/drills?format=csv"))
    assert [row["mode"] for row in drills] == ["rehearsal"]
    assert rows_of(browser.get("/drills?format=csv&mode=live")) == []
    assert rows_of(browser.get("/runs?format=csv")) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2", "'-2"),
        (-2, "-2"),
        (None, ""),
        (True, "true"),
        ({"ref": "SVC-001", "name": "x"}, "SVC-001"),
        ([{"ref": "SVC-001"}, {"ref": "SVC-002"}], "SVC-001; SVC-002"),
        (["=a"], "'=a"),
        ("PT4H", "PT4H"),
    ],
)
def test_a_cell_is_text_that_no_spreadsheet_runs(value: object, text: str) -> None:
    assert cell(value) == text
