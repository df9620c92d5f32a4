"""Puts together everything that a run of a drill would run, from the configuration as it stands now, and its digest."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import to_jsonable_python
from sqlmodel import Session, col, or_, select

from app.catalog.models import EnvironmentPair as PairRow
from app.drills.inputs import resolve_inputs
from app.drills.models import Drill
from app.drills.rules import Attendance
from app.drills.where import known, site_of
from app.playbooks.locking import held
from app.playbooks.models import PlaybookVersion
from app.playbooks.rules import InputType, Playbook, Step, StepKind
from app.runs import beside, drivers, facts
from app.runs.loss import Loss, passed_over
from app.runs.rules import Direction
from app.runs.view import shaped
from runners.contract import Effect, Side, Text

REPROTECT = "reprotect"
"""Phase of the steps that let a side take part again."""


@dataclass(frozen=True)
class Composed:
    """A playbook as a drill would run it now."""

    version: PlaybookVersion
    playbook: Playbook
    """For the drill's mode; by hand where asked."""
    inputs: dict[str, Any]
    """JSON."""
    lock_keys: tuple[str, ...]
    direction: Direction
    digest: str
    drivers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per step of a runner: what its driver is like."""
    lost: frozenset[str] = frozenset()
    """Steps that are passed over because a side that they need is lost."""


def compose(session: Session, drill: Drill, *, by_hand: bool = False, loss: Loss | None = None) -> Composed:
    """Everything that a run of `drill` would run. Raises the domain's errors where an input can't be resolved.

    `loss`: what an activation says is lost. The digest does not change by it, unless what is for a lost side alone
    holds further environments: who approves the playbook approves what it foresees for a lost side.
    """
    signed = _signed(session, drill, by_hand, loss)
    whole, inputs = signed.playbook, signed.inputs
    described = {
        step.id: describe(step, whole, shaped(whole, inputs)) for step in whole.steps if step.kind is StepKind.USES
    }
    playbook = as_by_hand(whole, described) if by_hand else whole
    direction = Direction(drill.direction) if drill.direction else Direction.NONE
    lost = _lost(whole, described, loss or Loss())
    return Composed(signed.version, playbook, inputs, signed.locks, direction, signed.digest, described, lost)


def digest_now(session: Session, drill: Drill, *, by_hand: bool, loss: Loss) -> str:
    """The digest of what a run of `drill` would run now, as `compose` gives it; without describing its drivers."""
    return _signed(session, drill, by_hand, loss).digest


def is_still(session: Session, drill: Drill, digest: str, *, by_hand: bool, loss: Loss) -> bool:
    """Whether a run that was begun with `digest` would be the same now, also where an older version made the digest."""
    signed = _signed(session, drill, by_hand, loss)
    return digest in (signed.digest, signed.earlier)


def _named_pairs(playbook: Playbook) -> list[str]:
    return [name for name, each in playbook.inputs.items() if each.type is InputType.ENVIRONMENT_PAIR]


class _Signed(NamedTuple):
    """What the digest is taken of, and the digest."""

    version: PlaybookVersion
    playbook: Playbook
    """For the drill's mode."""
    inputs: dict[str, Any]
    locks: tuple[str, ...]
    digest: str
    earlier: str
    """The digest as the version before `_SINCE` made it: only runs that were begun by it have one like this."""


_SINCE = frozenset({"approvals", "participants", "environments", "runners", "exceptions"})
"""What is signed besides, since roles, absence and refusals are looked at."""


