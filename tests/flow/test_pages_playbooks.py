"""The pages of playbooks: read each step, bring in a text, mend what is refused, and review by another person."""

import asyncio
import re

import pytest

from app.access.rules import Role
from tests.browser.site import HOME, Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401

PATHS = (
    "/playbooks",
    "/playbooks?state=draft&q=switch&sort=-createdAt",
    "/playbooks/switch-sides",
    "/runners",
    "/playbooks/new",
    "/playbooks/new?copy=verify-escrow",
    "/playbooks/new?of=switch-sides",
)
SMALL = """playbook: {name}
title: {{nl: Proef, en: Trial}}
modes: [tabletop]
steps:
  - id: ready
    ask: {{nl: Bent u klaar?, en: Are you ready?}}
    timeout: PT10M
"""


def approver(pages: Pages, language: str = "nl") -> Visitor:  # noqa: F811
    return pages.visitor("mo@voorbeeld.nl", language)


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_is_sent_to_sign_in(pages: Pages, path: str) -> None:  # noqa: F811
    answer = Visitor(pages.site).get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("path", PATHS)
def test_each_page_answers_in_both_languages(pages: Pages, language: str, path: str) -> None:  # noqa: F811
    answer = pages.anna(language).get(path)
    assert answer.status_code == 200, answer.text[-600:]
    assert f'<html lang="{language}"' in answer.text
    assert "<script>" not in answer.text


def test_the_page_tells_what_changes_what_undoes_it_and_where_no_return_is(pages: Pages) -> None:  # noqa: F811
    text = pages.anna("en").get("/playbooks/switch-sides").text
    fence = text[text.index('id="step-fence"') : text.index('id="step-fenced"')]
    assert "changes something" in fence
    assert 'href="/runners#postgres.unfence"' in fence
    assert "the outage begins" in fence
    assert 'href="#step-go"' in fence
    assert "pg_ctl stop -m fast" in fence
    promote = text[text.index('id="step-promote"') : text.index('id="step-writable"')]
    assert "point of no return" in promote
    assert "Planned switchover" in text
    assert "came with Wissel" in text


