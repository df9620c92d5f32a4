"""Reads what an activation says of its run: what is lost, in which words, and whether it began before approval."""

from sqlmodel import Session, col, select

from app.access.models import Person
from app.core import formats
from app.playbooks.rules import StepKind
from app.runs import taking_part, words
from app.runs.loss import Loss
from app.runs.models import Activation, Answer, Run, StepRun
from app.runs.view import parsed
from app.runs.words import Words

SIDES = {"primary": ("primaire kant", "primary side"), "fallback": ("uitwijkkant", "fallback side")}


def of(session: Session, run: Run) -> Activation | None:
    """The activation that a run carries out; None for a drill."""
    if not run.activation:
        return None
    return session.exec(select(Activation).where(Activation.run_id == run.id)).first()


def loss_of(activation: Activation | None) -> Loss:
    """What it says is lost."""
    if activation is None:
        return Loss()
    return Loss(frozenset(activation.lost.get("sides", ())), frozenset(activation.lost.get("sites", ())))


def why_passed_over(session: Session, activation: Activation) -> Words:
    """Why a step that the lost side needs is passed over: what is lost, who said so, and when."""
    sides = sorted(activation.lost.get("sides", ()))
    nl = " en ".join(SIDES[side][0] for side in sides) or "locatie"
    en = " and ".join(SIDES[side][1] for side in sides) or "site"
    person = session.get(Person, activation.declared_by.removeprefix("person:"))
    name = person.name if person else activation.declared_by
    at = formats.local(activation.created_at)
    return words.words(
        f"De {nl} is weg, gezegd door {name} op {at:%d-%m-%Y} om {at:%H:%M}.",
        f"The {en} is lost, said by {name} on {at:%Y-%m-%d} at {at:%H:%M}.",
    )


def involved(session: Session, run: Run) -> frozenset[str]:
    """Who began it, said that it was needed, or decides in it, as the audit log names them: they do not review it."""
    found = of(session, run)
    playbook = parsed(run)
    voted = select(Answer.person, StepRun.step_id).join(StepRun, col(StepRun.id) == col(Answer.step_run_id))
    votes = session.exec(voted.where(Answer.run_id == run.id))
    voters = {person for person, step in votes if playbook.step(step).kind is StepKind.DECIDE}
    named = {f"person:{each}" for each in taking_part.deciders(session, run)}
    return frozenset({run.starter, *voters, *named, *([found.declared_by] if found else [])})


def glass_broken(session: Session, run: Run) -> bool:
    """Whether this run began before others approved it, with its reason on record."""
    found = of(session, run)
    return found is not None and found.break_glass
