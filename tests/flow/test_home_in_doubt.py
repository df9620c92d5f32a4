"""After a restore nobody knows which side is home: it is shown so, until a check or a person saw it."""

import asyncio

import httpx

from app.catalog import service as catalog
from app.catalog.models import EnvironmentPair
from app.core import clock
from tests.flow.runs_site import HOME, Browser, link_of, make_world


def doubted(folder):
    world, site = make_world(folder)
    with world.database.transaction() as session:
        catalog.doubt_homes(session, now=clock.now())
    return world, site


def bearer(site):
    async def ask(method, path, **sent):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=site), base_url=HOME) as client:
            return await client.request(method, path, **sent)

    link = link_of(site, "operator")
    token = asyncio.run(ask("POST", "/api/v1/sessions", json={"signInToken": link})).json()["token"]
    return lambda method, path, **sent: asyncio.run(
        ask(method, f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, **sent)
    )


def test_the_page_of_the_service_says_that_nobody_looked(tmp_path):
    world, site = doubted(tmp_path)
    assert "not looked since the restore" in Browser(site, "operator").get("/environment-pairs/PAIR-001").text
    with world.database.transaction() as session:
        catalog.home_seen(session, "pair", "primary")
    assert "not looked since the restore" not in Browser(site, "operator").get("/environment-pairs/PAIR-001").text


def test_a_person_says_which_side_they_saw_and_only_while_it_is_in_doubt(tmp_path):
    world, site = doubted(tmp_path)
    ask = bearer(site)
    assert ask("GET", "/environment-pairs/PAIR-001").json()["homeUnseenSince"]
    seen = ask("POST", "/environment-pairs/PAIR-001/home-looks", json={"side": "fallback", "reason": "select 1"})
    assert (seen.status_code, seen.json()["side"], seen.json()["unseenSince"]) == (201, "fallback", None)
    again = ask("POST", "/environment-pairs/PAIR-001/home-looks", json={"side": "primary", "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "home-side-known")
    with world.database.transaction() as session:
        assert session.get_one(EnvironmentPair, "pair").home_side == "fallback"