def test_every_step_of_every_shipped_playbook_is_shown(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna("en")
    for name in re.findall(r'<span class="subtle small">([a-z-]+)</span></span></th>', visitor.get("/playbooks").text):
        ids = re.findall(r"(?m)^  - id: (\S+)", visitor.get(f"/playbooks/{name}/text").text)
        page = visitor.get(f"/playbooks/{name}").text
        assert ids
        assert all(f'id="step-{each}"' in page for each in ids), name


def test_the_text_is_downloaded_byte_for_byte(pages: Pages) -> None:  # noqa: F811
    answer = pages.anna().get("/playbooks/verify-escrow/text")
    assert answer.headers["content-disposition"] == 'attachment; filename="verify-escrow-1.yaml"'
    assert answer.headers["content-type"].startswith("application/yaml")
    with open("playbooks/verify-escrow.yaml", "rb") as shipped:
        assert answer.content == shipped.read()


def test_the_runners_tell_what_they_prove_and_cannot_see(pages: Pages) -> None:  # noqa: F811
    text = pages.anna("en").get("/runners").text
    card = text[text.index('id="postgres.fence"') :]
    assert "Writes that go to another copy" in card or "writes that go to another copy" in card
    assert set(re.findall(r'<section class="card" id="([^"]+)">', text)) == set(pages.site.state.registry)


def test_a_refused_text_shows_line_step_field_and_what_to_do_and_stays_as_typed(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna("en")
    visitor.get("/playbooks/new")
    wrong = SMALL.format(name="refused") + "  - id: look\n    uses: check.nothing\n    timeout: soon\n    colour: red\n"
    answer = visitor.post("/playbooks", text=wrong.replace("\n", "\r\n"))
    assert answer.status_code == 400
    rows = re.findall(r'<tr><th scope="row" class="number">(\d+)</th>.*?</tr>', answer.text, re.DOTALL)
    assert {"9", "10", "11"} & set(rows), rows
    assert "<code>look</code>" in answer.text
    assert "<code>timeout</code>" in answer.text
    assert "colour: red" in answer.text[answer.text.index("<textarea") :]
    assert "refused" not in visitor.get("/playbooks").text


def test_markup_in_a_refused_text_is_shown_as_text(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna()
    visitor.get("/playbooks/new")
    answer = visitor.post("/playbooks", text="playbook: </textarea><script>alert(1)</script>\n")
    assert answer.status_code == 400
    assert "<script>alert(1)" not in answer.text


def test_only_checking_stores_nothing(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna("en")
    visitor.get("/playbooks/new")
    answer = visitor.post("/playbooks", text=SMALL.format(name="only-checked"), do="check")
    assert answer.status_code == 200
    assert "This text is accepted." in answer.text
    assert visitor.get("/playbooks/only-checked").status_code == 404


def test_a_text_becomes_a_draft_that_another_person_publishes(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna("en"), approver(pages, "en")
    anna.get("/playbooks/new")
    made = anna.post("/playbooks", text=SMALL.format(name="by-page").replace("\n", "\r\n"))
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    assert "Another person reads it" in anna.get(page).text
    assert anna.post(f"{page}/reviews", verdict="publish").status_code == 403
    mo.get(page)
    assert mo.post(f"{page}/reviews", verdict="maybe").status_code == 400
    assert mo.post(f"{page}/reviews", verdict="publish", comment="Read it.").status_code == 303
    shown = mo.get(page).text
    assert "published" in shown
    assert "reviewed by Mo Bakker" in shown
    assert "Read it." in shown
    assert mo.post(f"{page}/reviews", verdict="reject").status_code == 409
    again = anna.post("/playbooks", text=SMALL.format(name="by-page"))
    assert again.status_code == 409
    assert "version 1" in again.text


def test_an_author_with_every_role_cannot_publish_the_own_text(pages: Pages) -> None:  # noqa: F811
    both = Visitor(pages.site, "en").sign_in("beide@voorbeeld.nl", Role.PLAN_OWNER, Role.APPROVER)
    both.get("/playbooks/new")
    page = both.post("/playbooks", text=SMALL.format(name="own-review")).headers["location"]
    assert "Publish" not in both.get(page).text
    assert both.post(f"{page}/reviews", verdict="publish").status_code == 403


def test_a_new_version_shows_what_differs_and_can_be_rejected(pages: Pages) -> None:  # noqa: F811
    mo = approver(pages, "en")
    page = re.search(r'href="(/playbooks/[0-9a-f-]{36})">version 2</a>', mo.get("/playbooks/switch-sides").text)
    assert page
    shown = mo.get(page[1]).text
    assert "-    timeout: PT30M" in shown
    assert "+    timeout: PT15M" in shown
    assert mo.post(f"{page[1]}/reviews", verdict="reject", comment="Too short.").status_code == 303
    assert "Too short." in mo.get(page[1]).text


def test_a_copy_gets_a_name_of_its_own_and_is_accepted(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna("en")
    form = visitor.get("/playbooks/new?copy=check-fallback").text
    assert "playbook: check-fallback-copy" in form


def test_a_file_is_read_and_a_wrong_one_refused(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna("en")
    visitor.get("/playbooks/new")

    def send(content: bytes):
        files = {"file": ("own.yaml", content, "application/yaml")}
        data = {"csrf": visitor.csrf, "text": "playbook: typed"}
        return asyncio.run(visitor.ask("POST", "/playbooks", data=data, files=files, headers={"Origin": HOME}))

    assert send(SMALL.format(name="from-file").encode()).status_code == 303
    assert visitor.get("/playbooks/from-file").status_code == 200
    wrong = send(b"\xff\xfe\x00playbook")
    assert wrong.status_code == 400
    assert "UTF-8" in wrong.text
    assert "playbook: typed" in wrong.text
    assert send(b"a" * 300_001).status_code == 400


@pytest.mark.parametrize("path", ["/playbooks", "/playbooks/switch-sides/reviews"])
def test_a_form_without_the_sessions_token_is_refused(pages: Pages, path: str) -> None:  # noqa: F811
    for visitor in (pages.anna(), approver(pages)):
        answer = visitor.post(path, forged=True, text="x", verdict="publish")
        assert answer.status_code == 403


def test_who_may_not_write_playbooks_gets_no_form(pages: Pages) -> None:  # noqa: F811
    operator = pages.visitor("sanne@voorbeeld.nl")
    assert "/playbooks/new" not in operator.get("/playbooks").text
    assert operator.get("/playbooks/new").status_code == 403
    assert operator.post("/playbooks", text=SMALL.format(name="sneaky")).status_code == 403


def test_a_name_that_is_not_there_is_a_page_that_says_so(pages: Pages) -> None:  # noqa: F811
    assert pages.anna().get("/playbooks/no-such-playbook").status_code == 404
