"""The real thing: an activation from its alarm to what is owed, and a drill that turns out to be real."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from app.access.models import Person
from app.access.rules import Actor, Kind, Role
from app.core import audit
from app.core.errors import Conflict, InvalidInput, NotAllowed
from app.findings.models import Finding
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import Playbook
from app.runs import ahead, answers, approval, commands, obligations, shown, steps
from app.runs.activation_shapes import ThenActivateIn
from app.runs.debts import DebtOpen
from app.runs.loss import ObligationKind
from app.runs.models import Activation, EnvironmentLock, EvidenceFile, Obligation, Run, RunAddition, RunEvent
from app.runs.record import Approval, ApprovalVerdict
from app.runs.rules import RunState
from tests.flow.activation_world import FAIL_OVER, ONLY_FOLLOW, activated, answer, back, failed_over, ready
from tests.flow.runs_world import ME, SWITCH, World, build, failed, passed


@pytest.fixture
def world(tmp_path: Path) -> World:
    return ready(build(tmp_path))


def owed(world: World, run_id: str) -> list[tuple[str | None, str, bool, bool]]:
    with world.database.transaction(write=False) as session:
        rows = session.exec(select(Obligation).where(Obligation.run_id == run_id, Obligation.kind == "debt"))
        return [(row.step_id, row.side or "", row.bars, row.done_at is not None) for row in rows]


def test_it_skips_what_the_lost_side_needs_and_proves_the_claim_with_its_times(world: World) -> None:
    run_id = failed_over(world)
    held = world.held(run_id)
    assert world.states(run_id) == {
        "go": "succeeded",
        "fence": "skipped",
        "cut": "succeeded",
        "promote": "succeeded",
        "serve": "succeeded",
        "compare": "skipped",
        "follow": "skipped",
    }
    reason = held.steps["fence"].outcome["reason"]
    assert reason["nl"].startswith("De primaire kant is weg, gezegd door operator op 10-01-2027 om 11:00")
    assert held.steps["fence"].by == "person:operator"
    run = held.run
    assert (run.state, run.verdict, run.activation) == (RunState.COMPLETED, "passed", True)
    with world.database.transaction(write=False) as session:
        told = shown.whole(session, session.get_one(Run, run_id), now=world.now)
    assert told.verdict_reason is not None
    assert "skipped" in told.verdict_reason["en"]
    assert {side.side: (side.last_seen or {}).get("step") for side in told.where}["primary"] == "cut"
    assert world.proofs() == {"unplanned": ("pass", 5)}
    assert (run.decision_ms, run.rta_ms) == (241_000, 244_000)


def test_the_loss_is_at_most_the_time_since_the_newest_row_that_survived(world: World) -> None:
    world.later(minutes=3)
    run_id = failed_over(world)
    assert world.held(run_id).run.rpa_ms == 180_000


def test_a_side_that_is_not_home_is_not_failed_over_from_again(world: World) -> None:
    failed_over(world)
    with pytest.raises(Conflict) as refused:
        activated(world)
    assert refused.value.code == "drill-not-ready"


def test_the_outage_counts_from_when_it_began_where_that_is_known(world: World) -> None:
    run_id = activated(world, outageAt=world.now - timedelta(seconds=90))
    answer(world, run_id, "go", "go")
    for step in ("cut", "promote", "serve"):
        world.do(step=step)
    run = world.held(run_id).run
    assert (run.decision_ms, run.rta_ms) == (1_000, 94_000)


def test_breaking_the_glass_tells_every_approver_and_owes_a_review(world: World) -> None:
    run_id = activated(world)
    with world.database.transaction() as session:
        activation = session.exec(select(Activation).where(Activation.run_id == run_id)).one()
        assert sorted(activation.alerted) == ["approver", "author", "owner"]
        review = session.exec(select(Obligation).where(Obligation.kind == "review")).one()
        assert review.due_at == world.now + timedelta(hours=72)
        actions = {row.action for row in session.exec(select(audit.AuditEvent))}
        assert {"activation.declared", "activation.glass-broken", "run.started"} <= actions
    with pytest.raises(NotAllowed), world.database.transaction() as session:
        obligations.review(session, review.id, actor=world.actor("operator"), agreed=True, reason="fine", now=world.now)
    with world.database.transaction() as session:
        obligations.review(
            session, review.id, actor=world.actor("approver"), agreed=False, reason="too soon", now=world.now
        )
        titles = [row.title_en for row in session.exec(select(Finding))]
    assert any("not right: too soon" in title for title in titles)


def test_who_decides_in_it_or_said_that_it_was_needed_does_not_review_it_even_before_deciding(world: World) -> None:
    named = [{"personId": each, "role": "crisis-manager"} for each in ("operator", "approver")]
    run_id = activated(world, participants=named)
    with world.database.transaction() as session:
        review = session.exec(select(Obligation).where(Obligation.kind == "review")).one()
        run = session.get_one(Run, run_id)
        run.joined = [{"personId": "author", "role": "crisis-manager"}]
        session.add(run)
    given = {"agreed": True, "reason": "fine", "now": world.now}
    for name in ("operator", "approver", "author"):
        with pytest.raises(NotAllowed) as refused, world.database.transaction() as session:
            obligations.review(session, review.id, actor=world.actor(name), **given)
        assert refused.value.code == "review-not-yours"
        assert "decide in it" in str(refused.value)
    with world.database.transaction() as session:
        obligations.review(session, review.id, actor=world.actor("owner"), agreed=True, reason="yes", now=world.now)


def test_who_voted_in_it_does_not_review_it(world: World) -> None:
    run_id = activated(world)
    with world.database.transaction() as session:
        review = session.exec(select(Obligation).where(Obligation.kind == "review")).one()
        session.get_one(Person, "approver").roles = ["approver", "operator"]
    voter = Actor(Kind.PERSON, "approver", "approver", frozenset({Role.APPROVER, Role.OPERATOR}))
    with world.database.transaction() as session:
        given: dict[str, Any] = {"option": "go", "comment": "", "evidence": []}
        answers.answer(session, run_id, "go", actor=voter, now=world.later(seconds=1), **given)
    with pytest.raises(NotAllowed) as refused, world.database.transaction() as session:
        obligations.review(session, review.id, actor=voter, agreed=True, reason="fine", now=world.now)
    assert refused.value.code == "review-not-yours"


def test_a_review_is_a_finding_from_the_start_serious_when_it_is_late_and_gone_once_it_is_given(world: World) -> None:
    run_id = activated(world)

    def asked(session: Session) -> Finding:
        [row] = [row for row in session.exec(select(Finding)) if "Review it" in row.title_en]
        return row

    with world.database.transaction() as session:
        row = asked(session)
        assert (row.state.value, row.severity.value, row.owner_id) == ("open", "medium", "owner"), "not who began it"
        assert row.due_on == (world.now + timedelta(hours=72)).date()
        obligations.remind(session, now=world.later(hours=71))
        assert asked(session).severity.value == "medium"
        obligations.remind(session, now=world.later(hours=2))
        assert asked(session).severity.value == "high"
    with world.database.transaction() as session:
        [owed] = [each for each in obligations.open_of(session, run_id) if each.kind is ObligationKind.REVIEW]
        obligations.review(
            session, owed.id, actor=world.actor("approver"), agreed=True, reason="it was right", now=world.now
        )
        assert asked(session).state.value == "rejected"


def test_without_breaking_the_glass_it_waits_for_two_others_and_one_no_ends_it(world: World) -> None:
    run_id = activated(world, breakGlass=False)
    assert world.held(run_id).run.state is RunState.AWAITING_APPROVAL
    world.approve(run_id)
    assert world.held(run_id).run.state is RunState.WAITING


def test_a_no_stops_it_before_what_cannot_be_undone_even_when_the_glass_is_broken(world: World) -> None:
    run_id = activated(world)
    answer(world, run_id, "go", "go")
    world.do(step="cut")
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
        given = {"digest": digest, "comment": "no", "valid_until": None, "now": world.now}
        verdict = commands.ApprovalVerdict.DENIED
        commands.approve(session, run_id, actor=world.actor("approver"), verdict=verdict, **given)
    [only] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, only.step_run_id, only.attempt, owner=ME, now=world.now) is None
    assert world.held(run_id).run.state is RunState.PAUSED_BY_GUARD


def say_no(world: World, run_id: str, verdict: ApprovalVerdict = ApprovalVerdict.DENIED) -> str:
    with world.database.transaction() as session:
        digest = session.get_one(Run, run_id).digest
        given = {"digest": digest, "comment": "no", "valid_until": None, "now": world.now}
        return commands.approve(session, run_id, actor=world.actor("approver"), verdict=verdict, **given).id


def test_a_no_to_what_began_before_approval_counts_until_it_is_taken_back(world: World) -> None:
    run_id = activated(world)
    answer(world, run_id, "go", "go")
    said = say_no(world, run_id)
    world.later(days=400)
    world.do(step="cut")
    with pytest.raises(NotAllowed):
        say_no(world, run_id, ApprovalVerdict.APPROVED)  # the no stands: it must be taken back first
    for counts in (True, False):
        world.later(days=30)
        with world.database.transaction(write=False) as session:
            void = approval.why_void(session, session.get_one(Run, run_id), now=world.now)
            shown_ = shown.approval_out(session, session.get_one(Approval, said), now=world.now)
        assert (void is not None, shown_.valid_until) == (counts, None)
        with world.database.transaction() as session:
            approval.revoke(session, said, world.actor("approver"), now=world.now)


def test_approvals_given_beforehand_to_a_prepared_drill_start_it_without_breaking_anything(world: World) -> None:
    from app.playbooks.rules import Mode
    from app.runs.compose import compose
    from tests.flow.activation_world import FAIL_OVER

    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    drill_id = world.drill(FAIL_OVER, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs)
    from app.drills.models import Drill

    for name in ("approver", "owner"):
        with world.database.transaction() as session:
            drill = session.get_one(Drill, drill_id)
            digest = compose(session, drill).digest
            given = {"digest": digest, "comment": "", "now": world.now, "valid_until": world.now + timedelta(days=90)}
            approval.give(session, drill, None, world.actor(name), commands.ApprovalVerdict.APPROVED, **given)
    world.later(days=30)
    run_id = activated(world, drill="DRL-001", breakGlass=False)
    run = world.held(run_id).run
    assert (run.state, run.drill_id) == (RunState.WAITING, drill_id)
    with world.database.transaction() as session:
        assert not session.exec(select(Obligation)).all()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"alarmAt": "2027-01-10T10:05:00Z"}, "invalid-input"),
        ({"alarmAt": "2026-11-10T10:05:00Z"}, "invalid-input"),
        ({"outageAt": "2027-01-10T10:00:01Z"}, "invalid-input"),
        ({"lost": {"sides": ["primary", "fallback"]}}, "invalid-input"),
        ({"lost": {"sides": ["fallback"]}}, "drill-not-ready"),
        ({"lost": {"sites": ["nowhere"]}}, "not-found"),
        ({"playbook": "nothing"}, "invalid-input"),
        ({"playbook": "test-switch"}, "planned-switch-only"),
        ({"plan": "PLN-999"}, "not-found"),
        ({"pair": "PAIR-999"}, "invalid-input"),
        ({"inputs": {"colour": "red"}}, "inputs-invalid"),
    ],
)
def test_what_cannot_be_put_to_work_is_refused_and_leaves_nothing(world: World, more: dict, code: str) -> None:
    from app.core.errors import Problem
    from tests.flow.activation_world import publish

    with world.database.transaction() as session:
        publish(session, SWITCH)
    with pytest.raises(Problem) as refused:
        activated(world, **more)
    assert refused.value.code == code
    with world.database.transaction() as session:
        assert not session.exec(select(Run)).all()
        assert not session.exec(select(Activation)).all()


def test_a_playbook_in_which_nobody_decides_is_never_put_to_work(world: World) -> None:
    from tests.flow.activation_world import FAIL_OVER, publish

    silent = {**FAIL_OVER, "playbook": "test-silent", "steps": [dict(each) for each in FAIL_OVER["steps"][1:]]}
    silent["steps"][0]["needs"] = []
    with world.database.transaction() as session:
        publish(session, silent)
    with pytest.raises(Conflict) as refused:
        activated(world, playbook="test-silent")
    assert refused.value.code == "decision-missing"


def test_a_lost_site_loses_the_side_that_runs_there(world: World) -> None:
    run_id = activated(world, lost={"sites": ["dc-primary"]})
    with world.database.transaction() as session:
        activation = session.exec(select(Activation).where(Activation.run_id == run_id)).one()
    assert activation.lost == {"sides": ["primary"], "sites": ["dc-primary"], "suppliers": []}


def test_nobody_promotes_without_a_proven_cut(world: World) -> None:
    run_id = activated(world)
    answer(world, run_id, "go", "go")
    world.do(failed(), step="cut")
    assert world.states(run_id)["promote"] == "not started"
    assert world.held(run_id).run.state is RunState.PAUSED_BY_FAILED_STEP
    legal = {each.command.value for each in world.held(run_id).legal() if each.step == "cut"}
    assert not legal & {"skip", "ignore"}


# --- the drill that stood in the way ---


def begun_switch(world: World) -> tuple[str, object]:
    run_id = world.started(world.switch())
    world.do(step="lag")
    answer(world, run_id, "go", "go")
    return run_id, world.begin()


def test_it_takes_a_drills_lock_over_and_nothing_of_the_drill_acts_any_more(world: World) -> None:
    drill_run, work = begun_switch(world)
    before = token(world)
    run_id = activated(world)
    drill = world.held(drill_run).run
    assert (drill.state, drill.real, drill.verdict) == (RunState.ABORTED, True, "aborted")
    assert token(world) > before
    with world.database.transaction(write=False) as session:
        assert {row.run_id for row in session.exec(select(EnvironmentLock))} == {run_id}
        assert steps.kill_wanted(session, work.step_run_id, work.attempt)
        kinds = {row.kind for row in session.exec(select(RunEvent).where(RunEvent.run_id == drill_run))}
        activation = session.exec(select(Activation)).one()
    assert "run.taken-over" in kinds
    assert [(each["step"], each["state"]) for each in activation.carried] == [("fence", "unknown")]
    world.finish(work, passed(final_lsn="0/1"))
    assert {row.run_id for row in world.ready()} <= {run_id}


def token(world: World) -> int:
    with world.database.transaction(write=False) as session:
        return max(row.token for row in session.exec(select(EnvironmentLock)))


def test_a_second_activation_waits_for_the_first(world: World) -> None:
    first = activated(world)
    with pytest.raises(Conflict) as refused:
        activated(world)
    assert refused.value.code == "environment-busy"
    assert world.held(first).run.state is RunState.WAITING


def test_this_is_real_turns_a_drill_into_the_activation_of_its_plan_in_one_go(world: World) -> None:
    drill_run, _ = begun_switch(world)
    world.later(seconds=30)
    with world.database.transaction() as session:
        then = ThenActivateIn.model_validate({"lost": {"sides": ["primary"]}})
        given = {"reason": "It burns", "now": world.now, "then_activate": then}
        commands.this_is_real(session, drill_run, actor=world.actor("operator"), **given)
    with world.database.transaction() as session:
        activation = session.exec(select(Activation)).one()
        run = session.get_one(Run, activation.run_id)
        drill = session.get_one(Run, drill_run)
        left = session.exec(select(Obligation).where(Obligation.run_id == drill_run)).one()
    assert (activation.drill_run_id, activation.alarm_at, activation.reason) == (drill_run, world.now, "It burns")
    assert [each["step"] for each in activation.carried] == ["fence"]
    assert (run.state, run.activation, run.plan_id) == (RunState.WAITING, True, "plan")
    assert (drill.real, drill.verdict, drill.ended) == (True, "aborted", RunState.ABORTED)
    assert (left.kind, left.bars) == ("debt", False)
    answer(world, run.id, "go", "go")
    assert world.do(step="cut") == "cut"


def test_where_the_activation_is_refused_the_drill_goes_on(world: World) -> None:
    drill_run, _ = begun_switch(world)
    then = ThenActivateIn.model_validate({"lost": {"sides": ["primary", "fallback"]}})
    given = {"reason": "It burns", "now": world.now, "then_activate": then}
    with pytest.raises(InvalidInput), world.database.transaction() as session:
        commands.this_is_real(session, drill_run, actor=world.actor("operator"), **given)
    assert world.held(drill_run).run.state is RunState.RUNNING


# --- what is owed ---


def test_nothing_is_owed_before_there_is_no_way_back(world: World) -> None:
    run_id = activated(world)
    answer(world, run_id, "go", "go")
    assert owed(world, run_id) == []
    world.do(step="cut")
    world.do(step="promote")
    assert owed(world, run_id) == [
        ("fence", "primary", True, False),
        ("compare", "primary", True, False),
        ("follow", "primary", False, False),
    ]


def test_the_lost_side_does_not_follow_before_what_is_owed_is_settled(world: World) -> None:
    run_id = failed_over(world)
    way_back = back(world, ONLY_FOLLOW)
    [only] = world.ready()
    with world.database.transaction() as session:
        assert steps.begin(session, only.step_run_id, only.attempt, owner=ME, now=world.now) is None
    held = world.held(way_back)
    assert held.run.state is RunState.PAUSED_BY_GUARD
    assert "Fence it; Compare. Do" in held.run.pause_reason["en"]
    for step in ("fence", "compare"):
        settle(world, run_id, step)
    world.command("resume", way_back)
    world.do(step="follow")
    assert [done for *_, done in owed(world, run_id)] == [True, True, True]


def settle(world: World, run_id: str, step: str, *, forced: bool = False) -> None:
    with world.database.transaction() as session:
        row = session.exec(select(Obligation).where(Obligation.run_id == run_id, Obligation.step_id == step)).one()
        sha = f"{len(step):064x}"
        if not forced:
            more = {"sha256": sha, "size": 1, "media_type": "text/plain", "at": world.now}
            session.add(EvidenceFile(run_id=run_id, **more))
            session.flush()
        given = {"reason": "seen on the spot", "forced": forced, "evidence": [] if forced else [sha]}
        obligations.complete(session, row.id, actor=world.actor("operator"), now=world.now, **given)


def test_a_person_closes_a_debt_with_evidence_or_forces_it_with_a_reason(world: World) -> None:
    run_id = failed_over(world)
    with world.database.transaction() as session:
        row = session.exec(select(Obligation).where(Obligation.step_id == "fence")).one()
        given = {"reason": "trust me", "forced": False, "now": world.now}
        with pytest.raises(InvalidInput):
            obligations.complete(session, row.id, actor=world.actor("operator"), **given)
    settle(world, run_id, "fence", forced=True)
    with world.database.transaction() as session:
        row = session.exec(select(Obligation).where(Obligation.step_id == "fence")).one()
    assert (row.forced, row.reason, row.done_by) == (True, "seen on the spot", "person:operator")


def test_a_file_from_before_something_was_owed_does_not_show_that_it_was_done(world: World) -> None:
    run_id = activated(world)
    sha = "c" * 64
    with world.database.transaction() as session:
        session.add(EvidenceFile(run_id=run_id, sha256=sha, size=1, media_type="text/plain", at=world.now))
    answer(world, run_id, "go", "go")
    for step in ("cut", "promote", "serve"):
        world.do(step=step)
    given = {"reason": "see the photo", "forced": False, "evidence": [sha]}
    for again in (False, True):
        with world.database.transaction() as session:
            row = session.exec(select(Obligation).where(Obligation.step_id == "fence")).one()
            if again:  # the same file, received since: a person answers for it
                session.add(EvidenceFile(run_id=run_id, sha256=sha, size=1, media_type="text/plain", at=world.now))
                session.flush()
                obligations.complete(session, row.id, actor=world.actor("operator"), now=world.now, **given)
                assert row.done_at == world.now
                continue
            world.later(seconds=1)
            with pytest.raises(InvalidInput) as refused:
                obligations.complete(session, row.id, actor=world.actor("operator"), now=world.now, **given)
            assert [each.code for each in refused.value.errors] == ["evidence-too-old"]


def test_the_way_back_settles_it_step_by_step_and_the_rows_that_were_lost_stand_beside_the_proof(world: World) -> None:
    run_id = failed_over(world)
    back(world)
    world.do(step="fence")
    world.do(passed(lost_rows=100, divergence_lsn="0/3000"), step="compare")
    world.do(step="follow")
    assert [done for *_, done in owed(world, run_id)] == [True, True, True]
    with world.database.transaction(write=False) as session:
        addition = session.exec(select(RunAddition)).one()
    assert (addition.run_id, addition.figures) == (run_id, {"lost_rows": 100, "divergence_lsn": "0/3000"})
    assert world.proofs() == {"unplanned": ("pass", 5)}


def test_no_switch_goes_to_a_side_to_which_something_is_owed(world: World) -> None:
    run_id = failed_over(world)
    inputs = {"pair": "pair", "from": "fallback", "to": "primary"}
    from app.playbooks.rules import Mode

    drill_id = world.drill(SWITCH, Mode.LIVE, pair_id="pair", direction="back", inputs=inputs)
    with pytest.raises(DebtOpen) as refused:
        world.planned(drill_id)
    assert "Let it follow. Settle" in str(refused.value)
    for step in ("fence", "compare", "follow"):
        settle(world, run_id, step, forced=True)
    assert world.planned(drill_id)


def test_an_incident_stands_from_the_start_and_what_was_not_shown_at_the_end(world: World) -> None:
    run_id = activated(world)
    with world.database.transaction(write=False) as session:
        opened = {(row.source.value, row.severity.value) for row in session.exec(select(Finding))}
        assert opened == {("incident", "high"), ("rule", "medium")}  # the second asks for the review of the glass
    answer(world, run_id, "go", "go")
    for step in ("cut", "promote", "serve"):
        world.do(step=step)
    with world.database.transaction(write=False) as session:
        titles = {row.title_en for row in session.exec(select(Finding))}
    assert any("how much data was lost was not measured" in title for title in titles)


def test_a_step_that_nobody_foresaw_to_skip_makes_the_proof_partial(world: World) -> None:
    run_id = activated(world)
    answer(world, run_id, "go", "go")
    for step in ("cut", "promote"):
        world.do(step=step)
    world.do(failed(), step="serve")
    world.command("ignore", run_id, "serve")
    assert world.proofs()["unplanned"][0] in ("fail", "partial")


def test_a_drill_of_the_same_playbook_skips_nothing_and_owes_nothing(world: World) -> None:
    from app.playbooks.rules import Mode
    from tests.flow.activation_world import FAIL_OVER

    inputs = {"pair": "pair", "from": "primary", "to": "fallback"}
    run_id = world.started(world.drill(FAIL_OVER, Mode.LIVE, pair_id="pair", direction="over", inputs=inputs))
    answer(world, run_id, "go", "go")
    for step in ("fence", "cut", "promote", "serve", "compare", "follow"):
        world.do(step=step)
    assert world.proofs() == {"unplanned": ("pass", 4)}
    assert owed(world, run_id) == []


def test_a_question_that_falls_with_the_lost_side_stops_no_worker_while_the_activation_waits(world: World) -> None:
    ask = {"id": "discard", "ask": {"nl": "Bewaard?", "en": "Kept?"}, "role": "process-owner", "timeout": 60}
    text = {**FAIL_OVER, "steps": [*FAIL_OVER["steps"], {**ask, "lost": "skip", "needs": ["compare"]}]}
    with world.database.transaction() as session:
        row = session.exec(select(PlaybookVersion).where(PlaybookVersion.name == text["playbook"])).one()
        row.content = Playbook.model_validate(text).model_dump(mode="json", by_alias=True, exclude_none=True)
    run_id = activated(world, breakGlass=False)
    assert world.held(run_id).steps["discard"].driver.keys() == {"lost"}
    with world.database.transaction(write=False) as session:
        assert "test.cut" in ahead.drivers_ahead(session, None)
