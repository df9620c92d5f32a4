"""Nobody approves their own work: every way to try it, and the code with which each is refused."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from app.access import absence
from app.access.models import Person
from app.access.rules import SYSTEM, Action, Actor, Kind, Role, may
from app.access.token_models import MachineToken
from app.catalog import owners
from app.catalog.models import Environment, Service
from app.core import formats
from app.core.errors import Problem
from app.drills.models import Drill
from app.plans import versions
from app.plans.facts import VersionState
from app.plans.models import Plan, PlanVersion
from app.playbooks import service as playbooks
from app.playbooks.models import PlaybookVersion
from app.playbooks.service import SHIPPED
from app.playbooks.shapes import ReviewIn
from app.runs import approval, commands, planning
from app.runs.models import Run
from app.runs.record import Approval, ApprovalVerdict
from app.runs.seats import Standing
from runners import registry
from tests.flow.runs_world import START, World, build
from tests.reliability import database

NO = "approver-not-independent"
CRISIS = [{"personId": "operator", "role": "crisis-manager"}]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build(tmp_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with database.url(request.param, tmp_path) as url:
        if request.param == "postgresql":
            assert url is not None
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        yield build(tmp_path)


def say(world: World, run_id: str, who: str | Actor, *, digest: str = "", **more: Any) -> str:
    """One yes to a run; its id."""
    actor = world.actor(who) if isinstance(who, str) else who
    with world.database.transaction() as session:
        given = {"digest": digest or session.get_one(Run, run_id).digest, "comment": "", "now": world.now}
        given |= {"verdict": ApprovalVerdict.APPROVED, "valid_until": None} | more
        return commands.approve(session, run_id, actor=actor, **given).id


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(Problem) as problem:
        call()
    return problem.value.code


def stands(world: World, run_id: str) -> Standing:
    with world.database.transaction() as session:
        return approval.stands(session, session.get_one(Run, run_id), now=world.now)


def change(world: World, table: type[Any], key: str, **values: Any) -> None:
    with world.database.transaction() as session:
        row = session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)


def start(world: World, run_id: str, who: Actor) -> None:
    with world.database.transaction() as session:
        planning.start(session, run_id, actor=who, now=world.now)


def later_run(world: World) -> str:
    """A live run whose moment is still to come, so that no yes starts it."""
    run_id = world.planned(world.switch(participants=CRISIS))
    change(world, Run, run_id, planned_at=world.now + timedelta(hours=1))
    return run_id


def test_who_starts_plans_changes_or_writes_it_in_any_part_is_refused(world: World) -> None:
    hands: dict[str, Callable[[str, str], None]] = {
        "starts it": lambda run, drill: change(world, Run, run, starter="person:approver"),
        "set it going": lambda run, drill: change(world, Run, run, started_by="person:approver"),
        "plans the drill": lambda run, drill: change(world, Drill, drill, created_by="person:approver"),
        "changed the drill": lambda run, drill: change(world, Drill, drill, editors=["person:approver"]),
        "wrote the plan": lambda run, drill: change(world, PlanVersion, "version", author="person:approver"),
        "edited the plan": lambda run, drill: change(world, PlanVersion, "version", editors=["person:approver"]),
        "submitted the plan": lambda run, drill: change(world, PlanVersion, "version", submitted_by="person:approver"),
    }
    for name, hand in hands.items():
        run_id = later_run(world)
        with world.database.transaction() as session:
            drill_id = session.get_one(Run, run_id).drill_id
        say(world, run_id, "owner")
        hand(run_id, drill_id)
        assert refused(lambda run_id=run_id: say(world, run_id, "approver")) == NO, name
        change(world, PlanVersion, "version", author="person:author", editors=[], submitted_by="")
    run_id = later_run(world)
    assert refused(lambda: say(world, run_id, "author")) == NO, "who wrote the playbook"


def test_a_token_approves_nothing_and_is_the_hand_of_the_person_who_made_it(world: World) -> None:
    machine = Actor(Kind.MACHINE, "robot", "robot", frozenset(Role))
    assert not may(machine, Action.APPROVE_RUN)
    run_id = later_run(world)
    assert refused(lambda: say(world, run_id, machine)) == NO
    with world.database.transaction() as session:
        when = {"created_at": START, "expires_at": START + timedelta(days=90)}
        own = {"prefix": "wsl_x", "token_hash": "x", "roles": ["operator"], "created_by": "approver"}
        session.add(MachineToken(id="robot", name="robot", **own, **when))
    change(world, Run, run_id, starter="machine:robot")
    assert refused(lambda: say(world, run_id, "approver")) == NO


def test_who_made_a_token_reviews_nothing_that_it_wrote(world: World) -> None:
    with world.database.transaction() as session:
        when = {"created_at": START, "expires_at": START + timedelta(days=90)}
        own = {"prefix": "wsl_x", "token_hash": "x", "roles": ["plan-owner"], "created_by": "approver"}
        session.add(MachineToken(id="robot", name="robot", **own, **when))
        session.flush()
        machine = Actor(Kind.MACHINE, "robot", "robot", frozenset({Role.PLAN_OWNER}))
        text = SHIPPED.joinpath("verify-escrow.yaml").read_text(encoding="utf-8") + "\n"
        row = playbooks.submit(session, text, machine, registry=registry.load(), now=START)
        assert row.author_id == "approver"
        with pytest.raises(Problem) as problem:
            playbooks.review(session, row.id, ReviewIn(verdict="publish"), world.actor("approver"), now=START)
        assert problem.value.code == "own-review"
        plan, version = session.get_one(Plan, "plan"), session.get_one(PlanVersion, "version")
        version.state, version.editors = VersionState.IN_REVIEW, ["machine:robot"]
        with pytest.raises(Problem) as problem:
            versions.approve(session, plan, version, actor=world.actor("approver"), now=START)
        assert problem.value.code == "author-cannot-approve"


def test_a_yes_given_before_becomes_void_when_its_giver_turns_out_to_have_a_hand_in_it(world: World) -> None:
    run_id = later_run(world)
    for name in ("approver", "owner"):
        say(world, run_id, name)
    assert stands(world, run_id) is Standing.GRANTED
    change(world, Run, run_id, starter="person:approver")
    assert stands(world, run_id) is Standing.WAITING
    assert refused(lambda: start(world, run_id, SYSTEM)) == "not-approved"


def test_who_said_yes_cannot_press_start(world: World) -> None:
    run_id = later_run(world)
    for name in ("approver", "owner"):
        say(world, run_id, name)
    both = Actor(Kind.PERSON, "approver", "approver", frozenset({Role.APPROVER, Role.OPERATOR}))
    assert refused(lambda: start(world, run_id, both)) == "not-approved"
    start(world, run_id, world.actor("operator"))
    with world.database.transaction() as session:
        run = session.get_one(Run, run_id)
        assert (run.started_by, run.started_at is not None) == ("person:operator", True)


def test_one_person_in_two_tabs_at_the_same_moment_counts_once(either: World) -> None:
    run_id = later_run(either)
    both, codes = threading.Barrier(2), []

    def tab() -> None:
        both.wait()
        try:
            say(either, run_id, "approver")
            codes.append("yes")
        except Problem as problem:
            codes.append(problem.code)

    tabs = [threading.Thread(target=tab) for _ in range(2)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join()
    assert sorted(codes) == ["approved-before", "yes"]
    assert stands(either, run_id) is Standing.WAITING


def test_one_person_in_two_tabs_beforehand_counts_once(either: World) -> None:
    drill_id = either.switch(participants=CRISIS)
    both, codes = threading.Barrier(2), []

    def tab() -> None:
        both.wait()
        try:
            with either.database.transaction() as session:
                drill = session.get_one(Drill, drill_id)
                digest = approval.compose(session, drill).digest
                given: dict[str, Any] = {"digest": digest, "comment": "", "now": either.now}
                approval.give(session, drill, None, either.actor("approver"), ApprovalVerdict.APPROVED, **given)
            codes.append("yes")
        except Problem as problem:
            codes.append(problem.code)

    tabs = [threading.Thread(target=tab) for _ in range(2)]
    for each in tabs:
        each.start()
    for each in tabs:
        each.join()
    assert sorted(codes) == ["approved-before", "yes"]


def test_a_yes_to_what_was_shown_before_a_byte_changed_is_refused_and_one_given_is_void(world: World) -> None:
    run_id = later_run(world)
    with world.database.transaction() as session:
        shown = session.get_one(Run, run_id).digest
    for name in ("approver", "owner"):
        say(world, run_id, name)
    change(world, Environment, "fallback", driver={"host": "elsewhere"})
    world.later(hours=2)
    assert refused(lambda: start(world, run_id, SYSTEM)) in {"inputs-invalid", "not-approved"}
    change(world, Environment, "fallback", driver={}, name="another name")
    with world.database.transaction() as session:
        planning.try_start(session, run_id, actor=SYSTEM, now=world.now)
        run = session.get_one(Run, run_id)
        assert (run.started_at, run.end_reason["code"]) == (None, "not-approved")
        voids = [approval.why_not(session, row, run, now=world.now) for row in session.exec(select(Approval))]
        assert {each.value if each else None for each in voids} == {"other-digest"}
    assert refused(lambda: say(world, run_id, "approver", digest=shown)) == "approval-other-digest"


def test_another_text_of_the_playbook_by_one_byte_needs_new_approvals(world: World) -> None:
    run_id = later_run(world)
    with world.database.transaction() as session:
        shown = session.get_one(Run, run_id).digest
        version = session.exec(select(PlaybookVersion)).one()
        version.sha256 = "b" + version.sha256[1:]
        session.add(version)
    world.later(hours=2)
    with world.database.transaction() as session:
        planning.try_start(session, run_id, actor=SYSTEM, now=world.now)
    assert refused(lambda: say(world, run_id, "approver", digest=shown)) == "approval-other-digest"


def test_an_old_approval_serves_no_second_run_and_no_run_after_its_end(world: World) -> None:
    first = world.started(world.switch(participants=CRISIS))
    world.command("abort", first)
    with world.database.transaction() as session:
        drill = session.get_one(Drill, session.get_one(Run, first).drill_id)
        assert approval.beforehand(session, drill, now=world.now) is Standing.WAITING
    run_id = later_run(world)
    for name in ("approver", "owner"):
        say(world, run_id, name, valid_until=world.now + timedelta(hours=1))
    world.later(hours=2)
    assert refused(lambda: start(world, run_id, SYSTEM)) == "not-approved"
    with world.database.transaction() as session:
        rows = session.exec(select(Approval).where(Approval.run_id == run_id)).all()
        voids = {approval.why_not(session, row, session.get_one(Run, run_id), now=world.now) for row in rows}
    assert {each.value for each in voids if each} == {"expired"}
    assert refused(lambda: say(world, run_id, "approver", valid_until=world.now)) == "invalid-input"


@pytest.mark.parametrize("gone", [{"roles": ["viewer"]}, {"active": False}])
def test_who_may_approve_no_more_has_approved_nothing(world: World, gone: dict[str, Any]) -> None:
    run_id = later_run(world)
    for name in ("approver", "owner"):
        say(world, run_id, name)
    change(world, Person, "approver", **gone)
    world.later(hours=2)
    assert refused(lambda: start(world, run_id, SYSTEM)) == "not-approved"


def test_a_role_that_is_taken_away_while_it_runs_stops_it_before_what_cannot_be_undone(world: World) -> None:
    from app.runs import answers

    run_id = world.started(world.switch(participants=CRISIS))
    world.do(step="lag")
    with world.database.transaction() as session:
        given: dict[str, Any] = {"option": "go", "comment": "", "evidence": (), "now": world.now}
        answers.answer(session, run_id, "go", actor=world.actor("operator"), **given)
    world.do(step="fence")
    change(world, Person, "approver", roles=["viewer"])
    world.do(step="fenced")
    [only] = world.ready()
    from app.runs import steps
    from tests.flow.runs_world import ME

    with world.database.transaction() as session:
        assert steps.begin(session, only.step_run_id, only.attempt, owner=ME, now=world.now) is None
    held = world.held(run_id)
    assert (held.run.paused, held.run.state.value) == ("guard", "paused by guard")
    assert "run out" in held.run.pause_reason["en"]
    world.command("abort", run_id)  # an abort asks for no approval


def test_a_repeated_request_is_one_yes(world: World) -> None:
    run_id = later_run(world)
    say(world, run_id, "approver")
    assert refused(lambda: say(world, run_id, "approver")) == "approved-before"
    assert stands(world, run_id) is Standing.WAITING


def away(world: World, who: str, deputy: str, *, days: int = 7) -> None:
    with world.database.transaction() as session:
        today = formats.local(world.now).date()
        given: dict[str, Any] = {"starts_on": today, "ends_on": today + timedelta(days=days), "deputy": deputy}
        absence.name(session, world.actor(who), **given, now=world.now)


def add_approver(world: World, key: str, name: str = "") -> Actor:
    with world.database.transaction() as session:
        number = len(session.exec(select(Person)).all()) + 1
        given: dict[str, Any] = {"ref": f"PER-{number:03}", "name": name or key, "email": f"{key}@example.nl"}
        session.add(Person(id=key, **given, roles=["approver"], created_at=START))
    return Actor(Kind.PERSON, key, key, frozenset({Role.APPROVER}))


def test_the_deputy_counts_as_process_owner_for_the_days_of_the_absence_and_no_longer(world: World) -> None:
    dora = add_approver(world, "dora")
    away(world, "owner", "dora", days=1)
    run_id = later_run(world)
    say(world, run_id, "approver")
    given = say(world, run_id, dora)
    assert stands(world, run_id) is Standing.GRANTED
    with world.database.transaction() as session:
        row = session.get_one(Approval, given)
        assert (row.as_owner, row.stands_in_for) == (True, ["owner"])
        assert row.valid_until <= world.now + timedelta(days=2), "a yes in somebody's place ends with the absence"
    world.later(days=2)
    assert stands(world, run_id) is Standing.WAITING


def test_who_is_away_and_who_stands_in_are_one_voice(world: World) -> None:
    dora = add_approver(world, "dora")
    away(world, "owner", "dora")
    run_id = later_run(world)
    say(world, run_id, "owner")
    say(world, run_id, dora)
    assert stands(world, run_id) is Standing.WAITING
    say(world, run_id, "approver")
    assert stands(world, run_id) is Standing.GRANTED


def test_a_chain_of_deputies_is_not_followed(world: World) -> None:
    dora, emma = add_approver(world, "dora"), add_approver(world, "emma")
    away(world, "owner", "dora")
    with world.database.transaction() as session:
        today = formats.local(world.now).date()
        absence.name(session, dora, starts_on=today, ends_on=today, deputy="emma", now=world.now)
    run_id = later_run(world)
    say(world, run_id, "approver")
    say(world, run_id, emma)
    assert stands(world, run_id) is Standing.WAITING, "the deputy of a deputy is no process owner"


def test_a_deputy_must_be_independent_too(world: World) -> None:
    dora = add_approver(world, "dora")
    away(world, "owner", "dora")
    run_id = later_run(world)
    change(world, Run, run_id, starter="person:dora")
    assert refused(lambda: say(world, run_id, dora)) == NO


def test_naming_a_deputy_gives_no_rights(world: World) -> None:
    with world.database.transaction() as session:
        today = formats.local(world.now).date()

        def named(deputy: str, **days: Any) -> str:
            given = {"starts_on": today, "ends_on": today} | days
            with pytest.raises(Problem) as problem:
                absence.name(session, world.actor("owner"), **given, deputy=deputy, now=world.now)
            return str(problem.value.errors[0].code) if problem.value.errors else problem.value.code

        assert named("operator") == "deputy-may-not-approve"
        assert named("owner") == "own-deputy"
        assert named("nobody") == "not-found"
        assert named("approver", ends_on=today - timedelta(days=1)) == "wrong-days"
    away(world, "owner", "approver")
    assert refused(lambda: away(world, "owner", "author")) == "absence-overlaps"


def test_a_name_makes_nobody_process_owner_but_the_one_whom_it_meant_when_it_was_written(world: World) -> None:
    add_approver(world, "other", "owner")
    with world.database.transaction() as session:
        service, other = session.get_one(Service, "service"), session.get_one(Person, "other")

        def owns(person: str) -> bool:
            found = session.get_one(Person, person)
            return approval.is_process_owner(session, "service", found, now=world.now)

        assert owns("owner"), "the person whom it meant"
        assert not owns("other"), "not the other one of that name"
        session.get_one(Person, "owner").name = "Somebody Else"
        assert owns("owner"), "also after a change of name"
        written = frozenset({"process_owner"})
        for text, meant in (
            ("owner", None),
            ("other@example.nl", "other"),
            ("PER-003", "owner"),
            ("Nobody", None),
            ("", None),
        ):
            service.process_owner = text
            owners.settled(session, service, written, world.actor("operator"))
            assert service.process_owner_id == meant, text
        other.name = session.get_one(Person, "approver").name
        service.process_owner = "approver"
        owners.settled(session, service, written, world.actor("operator"))
        assert service.process_owner_id is None, "two people of one name are nobody"
        service.process_owner = "PER-003"
        owners.settled(session, service, written, world.actor("owner"))
        assert service.process_owner_id is None, "nobody makes himself or herself process owner"
