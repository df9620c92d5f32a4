"""Sites, environments, pairs, contracts and measures are made, changed and archived by form, without any script."""

import re

import pytest
from sqlmodel import select

from app.catalog.models import Contract, Environment, EnvironmentPair, Measure, Site
from tests.browser.site import Visitor
from tests.flow.page_site import Pages, pages  # noqa: F401

PATHS = (
    "/sites",
    "/sites/new",
    "/sites/SIT-001/edit",
    "/environments/new?service=SVC-002",
    "/environments/ENV-001/edit",
    "/environment-pairs/new?service=SVC-002",
    "/environment-pairs/PAIR-001/edit",
    "/contracts?kind=standalone",
    "/contracts/CON-001",
    "/contracts/new?service=SVC-002",
    "/contracts/CON-001/edit",
    "/measures/new?contract=CON-001",
    "/measures/MEA-001/edit",
)
CONTRACT = {"supplier": "SUP-002", "kind": "standalone", "law": "NL"}
MEASURE = {"present": "yes", "needsSupplier": "no", "survivesBankruptcy": "yes"}


def revision(visitor: Visitor, path: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', visitor.get(path).text)
    assert found
    return found[1]


def stored(pages: Pages, table, name: str):  # noqa: F811
    with pages.site.state.database.transaction(write=False) as session:
        row = session.exec(select(table).where(table.name == name)).one()
        session.expunge(row)
        return row


@pytest.mark.parametrize("path", PATHS)
def test_strangers_sign_in_first_and_readers_see_both_languages(pages: Pages, path: str) -> None:  # noqa: F811
    answer = Visitor(pages.site).get(path)
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
    for language in ("nl", "en"):
        shown = pages.anna(language).get(path)
        assert shown.status_code == 200, shown.text[-600:]
        assert f'<html lang="{language}"' in shown.text


@pytest.mark.parametrize("path", ["/sites", "/environments", "/environment-pairs", "/contracts", "/measures"])
def test_a_forged_form_and_a_reader_change_nothing(pages: Pages, path: str) -> None:  # noqa: F811
    assert pages.anna().post(path, forged=True, name="x").status_code == 403
    operator = pages.visitor("sanne@voorbeeld.nl")
    operator.get("/services")
    assert operator.post(path, name="x").status_code == 403


def test_a_site_keeps_what_it_can_carry(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/sites/new")
    rows = {"capacity.0.resource": "Werkplek", "capacity.0.number": "12,5", "capacity.0.unit": "stuks"}
    assert anna.post("/sites", name="west", country="NL", **rows).status_code == 303
    site = stored(pages, Site, "west")
    assert site.capacity[0]["number"] == 12.5
    wrong = anna.post(f"/sites/{site.ref}/edit", name="west", country="Nederland", **rows)
    assert wrong.status_code == 400
    assert 'value="12,5"' in wrong.text
    emptied = dict.fromkeys(rows, "")
    again = anna.post(
        f"/sites/{site.ref}/edit",
        name="west",
        country="NL",
        address="",
        supplier="",
        revision=revision(anna, f"/sites/{site.ref}/edit"),
        **emptied,
    )
    assert again.status_code == 303, again.text
    assert stored(pages, Site, "west").capacity == []


def test_a_service_gets_a_second_side_and_a_pair_by_form(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    assert "/environments/new?service=SVC-003" in anna.get("/services/SVC-003").text
    for name, role, site in (("uit noord", "primary", "SIT-001"), ("uit zuid", "fallback", "SIT-002")):
        made = anna.post(
            "/environments",
            name=name,
            service="SVC-003",
            role=role,
            site=site,
            keyPeople="R. Jansen\nM. Bakker",
            **{"driver.dsn": f"secret://{role}", "driver.data_directory": "/data", "driver.health": ""},
        )
        assert (made.status_code, made.headers.get("location")) == (303, "/services/SVC-003"), made.text
    side = stored(pages, Environment, "uit noord")
    assert side.driver == {"dsn": "secret://primary", "data_directory": "/data"}
    assert side.key_people == ["R. Jansen", "M. Bakker"]
    assert "uit zuid" in anna.get("/services/SVC-003").text
    other = stored(pages, Environment, "uit zuid")
    both = {"name": "Uitkeringen", "service": "SVC-003", "primary": side.ref, "fallback": other.ref}
    half = anna.post("/environment-pairs", homeSide="primary", **both, **{"proxy.socket": "/run/haproxy"})
    assert half.status_code == 400
    assert 'href="#proxy.backend"' in half.text
    assert 'value="/run/haproxy"' in half.text
    proxy = {"proxy.socket": "/run/haproxy", "proxy.backend": "b", "proxy.primary": "n", "proxy.fallback": "z"}
    assert anna.post("/environment-pairs", homeSide="fallback", **both, **proxy).status_code == 303
    pair = stored(pages, EnvironmentPair, "Uitkeringen")
    assert pair.home_side == "fallback"
    page = f"/environment-pairs/{pair.ref}/edit"
    assert 'name="homeSide"' not in anna.get(page).text
    changed = anna.post(page, **both, revision=revision(anna, page), serviceUrl="http://10.0.0.1/", **proxy)
    assert changed.status_code == 303, changed.text
    assert stored(pages, EnvironmentPair, "Uitkeringen").home_side == "fallback"


@pytest.mark.parametrize("typed", ["host=db password=geheim", "postgresql://u:geheim@db/x", "secret://"])
def test_a_secret_in_the_open_is_refused_at_its_field(pages: Pages, typed: str) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/environments/new?service=SVC-004")
    answer = anna.post(
        "/environments", name="open", service="SVC-004", role="primary", site="SIT-001", **{"driver.dsn": typed}
    )
    assert answer.status_code == 400
    assert 'href="#driver.dsn"' in answer.text


def test_an_edit_keeps_what_the_form_does_not_show(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    with pages.site.state.database.transaction() as session:
        row = session.exec(select(Environment).where(Environment.ref == "ENV-002")).one()
        row.driver = {"extra": {"nested": 1}, "slot": "old"}
        session.add(row)
    name = stored(pages, Environment, "Vergunningenbalie zuid").name
    sent = {"name": name, "service": "SVC-002", "role": "fallback", "site": "SIT-002", "supplier": ""}
    page = "/environments/ENV-002/edit"
    assert anna.post(page, **sent, revision=revision(anna, page), **{"driver.slot": "new"}).status_code == 303
    assert stored(pages, Environment, name).driver == {"extra": {"nested": 1}, "slot": "new"}


def test_two_people_who_edit_at_once_do_not_overwrite_each_other(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    old = revision(anna, "/contracts/CON-001/edit")
    sent = {**CONTRACT, "name": "Vergunningensoftware 2024-2028", "supplier": "SUP-003", "services": ["SVC-002"]}
    assert anna.post("/contracts/CON-001/edit", **sent, number="7", revision=old).status_code == 303
    assert anna.post("/contracts/CON-001/edit", **sent, number="8", revision=old).status_code == 412


def test_a_contract_holds_measures(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/contracts/new")
    made = anna.post("/contracts", name="Cloud", cost="1250,50", noticeOwn="90 d", services=["SVC-003"], **CONTRACT)
    assert made.status_code == 303, made.text
    contract = stored(pages, Contract, "Cloud")
    assert (contract.cost_cents, contract.notice_own) == (125_050, 90 * 86_400)
    page = made.headers["location"]
    assert 'value="1250.5' in anna.get(f"{page}/edit").text
    assert "Cloud" in anna.get("/services/SVC-003").text
    wrong = anna.post("/contracts", name="Duur", cost="veel", **CONTRACT)
    assert wrong.status_code == 400
    assert 'href="#cost"' in wrong.text
    sent = {"contract": contract.ref, "kind": "escrow", "triggers": ["insolvency", "breach"], **MEASURE}
    assert anna.post("/measures", **sent, depositEvery="90 d", verificationLevel="2").headers["location"] == page
    twin = anna.post("/measures", **sent)
    assert twin.status_code == 409
    with pages.site.state.database.transaction(write=False) as session:
        row = session.exec(select(Measure).where(Measure.contract_id == contract.id)).one()
        assert (row.triggers, row.verification_level, row.deposit_every) == (["insolvency", "breach"], 2, 90 * 86_400)
        edit = f"/measures/{row.ref}/edit"
    number = revision(anna, edit)
    contradiction = anna.post(edit, **MEASURE | {"present": "no"}, verificationLevel="2", revision=number)
    assert contradiction.status_code == 400
    assert anna.post(edit, **MEASURE, verificationLevel="", revision=number).status_code == 303


@pytest.mark.parametrize(("path", "listed"), [("/suppliers/SUP-003", "/suppliers"), ("/objects/OBJ-004", "/objects")])
def test_something_is_archived_and_brought_back_by_form(pages: Pages, path: str, listed: str) -> None:  # noqa: F811
    anna = pages.anna()
    ref = path.rpartition("/")[2]
    assert f'action="{path}/archive"' in anna.get(path).text
    assert anna.post(f"{path}/archive", comment="Bestaat niet meer.").headers["location"] == listed
    assert ref not in anna.get(listed).text
    assert ref in anna.get(f"{listed}?archived=true").text
    assert f'action="{path}/restore"' in anna.get(path).text
    assert anna.post(f"{path}/restore").headers["location"] == path
    assert ref in anna.get(listed).text


def test_a_backup_gets_what_a_drill_needs_by_form(pages: Pages) -> None:  # noqa: F811
    anna = pages.anna()
    anna.get("/objects/new")
    made = anna.post(
        "/objects",
        name="Nachtelijke dump",
        kind="backup_set",
        holder="own",
        accessWithoutSupplier="yes",
        neededForMvo="yes",
        placement="both",
        services=["SVC-002"],
        **{"driver.kind": "dump", "driver.path": "/backup/x.dump", "driver.tables": "aanvraag\nbesluit"},
    )
    assert made.status_code == 303, made.text
    form = anna.get(f"{made.headers['location']}/edit").text
    assert "aanvraag\nbesluit" in form
    assert 'value="/backup/x.dump"' in form