def _signed(session: Session, drill: Drill, by_hand: bool, loss: Loss | None) -> _Signed:
    version = session.get_one(PlaybookVersion, drill.playbook_id)
    whole = Playbook.model_validate(version.content).for_mode(drill.mode, lost=bool(loss))
    values = resolve_inputs(session, drill, whole)
    inputs: dict[str, Any] = to_jsonable_python(values)
    locks = lock_keys(session, drill, whole)
    signed = {
        "plan": drill.plan_version_id,
        "playbook": version.sha256,
        "mode": drill.mode.value,
        "inputs": inputs,
        "byHand": by_hand,
        "unattended": drill.attendance is Attendance.UNATTENDED,
        "windows": drill.windows,
        "limits": drill.limits,
        "locks": list(locks),
        "claims": drill.claims,
        "approvals": drill.approvals,
        "participants": drill.participants,
        "environments": beside.environments(session, _pairs(session, drill, _named_pairs(whole))),
        "runners": beside.runners(whole),
        "exceptions": beside.exceptions(session, drill),
    }
    earlier = {name: value for name, value in signed.items() if name not in _SINCE}
    return _Signed(version, whole, inputs, locks, digest_of(signed), digest_of(earlier))


def _lost(playbook: Playbook, described: dict[str, dict[str, Any]], loss: Loss) -> frozenset[str]:
    """The steps that the playbook passes over for what is lost."""
    plain: dict[str, Any] = {"sides": (), "site": ""}
    return frozenset(
        step.id
        for step in playbook.steps
        if passed_over(step.lost, (own := described.get(step.id, plain))["sides"], own["site"], loss)
    )


def digest_of(signed: dict[str, Any]) -> str:
    """SHA-256 over canonical JSON: one byte changed is another digest. It names no side that is active now."""
    text = json.dumps(to_jsonable_python(signed), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lock_keys(session: Session, drill: Drill, playbook: Playbook) -> tuple[str, ...]:
    """The environments that a run holds: both sides of each pair that its playbook locks or changes."""
    pairs = _pairs(session, drill, held(playbook, drivers.registry()))
    return tuple(sorted({f"environment:{side}" for pair in pairs for side in (pair.primary_id, pair.fallback_id)}))


def _pairs(session: Session, drill: Drill, names: Iterable[str]) -> list[PairRow]:
    """The pairs of environments that these inputs of the drill name."""
    found = [_pair(session, drill.inputs.get(name, drill.pair_id), drill.pair_id) for name in names]
    return [pair for pair in found if pair is not None]


def _pair(session: Session, reference: Any, default: str | None) -> PairRow | None:
    wanted = str(reference or default or "")
    return session.exec(select(PairRow).where(or_(col(PairRow.id) == wanted, col(PairRow.ref) == wanted))).first()


def describe(step: Step, playbook: Playbook, inputs: dict[str, Any]) -> dict[str, Any]:
    """What the engine and the proof need to know of a step's driver, as it is installed now."""
    runner = drivers.get(step.uses or "")
    raw = known(step.with_, inputs)
    params = to_jsonable_python(raw)
    undo = drivers.get(step.undo.uses) if step.undo else None
    return {
        "runner": runner.name,
        "effect": runner.effect.value,
        "repeat": runner.repeat.value,
        "probe": runner.probe,
        "rejoins": runner.rejoins or (step.phase == REPROTECT and runner.effect is Effect.CHANGES),
        "provides": facts.keys(runner.provides, params),
        "requires": facts.keys(runner.requires, params),
        "touches": facts.touched(runner.effect, params),
        "sides": sorted({str(value) for value in params.values() if value in (*Side,)}),
        "undo": None if undo is None else undo.name,
        "site": site_of(step, runner, raw, playbook, inputs),
    }


def as_by_hand(playbook: Playbook, described: dict[str, dict[str, Any]]) -> Playbook:
    """The playbook with each acting step done and reported by a person; what only looks stays as it is."""
    steps = tuple(
        _asked(step) if step.id in described and described[step.id]["effect"] != Effect.OBSERVES.value else step
        for step in playbook.steps
    )
    return playbook.model_copy(update={"steps": steps})


def _asked(step: Step) -> Step:
    text = step.manual or step.title or Text(nl=f"Doe met de hand: {step.uses}.", en=f"Do by hand: {step.uses}.")
    return step.model_copy(update={"uses": None, "with_": {}, "at": None, "ask": text, "retries": None})
