"""Tells people what others did to who may do what: a new approver, and a token that ends soon."""

from datetime import datetime

from sqlmodel import Session, col, select

from app.access import letters
from app.access.letters import Told
from app.access.models import Person
from app.access.rules import Actor, Role
from app.access.token_models import MachineToken, RoleGrant
from app.core import formats
from app.core.messages import say


def approver_named(session: Session, person: Person, where: str, *, actor: Actor, now: datetime) -> None:
    """Tell every other approver that `person` is one now: whoever makes the second person of an approval is seen."""
    subject = say("{name} is an approver now", name=person.name)
    if where:
        text = say(
            "{giver} made {name} an approver for {where}. Did you not expect that? Ask an administrator.",
            giver=actor.name,
            name=person.name,
            where=where,
        )
    else:
        text = say(
            "{giver} made {name} an approver for the whole organisation. Did you not expect that? Ask an "
            "administrator.",
            giver=actor.name,
            name=person.name,
        )
    told = Told("approver-named", subject, text, "/account/messages")
    for each in _approvers(session):
        if each.id not in (person.id, actor.person_id):
            letters.write(session, each, told, key=f"approver:{person.id}:{now.isoformat()}", now=now)


def _approvers(session: Session) -> list[Person]:
    """Who approves in the whole organisation, or in a part of it."""
    granted = select(RoleGrant.person_id).where(RoleGrant.role == Role.APPROVER, col(RoleGrant.revoked_at).is_(None))
    narrow = set(session.exec(granted))
    people = session.exec(select(Person).where(col(Person.active)))
    return [each for each in people if Role.APPROVER in each.roles or each.id in narrow]


def token_ends(session: Session, row: MachineToken, *, now: datetime) -> bool:
    """Tell who made a token that it ends soon; once."""
    maker = session.get_one(Person, row.created_by)
    at = formats.local(row.expires_at)
    subject = say("The token {name} ends on {at}", name=row.name, at=f"{at:%d-%m-%Y %H:%M}")
    text = say(
        "The program that uses it is refused from then on. Make a new token, put it in the program, and revoke the "
        "old one."
    )
    told = Told("token-ends", subject, text, "/machine-tokens", until=row.expires_at)
    return letters.write(session, maker, told, key=f"token:{row.id}:ends", now=now)
