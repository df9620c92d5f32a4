"""Pages of people, their roles and machine tokens, as an administrator and anybody else use them by form."""

import re

from tests.browser.site import Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401


def ref_of(anna: Visitor, name: str) -> str:
    found = re.search(rf'href="/people/(PER-\d+)">{name}', anna.get(f"/people?q={name.split()[0]}").text)
    assert found
    return found[1]


def test_a_person_gets_a_role_in_a_unit_by_form_and_loses_it(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/people")
    anna.post("/people", name="Iris Smal", email="iris@voorbeeld.nl", language="nl")
    where = f"/people/{ref_of(anna, 'Iris Smal')}"
    unit = re.search(r'<datalist id="units"><option value="([^"]+)"', anna.get(where).text)
    assert unit, "the units that are known help who types"
    wrong = anna.post(f"{where}/grants", role="viewer", unit="Nergens", until="2020-02-30")
    assert wrong.status_code == 400
    assert "2026-11-23" in wrong.text
    wrong = anna.post(f"{where}/grants", role="viewer", unit="Nergens")
    assert wrong.status_code == 400
    assert 'value="Nergens"' in wrong.text
    assert anna.post(f"{where}/grants", role="viewer", unit=unit[1], until="2099-12-31").status_code == 303
    iris = pages.visitor("iris@voorbeeld.nl")
    assert len(set(re.findall(r"SVC-\d+", iris.get("/services").text))) > 0
    assert iris.get("/people").status_code == 403
    assert iris.get(where).status_code == 403
    grant = re.search(rf'action="({where}/grants/[^"]+/revocations)"', anna.get(where).text)
    assert grant
    assert anna.post(grant[1]).status_code == 303
    assert iris.get("/services").status_code == 403
    assert grant[1] not in anna.get(where).text


def test_an_account_is_closed_and_opened_again_by_form(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/people")
    anna.post("/people", name="Tom Weg", email="tom@voorbeeld.nl", roles=["viewer"], language="nl")
    where = f"/people/{ref_of(anna, 'Tom Weg')}"
    tom = pages.visitor("tom@voorbeeld.nl")
    assert tom.get("/services").status_code == 200
    assert anna.post(f"{where}/closures").status_code == 303
    assert tom.get("/services").status_code == 303
    assert anna.post(f"{where}/openings").status_code == 303
    assert tom.get("/services").status_code == 303
    link = anna.post(f"{where}/sign-in-links").text
    assert re.search(r"token=wsl_[\w-]+", link)
    assert anna.post(f"{where}/edits", name="Tom Terug", roles=["operator"], language="en", functions="crisis-manager")
    shown = anna.get(where).text
    assert "Tom Terug" in shown
    assert 'value="crisis-manager"' in shown


def test_an_administrator_sees_that_nobody_gives_rights_to_themselves(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    where = f"/people/{ref_of(anna, 'Anna')}"
    assert f'action="{where}/grants"' not in anna.get(where).text
    answer = anna.post(f"{where}/edits", name="Anna", roles=["administrator", "plan-owner", "approver"], language="nl")
    assert answer.status_code == 403
    assert "niemand" in answer.text.lower()


def test_a_token_is_shown_once_and_ended_by_form(pages: Pages) -> None:  # noqa: F811
    mo = pages.mo()
    mo.get("/machine-tokens")
    answer = mo.post("/machine-tokens", name="Dashboard", everywhere="true", validDays="10")
    token = re.search(r'id="machine-token">(wsl_[\w-]+)<', answer.text)
    assert token
    listed = mo.get("/machine-tokens").text
    assert token[1] not in listed
    assert token[1][:10] in listed
    assert "Dashboard" in pages.anna().get("/machine-tokens").text, "an administrator looks after all"
    assert "Dashboard" not in pages.visitor("sanne@voorbeeld.nl").get("/machine-tokens").text
    revoke = re.search(r'action="(/machine-tokens/[^"]+/revocations)"', listed)
    assert revoke
    assert mo.post(revoke[1]).status_code == 303
    assert revoke[1] not in mo.get("/machine-tokens").text


def test_a_wrong_token_comes_back_with_its_faults_and_what_was_typed(pages: Pages) -> None:  # noqa: F811
    mo = pages.mo()
    mo.get("/machine-tokens")
    answer = mo.post("/machine-tokens", name="Blijft", services="SVC-001, SVC-999", validDays="91")
    assert answer.status_code == 400
    assert 'value="Blijft"' in answer.text
    answer = mo.post("/machine-tokens", name="Blijft", services="SVC-001, SVC-999")
    assert "SVC-999" in answer.text
    assert 'value="SVC-001, SVC-999"' in answer.text
    answer = mo.post("/machine-tokens", name="Blijft", everywhere="true", actions=["operate-run"])
    assert answer.status_code == 403
    assert 'value="Blijft"' in answer.text
