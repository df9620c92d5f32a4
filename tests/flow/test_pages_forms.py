"""People sign in, make services and plans, review, approve and work on findings by forms, without any script."""

import re
from datetime import timedelta

import pytest

from app.access.rules import Role
from app.core.limits import Limits
from tests.browser.site import HOME, Visitor, make_site, sign_in_token
from tests.flow.page_site import Pages, pages  # noqa: F401

SERVICE = {"criticality": "important", "substitutability": "unknown"}


def test_a_sign_in_link_works_once_and_leads_back(pages: Pages) -> None:  # noqa: F811
    token = sign_in_token(pages.site, "anna@voorbeeld.nl")
    visitor = Visitor(pages.site)
    asked = visitor.get(f"/sign-in?token={token}&next=/plans")
    assert token in asked.text
    answer = visitor.post("/sign-in", token=token, next="/plans")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/set-up?next=%2Fplans")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/")), cookie
    again = Visitor(pages.site).post("/sign-in", token=token, next="/")
    assert again.status_code == 401
    assert "al gebruikt" in again.text


def test_a_whole_link_may_be_pasted_as_well(pages: Pages) -> None:  # noqa: F811
    token = sign_in_token(pages.site, "anna@voorbeeld.nl")
    assert Visitor(pages.site).post("/sign-in", token=f"{HOME}/sign-in?token={token}").status_code == 303


def test_sign_in_never_leads_to_another_site(pages: Pages) -> None:  # noqa: F811
    token = sign_in_token(pages.site, "anna@voorbeeld.nl")
    answer = Visitor(pages.site).post("/sign-in", token=token, next="https://evil.example/")
    assert answer.headers["location"] == "/account/set-up?next=%2F"


def test_signing_out_ends_the_session(pages: Pages) -> None:  # noqa: F811
    visitor = pages.anna()
    visitor.get("/")
    kept = dict(visitor.cookies)
    assert visitor.post("/sign-out").headers["location"] == "/sign-in"
    visitor.cookies.update(kept)
    assert visitor.get("/services").status_code == 303


@pytest.mark.parametrize(
    "path", ["/services", "/plans", "/findings", "/people", "/sign-out", "/plans/PLN-001/versions"]
)
def test_a_form_without_the_sessions_token_is_refused(pages: Pages, path: str) -> None:  # noqa: F811
    answer = pages.anna().post(path, forged=True, name="x")
    assert answer.status_code == 403
    assert "forged-form" in answer.text


def test_a_role_opens_no_more_than_its_own_pages(pages: Pages) -> None:  # noqa: F811
    operator = pages.visitor("sanne@voorbeeld.nl")
    assert operator.get("/people").status_code == 403
    assert operator.get("/plans/new").status_code == 403
    assert operator.get("/services/new").status_code == 403
    assert "/services/new" not in operator.get("/services").text
    operator.get("/")
    assert operator.post("/plans", name="x", kind="fallback", service="SVC-001").status_code == 403


