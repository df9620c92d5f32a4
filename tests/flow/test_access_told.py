"""What the answer to a change tells somebody of one unit of another: nothing, not even where it is refused."""

import re
import zipfile
from io import BytesIO

import pytest
from sqlmodel import Session, select

from app.catalog.models import Service, ServiceDependency
from tests.flow.access_world import NORTH, SOUTH, Units
from tests.flow.test_access_matrix import ENDS_THE_SESSION, IN_PARTS, ROUTES
from tests.flow.whole import API

NORTHERN = "Vergunningenbalie"
EDITOR = f"plan-owner {SOUTH}"


def lean(session: Session, one: str, other: str) -> None:
    """Make one service lean on another, whoever may see both."""
    session.add(ServiceDependency(service_id=one, depends_on_id=other))


@pytest.fixture
def leaning(units: Units) -> Units:
    """The service of Zuid cannot work without one of Noord, which its own people do not see."""
    south, north = units.southern["services"], units.keys["services"]
    with units.whole.database.kept() as session:  # type: ignore[attr-defined]
        if session.get(ServiceDependency, (south, north)) is None:
            lean(session, south, north)
    return units


@pytest.mark.parametrize("persona", [f"{role.value} {SOUTH}" for role in IN_PARTS])
def test_a_form_that_comes_back_with_its_faults_offers_nothing_of_another_unit(units: Units, persona: str) -> None:
    foreign = re.compile("|".join(map(re.escape, sorted(units.northern, key=len, reverse=True))))
    told = []
    for route in ROUTES:
        method, path = route.split(" ")
        if method != "GET" and "{" not in path and route not in ENDS_THE_SESSION and not path.endswith("/tokens"):
            answer = units.whole.ask(method, path, **sent(units, path, persona))
            shown = answer.text.replace("zoals SVC-001, SVC-004", "")  # which a form names as an example
            found = foreign.search(shown)
            told += [f"{route}: {found[0]}"] if found else []
    assert not told, "\n".join(told)


def sent(units: Units, path: str, persona: str) -> dict[str, object]:
    """A request with nothing in it."""
    bearer, cookie = units.tokens[persona]
    if path.startswith(API):
        return {"body": {}, "headers": {"Authorization": f"Bearer {bearer}"}}
    headers = {"Origin": "http://test", "Content-Type": "application/x-www-form-urlencoded"}
    return {"content": f"csrf={units.csrf}&do=look", "headers": headers, "cookies": {"wissel-session": cookie}}


def test_a_saved_row_is_told_as_it_may_be_read(leaning: Units) -> None:
    path = f"/services/{leaning.southern['services']}"
    for method, address, body in (
        ("GET", path, None),
        ("PATCH", path, {"description": "Anders"}),
        ("POST", f"{path}/archivals", {"reason": "Weg"}),
    ):
        answer = leaning.send(method, address, EDITOR, body)
        assert answer.is_success, answer.text
        assert answer.json()["dependsOn"] == []
        assert NORTHERN not in answer.text
    whole = leaning.send("PATCH", path, "plan-owner whole", {"description": "Anders"}).json()
    assert [each["name"] for each in whole["dependsOn"]] == [NORTHERN]


def test_what_one_does_not_see_is_not_lost_by_saving(leaning: Units) -> None:
    path, database = f"/services/{leaning.southern['services']}", leaning.whole.database
    database.forgets = False  # type: ignore[attr-defined]
    try:
        assert leaning.send("PATCH", path, EDITOR, {"dependsOn": [], "description": "Bewaard"}).is_success
        kept = leaning.send("GET", path, "plan-owner whole", None).json()
    finally:
        database.forgets = True  # type: ignore[attr-defined]
    assert (kept["description"], [each["name"] for each in kept["dependsOn"]]) == ("Bewaard", [NORTHERN])


def test_a_name_of_another_unit_is_taken_without_telling_by_what(units: Units) -> None:
    answer = units.send("POST", "/services", EDITOR, {"name": NORTHERN.upper(), "unit": SOUTH})
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert "SVC-" not in answer.text
    assert "existing" not in answer.json()
    seen = units.send("POST", "/services", f"plan-owner {NORTH}", {"name": NORTHERN.upper(), "unit": NORTH})
    assert "existing" in seen.json()


def test_a_ring_by_way_of_another_unit_hides_its_part(leaning: Units) -> None:
    own = leaning.southern["services"]
    with leaning.whole.database.kept() as session:  # type: ignore[attr-defined]
        second = Service(**session.get_one(Service, own).model_dump(exclude={"id", "ref", "name", "twin_key"}))
        second.ref, second.name, second.twin_key = "SVC-977", "Tweede haven", None
        session.add(second)
        session.flush()
        north = session.scalars(select(Service).where(Service.name == NORTHERN)).one()
        lean(session, north.id, second.id)
        key = second.id
    answer = leaning.send("PATCH", f"/services/{key}", EDITOR, {"dependsOn": [own]})
    assert answer.status_code == 400, answer.text
    assert "Havenloket" in answer.text
    assert NORTHERN not in answer.text


def test_the_kit_of_a_service_tells_each_reader_what_they_may_read(leaning: Units) -> None:
    own = leaning.southern["services"]
    told = {}
    for persona in ("viewer whole", f"viewer {SOUTH}", "viewer whole"):
        answer = leaning.ask("GET", f"{API}/kits/{own}", persona)
        assert answer.status_code == 200, answer.text
        kit = zipfile.ZipFile(BytesIO(answer.content))
        told[persona] = NORTHERN in "".join(kit.read(each).decode() for each in kit.namelist() if ".html" in each)
    assert told == {"viewer whole": True, f"viewer {SOUTH}": False}
