"""The playbooks that ship are accepted, speak both languages, and the published schema is up to date."""

# ruff: noqa: E501 - a row of a table stays on one line

import json

import jsonschema_rs
import pytest

from app.playbooks import schema, yaml_text
from app.playbooks.loader import check, load
from app.playbooks.rules import ClaimKind, Playbook, StepKind
from app.playbooks.service import SHIPPED
from runners import registry

FILES = sorted(SHIPPED.glob("*.yaml"))


def opened(name: str) -> Playbook:
    path = SHIPPED / name
    return load(path.read_text(encoding="utf-8"), registry=registry.load(), source=name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_accepted(path):
    assert [str(each) for each in check(path, registry.load())] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_automated_step_says_how_to_do_it_by_hand_in_both_languages(path):
    playbook = opened(path.name)
    assert playbook.summary is not None
    for step in playbook.steps:
        assert step.phase, step.id
        if step.kind is StepKind.USES:
            assert step.manual is not None, step.id
            assert step.manual.nl != step.manual.en
            assert step.title is not None, step.id


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_fits_the_published_schema(path):
    data = yaml_text.read(path.read_text(encoding="utf-8")).data
    jsonschema_rs.validator_for(json.loads(schema.PLACE.read_text())).validate(data)


def test_the_published_schema_is_up_to_date():
    assert schema.PLACE.read_text(encoding="utf-8") == schema.text()


def test_the_schema_refuses_a_step_that_does_two_things():
    bad = {"playbook": "a", "title": {"nl": "a", "en": "b"}, "modes": ["live"], "steps": [{"id": "a", "wait": "PT1S", "ask": {"nl": "a", "en": "b"}}]}  # fmt: skip
    assert not jsonschema_rs.validator_for(schema.document()).is_valid(bad)


def test_the_swap_proves_a_switchover_by_fence_write_and_service():
    swap = opened("switch-sides.yaml")
    assert swap.proves[ClaimKind.SWITCHOVER] == ("fenced", "writable", "serve")
    assert {"home", "lag", "go", "fence", "fenced", "final"} <= swap.ancestors("promote")


def test_a_playbook_survives_being_kept_as_json():
    for path in FILES:
        playbook = opened(path.name)
        kept = json.loads(json.dumps(playbook.model_dump(mode="json", exclude_defaults=True)))
        assert Playbook.model_validate(kept) == playbook