def test_an_administrator_adds_a_person_and_makes_their_link(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/people")
    answer = anna.post("/people", name="Nieuwe Kracht", email="nieuw@voorbeeld.nl", roles=["viewer"], language="nl")
    assert answer.status_code == 303
    link = re.search(r'action="(/people/[^"]+/sign-in-links)"', anna.get(answer.headers["location"]).text)
    assert link
    shown = anna.post(link[1]).text
    token = re.search(r"token=(wsl_[\w-]+)", shown)
    assert token
    assert Visitor(pages.site).post("/sign-in", token=token[1]).status_code == 303
    assert anna.post("/people", name="Nog een", email="nieuw@voorbeeld.nl").status_code == 409


def test_a_service_is_made_and_changed_with_durations_as_people_write_them(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/services/new")
    answer = anna.post(
        "/services",
        name="Parkeren",
        rto="4 u",
        rpo="15 min",
        mtpd="2 dagen",
        mbcoNumber="2,5",
        mbcoUnit="plaatsen per minuut",
        dependsOn=["SVC-001"],
        **SERVICE,
    )
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    page = anna.get(where).text
    assert "15 min" in page
    assert "2 d" in page
    assert "Aanmelden" in page
    assert "2,5" in page
    form = anna.get(f"{where}/edit").text
    assert 'value="4 u"' in form
    revision = re.search(r'name="revision" value="(\d+)"', form)
    assert revision
    fields = {"name": "Parkeren", "rto": "", "rpo": "15 min", "mtpd": "2 d", "revision": revision[1], **SERVICE}
    assert anna.post(f"{where}/edit", **fields).status_code == 303
    assert re.search(r'name="rto"[^>]* value=""', anna.get(f"{where}/edit").text)
    stale = anna.post(f"{where}/edit", **fields)
    assert stale.status_code == 412


def test_a_wrong_form_comes_back_with_every_fault_and_what_was_typed(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/services/new")
    answer = anna.post("/services", name="", description="Blijft staan", rto="snel", **SERVICE)
    assert answer.status_code == 400
    assert 'href="#name"' in answer.text
    assert 'href="#rto"' in answer.text
    assert "Schrijf een duur zoals 4 u, 15 min of 2 d." in answer.text
    assert "Blijft staan" in answer.text
    twin = anna.post("/services", name="vergunningenbalie", **SERVICE)
    assert twin.status_code == 409
    assert 'aria-invalid="true"' in twin.text


def test_suppliers_and_objects_are_made_by_page(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/suppliers/new")
    made = anna.post("/suppliers", name="Nieuwsoft B.V.", country="NL", hasParent="unknown", watchLevel="normal")
    assert made.status_code == 303, made.text
    assert anna.get(made.headers["location"]).status_code == 200
    anna.get("/objects/new?service=SVC-001")
    thing = anna.post(
        "/objects",
        name="Handleiding",
        kind="licence",
        holder="own",
        accessWithoutSupplier="yes",
        neededForMvo="yes",
        placement="both",
        services=["SVC-001"],
    )
    assert thing.status_code == 303, thing.text
    assert "Handleiding" in anna.get("/services/SVC-001").text


def test_a_plan_grows_from_draft_to_approved_by_two_people(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna(), pages.mo()
    anna.get("/plans/new")
    made = anna.post("/plans", name="Uitwijk aanmelden", kind="fallback", service="SVC-001", withDefaultClaims="yes")
    assert made.status_code == 303, made.text
    draft = made.headers["location"]
    plan = draft.split("/versions")[0]
    saved = anna.post(
        f"{draft}/edit",
        **{
            "triggers": "De dienst is weg\nDe leverancier is weg",
            "target": "Zuid",
            "timeAvailable": "2 u",
            "contacts.0.role": "Crisisleider",
            "contacts.0.name": "A. de Vries",
            "steps.0.title": "Besluiten",
            "steps.0.estimate": "15 min",
            "steps.1.title": "Omzetten",
            "steps.1.estimate": "30 min",
            "steps.1.needs": "besluiten",
            "swap.policy": "quarterly",
            "swap.holdPeriod": "1 d",
        },
    )
    assert saved.status_code == 303, saved.text
    page = anna.get(draft).text
    assert "De leverancier is weg" in page
    assert "45 min langs het kritieke pad" in page
    added = anna.post(f"{draft}/claims", kind="escrow-build", says="Wij bouwen zelf.", rto="4 u", minLevel="3")
    assert added.status_code == 303, added.text
    assert anna.post(f"{draft}/claims", kind="escrow-build").status_code == 409
    assert anna.get(f"{draft}/claims/escrow-build/edit").status_code == 200
    assert anna.post(f"{draft}/claims/communication/removals").status_code == 303
    weaker = anna.get(draft).text
    needs_reason = 'name="reason"' in weaker
    assert anna.post(f"{draft}/submissions", reason="Communicatie staat in een ander plan.").status_code == 303, (
        needs_reason
    )
    assert anna.post(f"{draft}/approvals").status_code == 403
    assert "Iemand anders keurt haar goed" in anna.get(draft).text
    mo.get(draft)
    assert mo.post(f"{draft}/approvals").headers["location"] == plan
    assert "Nooit getest" in mo.get(plan).text
    reviewed = mo.post(f"{plan}/reviews", claims=["restore", "switchover"], verdict="pass", note="Gelezen")
    assert reviewed.status_code == 303, reviewed.text
    assert "alleen op papier" in mo.get(plan).text
    frozen = anna.post(f"{draft}/edit", target="Toch ergens anders")
    assert frozen.status_code == 409


def test_a_broken_step_list_comes_back_with_what_was_typed(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/plans/new")
    draft = anna.post("/plans", name="Stappen", kind="fallback", service="SVC-005").headers["location"]
    answer = anna.post(f"{draft}/edit", **{"steps.0.title": "Eerst", "steps.0.estimate": "gauw", "target": "Elders"})
    assert answer.status_code == 400
    assert 'href="#steps.0.estimate"' in answer.text
    assert "Elders" in answer.text


def test_an_exit_plan_must_say_its_mode(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/plans/new")
    answer = anna.post("/plans", name="Exit", kind="exit", service="SVC-001")
    assert answer.status_code == 400
    assert 'href="#mode"' in answer.text


def test_a_plan_ends_only_when_another_person_agrees(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna(), pages.mo()
    anna.get("/plans/PLN-003")
    assert anna.post("/plans/PLN-003/retirements", comment="De dienst stopt.").status_code == 303
    mine = anna.get("/plans/PLN-003").text
    assert "De dienst stopt." in mine
    asked = re.search(r'action="(/plans/PLN-003/retirements/[^"]+/approvals)"', mo.get("/plans/PLN-003").text)
    assert asked
    assert anna.post(asked[1]).status_code == 403
    assert mo.post(asked[1]).status_code == 303
    assert "PLN-003" not in anna.get("/plans").text


def test_a_finding_is_worked_on_and_its_risk_accepted_by_another_person(pages: Pages) -> None:  # noqa: F811
    anna, mo = pages.anna(), pages.mo()
    ref = f"/findings/{pages.example.finding.ref}"
    anna.get(ref)
    assert anna.post(f"{ref}/actions", what="Pakket laten toevoegen", owner="PER-001").status_code == 303
    page = anna.get(ref).text
    done = re.search(rf'action="({ref}/actions/[^"]+/completions)"', page)
    assert done
    assert anna.post(done[1]).status_code == 303
    assert anna.post(f"{ref}/transitions", operation="request-retest").status_code == 303
    assert "Wacht op hertest" in anna.get(ref).text or "wacht op hertest" in anna.get(ref).text
    late = anna.post(
        f"{ref}/acceptances", whatCanHappen="Niet te bouwen", impact="high", control="hard", until="2099-01-01"
    )
    assert late.status_code == 400
    assert "Niet te bouwen" in late.text
    until = (pages.example.now + timedelta(days=90)).date().isoformat()
    asked = anna.post(f"{ref}/acceptances", whatCanHappen="Niet te bouwen", impact="high", control="hard", until=until)
    assert asked.status_code == 303, asked.text
    decide = re.search(rf'action="({ref}/acceptances/[^"]+/decisions)"', mo.get(ref).text)
    assert decide
    assert mo.post(decide[1], choice="accept", mandate="CISO", reason="Tijdelijk").status_code == 303
    assert "risico aanvaard" in mo.get(ref).text.lower()
    assert anna.post(f"{ref}/transitions", operation="verify").status_code == 400


def test_a_finding_is_entered_by_hand(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/findings/new")
    made = anna.post("/findings", title="De sleutel ligt nergens", source="audit", severity="high", service="SVC-002")
    assert made.status_code == 303, made.text
    assert "De sleutel ligt nergens" in anna.get(made.headers["location"]).text
    assert anna.post("/findings", title="", source="audit", severity="high").status_code == 400


def test_too_many_tries_to_sign_in_are_stopped(tmp_path) -> None:
    site = make_site(tmp_path)
    site.state.limits = Limits()
    visitor = Visitor(site)
    answers = [
        visitor.post("/sign-in", token="wsl_guess").status_code for _ in range(45)
    ]  # a slow machine is given tries back
    assert answers[0] == 401
    assert answers[-1] == 429


def test_no_role_but_approver_approves_a_plan(pages: Pages) -> None:  # noqa: F811
    operator = Visitor(pages.site).sign_in("operateur@voorbeeld.nl", Role.OPERATOR)
    operator.get("/")
    assert operator.post("/plans/PLN-004/versions/1.0/approvals").status_code == 403
