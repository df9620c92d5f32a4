"""An unplanned fail-over in the small world of runs: its playbook, the way back, and the words that begin it."""

from typing import Any

from sqlmodel import Session, select

from app.access.models import Person
from app.drills.models import Drill
from app.plans.models import PlanClaim
from app.playbooks.models import PlaybookVersion, VersionState
from app.playbooks.rules import ClaimKind, Mode, Playbook
from app.runs import activations, answers
from app.runs.activation_shapes import ActivationIn
from app.runs.models import Run
from runners.contract import Effect, Fact
from tests.flow.runs_world import REGISTRY, START, World, driver, passed

REGISTRY.update(
    dict(
        (
            driver("test.divergence"),
            driver("test.follow", Effect.CHANGES, rejoins=True),
            driver("test.cut", provides=(Fact(kind="fenced"),), site=lambda self, params: "dc-fallback"),
        )
    )
)


def _step(name: str, uses: str, side: str, *needs: str, **more: Any) -> dict[str, Any]:
    given = {"pair": "${pair}", "node": f"${{{side}}}"}
    return {"id": name, "uses": uses, "with": given, "timeout": 60, "needs": list(needs), **more}


FENCE_IT = {"nl": "Zet vast.", "en": "Fence it."}
FOLLOW_IT = {"nl": "Laat volgen.", "en": "Let it follow."}
FAIL_OVER: dict[str, Any] = {
    "playbook": "test-fail-over",
    "title": {"nl": "Uitwijken", "en": "Fail over"},
    "modes": ["live"],
    "inputs": {"pair": {"type": "environment-pair"}, "from": {"type": "side"}, "to": {"type": "side"}},
    "locks": ["pair"],
    "proves": {"failover": ["cut", "serve"]},
    "steps": [
        {
            "id": "go",
            "decide": {"nl": "Uitwijken?", "en": "Fail over?"},
            "options": {"go": "continue", "no-go": "stop"},
            "on_timeout": "no-go",
            "role": "crisis-manager",
            "timeout": 1800,
        },
        _step("fence", "test.fence", "from", "go", lost="skip", irreversible=True, debt=FENCE_IT),
        _step("cut", "test.cut", "from", "fence", starts_outage=True),
        _step("promote", "test.promote", "to", "cut", point_of_no_return=True, phase="over"),
        _step("serve", "test.serve", "to", "promote", ends_outage=True),
        _step("compare", "test.divergence", "from", "serve", lost="skip", debt={"nl": "Vergelijk.", "en": "Compare."}),
        _step("follow", "test.follow", "from", "compare", lost="skip", irreversible=True, debt=FOLLOW_IT),
    ],
}  # fmt: skip

RETURN: dict[str, Any] = {
    "playbook": "test-return",
    "title": {"nl": "Terugnemen", "en": "Take it back"},
    "modes": ["live"],
    "inputs": {"pair": {"type": "environment-pair"}, "side": {"type": "side"}},
    "locks": ["pair"],
    "steps": [
        _step("fence", "test.fence", "side", irreversible=True),
        _step("compare", "test.divergence", "side", "fence"),
        _step("follow", "test.follow", "side", "compare", irreversible=True),
    ],
}
ONLY_FOLLOW: dict[str, Any] = {
    **RETURN,
    "playbook": "test-only-follow",
    "steps": [_step("follow", "test.follow", "side", irreversible=True)],
}


def ready(world: World) -> World:
    """The world with a published fail-over playbook, a claim for it, and roles for its people."""
    with world.database.transaction() as session:
        publish(session, FAIL_OVER)
        session.add(
            PlanClaim(
                plan_version_id="version",
                position=9,
                key="unplanned",
                kind=ClaimKind.FAILOVER,
                min_level=4,
                valid_days=365,
                rto_s=900,
            )
        )
        for name, role in (("approver", "approver"), ("owner", "approver"), ("author", "approver")):
            session.get_one(Person, name).roles = [role]
    return world


def publish(session: Session, text: dict[str, Any]) -> None:
    playbook = Playbook.model_validate(text)
    session.add(
        PlaybookVersion(
            name=playbook.name,
            version=1,
            sha256="b" * 64,
            text="",
            content=playbook.model_dump(mode="json", by_alias=True, exclude_none=True),
            state=VersionState.PUBLISHED,
            author_id="author",
            created_at=START,
        )
    )


def told(world: World, **more: Any) -> ActivationIn:
    """What a person tells: the primary side is lost since a minute."""
    given: dict[str, Any] = {
        "plan": "PLN-001",
        "lost": {"sides": ["primary"]},
        "alarmAt": world.now,
        "reason": "The data centre burns",
        "scenario": "datacentre",
        "breakGlass": True,
    }
    return ActivationIn.model_validate({**given, **more})


def activated(world: World, *, by: str = "operator", **more: Any) -> str:
    """An activation; the id of its run."""
    with world.database.transaction() as session:
        return activations.start(session, told(world, **more), actor=world.actor(by), now=world.now).run.id


def answer(world: World, run_id: str, step: str, option: str, by: str = "operator") -> None:
    with world.database.transaction() as session:
        given: dict[str, Any] = {"option": option, "comment": "", "evidence": []}
        answers.answer(session, run_id, step, actor=world.actor(by), now=world.later(seconds=1), **given)


def failed_over(world: World, **more: Any) -> str:
    """An activation that went well to its end; the id of its run."""
    run_id = activated(world, **more)
    world.later(minutes=4)
    answer(world, run_id, "go", "go")
    world.do(step="cut")
    world.do(step="promote")
    world.do(passed(canary_at=(START).isoformat()), step="serve")
    return run_id


def back(world: World, text: dict[str, Any] = RETURN) -> str:
    """A live run of the way back for the primary side, approved and started; its id."""
    drill = world.drill(text, Mode.LIVE, pair_id="pair", inputs={"pair": "pair", "side": "primary"})
    return world.started(drill)


def run_of(session: Session, ref: str) -> Run:
    return session.exec(select(Run).where(Run.ref == ref)).one()


def drills(session: Session) -> list[Drill]:
    return list(session.exec(select(Drill)))
