"""A minimum viable organisation grows from draft to the board's approval by form, and an outside test is signed."""

import asyncio
import re

import pytest
from sqlmodel import select

from app.plans.models import ProofRow
from tests.browser.site import HOME, Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401

PATHS = ("/mvos", "/mvos/new", "/mvos/MVO-001", "/mvos/MVO-001?site=SIT-001", "/mvos/MVO-001/edit")
FUNCTION = {
    "functions.0.name": "Uitkeringen",
    "functions.0.tier": "1",
    "functions.0.mtpd": "2 d",
    "functions.0.people": "Balie: 5",
    "functions.0.facilities": "Werkplek: 12,5 stuks",
    "functions.0.data": "Dossiers: 1 d",
    "functions.0.services": "SVC-003, SVC-001",
    "functions.0.fallsBackTogether": "yes",
}
TEST = {"claim": "restore", "level": "3", "verdict": "pass", "withoutSupplier": "yes"}
SHOWN = {"evidenceName": "verslag.pdf", "evidenceSha256": "ab" * 32}


def revision(visitor: Visitor, path: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', visitor.get(path).text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", PATHS)
def test_strangers_sign_in_first_and_readers_see_both_languages(pages: Pages, path: str) -> None:  # noqa: F811
    assert Visitor(pages.site).get(path).headers["location"].startswith("/sign-in")
    for language in ("nl", "en"):
        shown = pages.anna(language).get(path)
        assert shown.status_code == 200, shown.text[-600:]
        assert f'<html lang="{language}"' in shown.text


@pytest.mark.parametrize("path", ["/mvos", "/mvos/MVO-001/edit", "/mvos/MVO-001/approvals", "/mvos/MVO-001/archive"])
def test_a_forged_form_changes_nothing(pages: Pages, path: str) -> None:  # noqa: F811
    visitor = pages.mo() if path.endswith("approvals") else pages.anna()
    assert visitor.post(path, forged=True, name="x").status_code == 403


def test_a_draft_is_written_ranked_and_approved_by_another(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna("en"), pages.visitor("mo@voorbeeld.nl", "en")
    anna.get("/mvos/new")
    form = anna.post("/mvos", name="Sociaal domein", unit="Sociaal domein").headers["location"]
    page = form.removesuffix("/edit")
    sent = {"name": "Sociaal domein", "unit": "Sociaal domein", "horizonDays": "30", **FUNCTION}
    assert anna.post(form, revision=revision(anna, form), **sent).status_code == 303
    shown = anna.get(page).text
    assert "5 Balie" in shown
    assert "12.5 stuks Werkplek" in shown
    assert 'href="/services/SVC-003"' in shown
    first = {"functions.0.rank": "2", "functions.1.rank": "1", "functions.1.name": "Aanmelden", "functions.1.tier": "0"}
    old = revision(anna, form)
    assert anna.post(form, revision=old, **sent, **first).status_code == 303
    assert re.findall(r"<strong>(\d)\. (\w+)</strong>", anna.get(page).text) == [
        ("1", "Aanmelden"),
        ("2", "Uitkeringen"),
    ]
    assert anna.post(form, revision=old, **sent).status_code == 412
    assert anna.post(f"{page}/approvals", boardApprovedOn="2026-11-01").status_code == 403
    mo.get(page)
    empty = mo.post(f"{page}/approvals", boardApprovedOn="")
    assert empty.status_code == 400
    assert 'aria-invalid="true"' in empty.text
    assert mo.post(f"{page}/approvals", boardApprovedOn="2026-11-01").status_code == 303
    assert "recorded by Mo Bakker" in mo.get(page).text
    assert anna.post(form, revision=revision(anna, form), **sent).status_code == 409
    assert anna.post(f"{page}/versions").headers["location"] == form
    assert "version 2" in anna.get(page).text


def test_faults_come_back_at_the_row_in_which_they_were_typed(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna("en")
    form = "/mvos/MVO-001/edit"
    sent = {"name": "Gemeente Voorbeeld", "horizonDays": "90", "revision": revision(anna, form)}
    rows = {"functions.0.name": "A", "functions.0.tier": "9", "functions.0.rank": "2", "functions.1.name": "B"}
    answer = anna.post(form, **sent, **rows, **{"functions.1.tier": "1", "functions.1.rank": "1"})
    assert answer.status_code == 400
    assert 'href="#functions.0.tier"' in answer.text
    assert 'href="#functions.1.tier"' not in answer.text
    lines = {"functions.0.name": "A", "functions.0.tier": "1", "functions.0.people": "vijf", "functions.0.mtpd": "gauw"}
    answer = anna.post(form, **sent, **lines)
    assert 'href="#functions.0.people"' in answer.text
    assert 'href="#functions.0.mtpd"' in answer.text
    assert "gauw" in answer.text
    twins = {"functions.0.name": "A", "functions.0.tier": "1", "functions.1.name": "a", "functions.1.tier": "1"}
    assert 'href="#functions.1.name"' in anna.post(form, **sent, **twins).text


def test_the_fit_says_what_nobody_measured(pages: Pages) -> None:  # noqa: F811
    text = pages.anna("en").get("/mvos/MVO-001?site=SIT-001").text
    assert "nobody measured it" in text
    assert "does not fit" in text


def test_who_did_not_write_the_plan_signs_for_an_outside_test(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna("en"), pages.visitor("mo@voorbeeld.nl", "en")
    form, plan = "/plans/PLN-001/attestations", "/plans/PLN-001"
    assert f"{form}/new" in mo.get(plan).text
    assert f"{form}/new" not in anna.get(plan).text
    assert Visitor(pages.site).get(f"{form}/new").headers["location"].startswith("/sign-in")
    mo.get(f"{form}/new")
    nothing = mo.post(form, **TEST, performedAt="2026-11-20T10:00")
    assert nothing.status_code == 400
    assert 'href="#evidenceName"' in nothing.text
    later = mo.post(form, **TEST, performedAt="2099-11-20T10:00", **SHOWN)
    assert later.status_code == 400
    assert 'href="#performedAt"' in later.text
    assert "verslag.pdf" in later.text
    assert mo.post(form, forged=True, **TEST).status_code == 403
    anna.get(plan)
    assert anna.post(form, **TEST, performedAt="2025-11-20T10:00", **SHOWN).status_code == 403
    assert mo.post(form, **TEST, performedAt="2025-11-20T10:00", rto="2 h", **SHOWN).status_code == 303
    with pages.site.state.database.transaction(write=False) as session:
        row = session.exec(select(ProofRow).where(ProofRow.attested)).one()
        assert (row.rto_ms, row.at.hour, row.evidence[0]["sha256"]) == (7_200_000, 9, "ab" * 32)


def test_the_fingerprint_of_a_chosen_file_is_kept(pages: Pages) -> None:  # noqa: F811
    mo = pages.visitor("mo@voorbeeld.nl", "en")
    mo.get("/plans/PLN-001/attestations/new")
    data = {"csrf": mo.csrf, **TEST, "claim": "communication", "performedAt": "soon"}
    files = {"file": ("verslag.txt", b"gezien", "text/plain")}
    path = "/plans/PLN-001/attestations"
    answer = asyncio.run(mo.ask("POST", path, data=data, files=files, headers={"Origin": HOME}))
    assert answer.status_code == 400
    assert "verslag.txt" in answer.text
    assert re.search(r'name="evidenceSha256"[^>]* value="[0-9a-f]{64}"', answer.text)
