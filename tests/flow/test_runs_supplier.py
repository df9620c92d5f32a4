"""Without the supplier: yes only if no step needed it and nothing of it was used; unknown where nobody can tell."""

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.catalog.models import CatalogObject, Environment, ObjectService, Site, Supplier, SupplyChainLink
from app.catalog.rules import Holder, ObjectKind
from app.plans.models import PlanClaim, ProofRow
from app.playbooks.rules import Mode
from runners.contract import Outcome
from tests.flow.runs_world import LINE, START, World, build, passed
from tests.flow.test_runs_stays import answer

WHEN = {"created_at": START, "updated_at": START}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = build(tmp_path)
    with made.database.transaction() as session:
        for n, (name, parent) in enumerate((("parent", None), ("vendor", "parent"), ("host", None)), 1):
            session.add(Supplier(id=name, ref=f"SUP-{n:03}", name=name, ultimate_parent_id=parent, **WHEN))
            session.flush()
        session.add(SupplyChainLink(ref="LNK-001", name="link", service_id="service", supplier_id="vendor", **WHEN))
        for claim in session.exec(select(PlanClaim)):
            claim.without_supplier = True
            session.add(claim)
    return made


def silent() -> Outcome:
    return passed().model_copy(update={"needed_supplier": None})


def restored(world: World, *outcomes: Outcome, text: dict[str, Any] = LINE, **more: object) -> ProofRow:
    world.started(world.drill(text, Mode.REHEARSAL, **more))
    for outcome in outcomes:
        world.do(outcome)
    with world.database.transaction(write=False) as session:
        return session.exec(select(ProofRow).where(ProofRow.claim_key == "restore")).one()


def test_a_restore_in_which_every_step_says_that_it_did_without_is_a_yes(world: World) -> None:
    assert restored(world, passed(), passed()).without_supplier == "yes"


def test_a_restore_whose_drivers_cannot_know_is_unknown_and_says_which_steps(world: World) -> None:
    proof = restored(world, silent(), silent())
    assert (proof.without_supplier, proof.verdict) == ("unknown", "pass")
    assert "restore, rows" in proof.reason_nl
    assert "unknown" in proof.reason_en


def test_one_step_that_needed_it_makes_it_a_no(world: World) -> None:
    assert restored(world, passed().model_copy(update={"needed_supplier": True}), silent()).without_supplier == "no"


def test_a_backup_that_the_supplier_holds_is_a_no_whatever_the_drivers_say(world: World) -> None:
    with world.database.transaction() as session:
        given = {"kind": ObjectKind.BACKUP_SET, "driver": {"kind": "dump", "path": "/backups/dump"}}
        session.add(CatalogObject(id="dump", ref="OBJ-001", name="Dump", holder=Holder.SUPPLIER, **given, **WHEN))
        session.flush()
        session.add(ObjectService(object_id="dump", service_id="service"))
    text = LINE | {"playbook": "test-backup", "inputs": {"backup": {"type": "backup"}}}
    proof = restored(world, passed(), passed(), text=text, inputs={"backup": "OBJ-001"})
    assert (proof.without_supplier, "Dump" in proof.reason_nl) == ("no", True)


def switched(world: World) -> ProofRow:
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "go", "operator")
    world.do(passed(final_lsn="1"), step="fence")
    for step in ("fenced", "promote", "serve"):
        world.do(step=step)
    with world.database.transaction(write=False) as session:
        return session.exec(select(ProofRow).where(ProofRow.claim_key == "over")).one()


@pytest.mark.parametrize("run_by", ["vendor", "parent"])
def test_a_switch_that_touched_a_side_of_the_supplier_or_its_parent_is_a_no(world: World, run_by: str) -> None:
    with world.database.transaction() as session:
        site = session.get_one(Site, "site-primary")
        site.supplier_id = run_by
        session.add(site)
    assert switched(world).without_supplier == "no"


def test_a_supplier_that_only_runs_the_fallback_is_not_the_one_to_lose(world: World) -> None:
    with world.database.transaction() as session:
        environment = session.get_one(Environment, "fallback")
        environment.supplier_id = "host"
        session.add(environment)
    assert switched(world).without_supplier == "yes"
