"""Every page answers in both languages, sends strangers to sign in, and obeys the strict content policy."""

import re

import pytest

from tests.browser.shots import PAGES
from tests.browser.site import Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401

OPEN = {"/glossary", "/api/v1/docs", "/accessibility"}
FORMS = (
    "/services/new",
    "/suppliers/new",
    "/suppliers/SUP-002/edit",
    "/objects/new",
    "/objects/OBJ-001/edit",
    "/plans/PLN-004",
    "/plans/PLN-003",
    "/sign-in",
    "/plans?status=failed&sort=-name",
    "/services?criticality=&q=verg&sort=-rto&page=1",
    "/coverage?asOf=2026-01-31",
    "/plans/PLN-001?asOf=2026-01-31",
    "/findings?service=SVC-002&closed=false",
    "/?unit=Ruimte",
)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_each_page_answers_in_both_languages(pages: Pages, language: str) -> None:  # noqa: F811
    visitor = pages.anna(language)
    for path in (*PAGES, *FORMS):
        answer = visitor.get(path)
        assert answer.status_code == 200, (path, answer.text[-800:])
        assert f'<html lang="{language}"' in answer.text, path
        assert "Main menu" not in answer.text or language == "en", path


def test_a_page_has_no_inline_script_or_style_and_one_heading(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna()
    for path in (*PAGES, *FORMS):
        text = visitor.get(path).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", text), path
        assert len(re.findall(r"<h1\b", text)) == 1, path
        ids = re.findall(r'\sid="([^"]*)"', text)
        assert len(ids) == len(set(ids)), (path, sorted({each for each in ids if ids.count(each) > 1}))


def test_a_stranger_is_sent_to_sign_in_and_back(pages: Pages) -> None:  # noqa: F811
    stranger = Visitor(pages.site)
    for path in PAGES:
        answer = stranger.get(path)
        if path in OPEN:
            assert answer.status_code == 200, path
        else:
            assert answer.status_code == 303, path
            wanted = "/sign-in" if path == "/" else f"/sign-in?next={path.replace('/', '%2F')}"
            assert answer.headers["location"] == wanted


def test_what_is_not_there_says_so_and_how_to_go_on(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna()
    for path in ("/services/SVC-999", "/plans/PLN-999", "/findings/FND-999", "/plans/PLN-001/versions/9.9"):
        answer = visitor.get(path)
        assert answer.status_code == 404, path
        assert "Naar het overzicht" in answer.text


def test_a_filter_that_is_not_known_is_refused_in_the_readers_language(pages: Pages) -> None:  # noqa: F811
    answer = pages.anna().get("/services?colour=red")
    assert answer.status_code == 400
    assert "Dit is hier niet bekend." in answer.text


def test_the_first_page_says_what_is_due_and_what_waits_for_the_reader(pages: Pages) -> None:  # noqa: F811
    seen = pages.anna().get("/").text
    assert "Noodexit vergunningen" in seen
    assert "Er wacht niets op u." in seen
    waiting = pages.mo().get("/").text
    assert "Keur het plan goed" in waiting
    assert "/plans/PLN-004/versions/1.0" in waiting


def test_the_first_page_of_one_unit_leaves_the_others_out(pages: Pages) -> None:  # noqa: F811
    text = pages.anna().get("/?unit=Sociaal+domein").text
    assert "Uitwijk uitkeringen" in text
    assert "Noodexit vergunningen" not in text


def test_the_plan_page_tells_why_a_claim_is_not_proven(pages: Pages) -> None:  # noqa: F811
    text = pages.anna().get("/plans/PLN-002").text
    assert "Mislukt op" in text
    assert "Wat vandaag zou mislukken" in text
    assert "In het depot ontbreekt een bouwpakket" in text
    assert "Deels bewezen" in pages.anna().get("/plans/PLN-001").text


def test_the_plan_of_a_past_day_is_shown_as_it_stood(pages: Pages) -> None:  # noqa: F811
    assert "geen plan" in pages.anna().get("/plans/PLN-002?asOf=2020-01-01").text


def test_text_of_people_is_never_markup(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna()
    visitor.get("/services/new")
    answer = visitor.post(
        "/services", name="<script>alert(1)</script>", criticality="other", substitutability="unknown"
    )
    assert answer.status_code == 303
    shown = visitor.get(answer.headers["location"]).text
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_the_api_documentation_names_each_operation_and_where_its_document_is(pages: Pages) -> None:  # noqa: F811
    text = Visitor(pages.site).get("/api/v1/docs").text
    assert "/api/v1/openapi.json" in text
    assert all(f'id="{operation}"' in text for operation in ("listServices", "createFinding", "startSession"))
