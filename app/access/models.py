"""People, their one-time links and sessions, and machine tokens; only hashes of secrets are kept."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field as Limits
from sqlmodel import Field, SQLModel

from app.access.rules import Role
from app.core.columns import document, key, link, moment, word
from app.core.shapes import Line, Moment, Name, Patch, Shape


class SessionKind(StrEnum):
    """Whether a session lives in a browser's cookie or is a bearer token of a person."""

    BROWSER = "browser"
    BEARER = "bearer"


class Person(SQLModel, table=True):
    """Somebody who uses Wissel."""

    __tablename__ = "person"
    id: str = key()
    ref: str = Field(unique=True, max_length=20)
    name: str
    email: str = Field(unique=True, max_length=254)
    roles: list[str] = document(list)
    functions: list[str] = document(list)
    """Functions in a crisis, as playbooks name them: crisis-manager, communication, …"""
    language: str = Field(default="nl", max_length=2)
    active: bool = True
    created_at: datetime = moment()
    revision: int = 1


class RoleGrant(SQLModel, table=True):
    """A role in a part of the organisation: a unit or one service; of a person or of a machine token, for a time."""

    __tablename__ = "role_grant"
    id: str = key()
    person_id: str | None = link("person.id", optional=True)
    machine_token_id: str | None = link("machine_token.id", optional=True)
    role: Role = word(Role)
    unit: str = Field(default="", max_length=200)
    at_service_id: str = Field(default="", max_length=36)
    """No foreign key: who may do what at a service does not itself belong to that service."""
    since: datetime = moment()
    until: datetime | None = moment(optional=True)
    given_by: str = Field(max_length=80)
    created_at: datetime = moment()
    revoked_at: datetime | None = moment(optional=True)


class SignInLink(SQLModel, table=True):
    """A one-time link by which a person signs in."""

    __tablename__ = "sign_in_link"
    token_hash: str = Field(primary_key=True, max_length=64)
    person_id: str = link("person.id")
    created_at: datetime = moment()
    expires_at: datetime = moment()
    used_at: datetime | None = moment(optional=True)


class UserSession(SQLModel, table=True):
    """A signed-in person, in a browser or with a bearer token."""

    __tablename__ = "user_session"
    id: str = key()
    token_hash: str = Field(unique=True, max_length=64)
    person_id: str = link("person.id")
    kind: SessionKind = word(SessionKind)
    csrf: str = Field(max_length=64)
    created_at: datetime = moment()
    proved_at: datetime | None = moment(optional=True)
    """When the person last proved who they are by means that nobody else gave them."""
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(optional=True)


class MachineToken(SQLModel, table=True):
    """A token for another program; it can never review, approve or accept."""

    __tablename__ = "machine_token"
    id: str = key()
    name: str
    prefix: str = Field(max_length=12)
    token_hash: str = Field(unique=True, max_length=64)
    roles: list[str] = document(list)
    actions: list[str] = document(list)
    """What it may do of what its roles open; empty: all of that."""
    created_by: str = link("person.id")
    created_at: datetime = moment()
    expires_at: datetime = moment()
    last_used_at: datetime | None = moment(optional=True)
    revoked_at: datetime | None = moment(optional=True)


class PersonIn(Shape):
    """A new person."""

    name: Name
    email: Annotated[str, Limits(max_length=254, pattern=r"^[^@\s<>\"']+@[^@\s<>\"']+$")]
    roles: list[Role] = []
    functions: list[Annotated[str, Limits(pattern="^[a-z][a-z0-9-]{0,39}$")]] = []
    language: Annotated[str, Limits(pattern="^(nl|en)$")] = "nl"


class PersonPatch(Patch):
    """What may change of a person."""

    name: Name | None = None
    roles: list[Role] | None = None
    functions: list[Annotated[str, Limits(pattern="^[a-z][a-z0-9-]{0,39}$")]] | None = None
    language: Annotated[str, Limits(pattern="^(nl|en)$")] | None = None
    active: bool | None = None


class PersonOut(Shape):
    """A person as shown."""

    id: str
    ref: str
    name: str
    email: str
    roles: list[Role]
    functions: list[str]
    language: str
    active: bool
    created_at: Moment


class SignInLinkOut(Shape):
    """A one-time link; the token is shown only now."""

    token: str
    url: str
    expires_at: Moment


class SessionIn(Shape):
    """What a person exchanges for a bearer token."""

    sign_in_token: Annotated[str, Limits(min_length=10, max_length=200)]


class SessionOut(Shape):
    """A bearer token; shown only now."""

    token: str
    expires_at: Moment
    person: PersonOut


class MachineTokenIn(Shape):
    """A new machine token."""

    name: Name
    roles: Annotated[list[Role], Limits(min_length=1)]
    valid_days: Annotated[int, Limits(ge=1, le=90)] = 90


class MachineTokenOut(Shape):
    """A machine token as listed, without its secret."""

    id: str
    name: str
    prefix: str
    roles: list[Role]
    created_at: Moment
    expires_at: Moment
    revoked_at: Moment | None


class NewMachineTokenOut(MachineTokenOut):
    """A machine token just made; the secret is shown only now."""

    token: str


class WhoOut(Shape):
    """Who is asking."""

    kind: str
    id: str
    name: Line
    roles: list[Role]


def person_out(row: Person) -> PersonOut:
    """The person as shown."""
    return PersonOut.model_validate(row)


def machine_token_out(row: MachineToken, **more: Any) -> dict[str, Any]:
    """The token's fields as shown."""
    return {**MachineTokenOut.model_validate(row).model_dump(), **more}
