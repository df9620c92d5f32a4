"""Names the people who stand behind what was done: a token is a hand of the person who made it, not another person."""

from collections.abc import Iterable

from sqlmodel import Session, col, select

from app.access.token_models import MachineToken


def people_behind(session: Session, refs: Iterable[str]) -> frozenset[str]:
    """Ids of the people behind these actors as the audit log names them; a bare id is a person's."""
    found: set[str] = set()
    machines: set[str] = set()
    for ref in refs:
        kind, colon, key = ref.partition(":")
        if not colon and kind not in ("", "system"):
            found.add(kind)
        elif kind == "person":
            found.add(key)
        elif kind == "machine":
            machines.add(key)
    if machines:
        found.update(session.exec(select(MachineToken.created_by).where(col(MachineToken.id).in_(machines))))
    return frozenset(found)
