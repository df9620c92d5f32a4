"""The example organisation as it stands in its files: names, both languages, and what the demonstration promises."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.access.rules import Action, Actor, Kind, Role, may
from app.lab.organisation.loader import CATALOGUE
from app.lab.organisation.material import Filling, NameUnknown, both, read
from app.playbooks import yaml_text
from app.playbooks.service import SHIPPED

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
FILES = ("people", *CATALOGUE, "minimum", "plans", "drills")


class Anything(dict[str, Any]):
    """Knows every name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


def texts(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if {"nl", "en"} & value.keys():
            yield value
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("file", FILES)
def test_every_text_is_there_in_both_languages(file: str) -> None:
    for text in texts(read(file)):
        assert set(text) == {"nl", "en"}
        assert all(isinstance(each, str) and each.strip() for each in text.values()), text


@pytest.mark.parametrize("file", FILES)
def test_every_day_and_name_is_filled_in(file: str) -> None:
    filled = repr(Filling(NOW, Anything(), Anything()).fill(read(file)))
    assert not any(f"'{mark}" in filled for mark in ("today", "@", "$"))


def test_every_name_is_entered_before_it_is_used() -> None:
    filling = Filling(NOW, Anything(), {name: name for name in ("author", "approver", "operator", "processOwner")})
    for file in (*CATALOGUE, "minimum", "plans"):
        for rows in read(file).values():
            for row in rows:
                filling.fill(row)
                assert row["key"] not in filling.known, f"{row['key']} stands there twice"
                filling.known[row["key"]] = row["key"]
    filling.fill(read("drills"))


def test_a_name_that_was_not_entered_is_refused() -> None:
    with pytest.raises(NameUnknown, match="nowhere"):
        Filling(NOW, {}).fill({"service": "@nowhere"})
    with pytest.raises(NameUnknown, match="nothing"):
        Filling(NOW, {}).fill({"driver": "$nothing"})


def test_days_count_from_the_day_of_the_demonstration() -> None:
    filled = Filling(NOW, {}).fill({"on": "today-31", "until": "today+1T00:00:00Z", "now": "today"})
    assert filled == {"on": "2026-12-31", "until": "2027-02-01T00:00:00Z", "now": "2027-01-31"}


def test_two_languages_share_a_field_and_the_same_word_is_told_once() -> None:
    assert both({"nl": "Netwerk", "en": "Network"}) == "Netwerk / Network"
    assert both({"nl": "Een zin.", "en": "A sentence."}, long=True) == "Een zin.\n\nA sentence."
    assert both({"nl": "vCPU", "en": "vCPU"}) == "vCPU"


def test_there_are_at_least_eight_services_with_goals_and_a_minimum_level() -> None:
    services = read("services")["services"]
    assert len(services) >= 8
    for service in services:
        assert {"mtpd", "rto", "rpo", "mbcoNumber", "mbcoUnit"} <= service.keys(), service["key"]
    assert any(service.get("dependsOn") for service in services)


def test_the_five_people_may_do_their_part_and_no_more() -> None:
    people = {row["part"]: row for row in read("people")}
    assert set(people) == {"author", "approver", "operator", "processOwner", "auditor"}

    def can(part: str, action: Action) -> bool:
        roles = frozenset(Role(role) for role in people[part]["roles"])
        return may(Actor(Kind.PERSON, part, part, roles), action)

    assert can("author", Action.EDIT_CATALOG)
    assert can("author", Action.EDIT_PLAN)
    assert can("author", Action.PLAN_DRILL)
    assert not can("author", Action.APPROVE_PLAN)
    assert not can("author", Action.APPROVE_RUN)
    assert can("approver", Action.APPROVE_PLAN)
    assert can("processOwner", Action.APPROVE_RUN)
    assert not can("operator", Action.APPROVE_RUN)
    assert [part for part in people if can(part, Action.READ_AUDIT)] == ["auditor"]
    assert not any(can(part, Action.ADMINISTER) for part in people)


def test_the_process_owner_of_every_service_is_the_person_of_that_part() -> None:
    owner = next(row["name"] for row in read("people") if row["part"] == "processOwner")
    assert {service["processOwner"] for service in read("services")["services"]} <= {owner}


def test_six_drills_are_triggered_and_two_of_them_should_find_a_planted_fault() -> None:
    drills = {row["key"]: row for row in read("drills")["drills"]}
    assert set(drills) == {"over", "back", "restore", "damaged", "escrow", "poor"}
    assert {key for key, row in drills.items() if row["expect"] == "failed"} == {"damaged", "poor"}
    assert "attendance" not in drills["over"]["body"]  # attended by default
    assert drills["back"]["body"]["attendance"] == "unattended"
    assert drills["over"]["after"]["auto"] < drills["back"]["after"]["auto"]


def test_whoever_plays_in_a_drill_of_the_fallback_plan_is_enough_to_decide_a_fail_over() -> None:
    steps = yaml_text.read((SHIPPED / "fail-over.yaml").read_text(encoding="utf-8")).data["steps"]
    wanted = max(step.get("quorum", 1) for step in steps if step.get("role") == "crisis-manager")
    found = read("drills")
    drills = [row["body"] for row in found["drills"]] + [
        row["body"] for name in found for row in found[name] if name != "drills"
    ]
    named = [row["participants"] for row in drills if row.get("planId") == "@p-permits" and row.get("participants")]
    assert wanted == 2
    assert named
    for people in named:
        assert len({each["personId"] for each in people if each["role"] == "crisis-manager"}) >= wanted
