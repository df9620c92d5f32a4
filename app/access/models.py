"""People, their one-time links and sessions; only hashes of secrets are kept."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field as Limits
from sqlmodel import Field, SQLModel

from app.access.rules import Action, Role
from app.core.columns import document, key, link, moment, word
from app.core.shapes import Line, Moment, Name, Patch, Shape


class SessionKind(StrEnum):
    """Whether a session lives in a browser's cookie or is a bearer token of a person."""

    BROWSER = "browser"
    BEARER = "bearer"


class Method(StrEnum):
    """How the session of a person began."""

    LINK = "link"
    """By a one-time link, which somebody else made: it proves nothing about who used it."""
    PASSWORD = "password"  # noqa: S105 - a word, not a secret
    PROVIDER = "provider"


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
    reset_at: datetime | None = moment(optional=True)
    """When their means of signing in were last replaced with a link that somebody else made."""
    revision: int = 1


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
    method: Method = word(Method, default=Method.LINK)
    provider: str = Field(default="", max_length=40)
    """Name of the provider that let them in, where one did."""
    address: str = Field(default="", max_length=64)
    device: str = Field(default="", max_length=80)
    created_at: datetime = moment()
    last_seen_at: datetime | None = moment(optional=True)
    """When it was last used, to the minute; None: by a version that did not look."""
    proved_at: datetime | None = moment(optional=True)
    """When the person last proved who they are by means that nobody else gave them."""
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(optional=True)


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
    """A person as shown; what only they and administrators see is null for others."""

    id: str
    ref: str
    name: str
    functions: list[str]
    active: bool
    email: str | None = None
    roles: list[Role] | None = None
    language: str | None = None
    created_at: Moment | None = None
    doubled: bool | None = None
    """Whether this person administers and operates or approves as well: permitted, and worth a look."""


class SignInLinkOut(Shape):
    """A one-time link; the token is shown only now."""

    token: str
    url: str
    expires_at: Moment


class PartRole(Shape):
    """A role in a part of the organisation."""

    role: Role
    unit: str
    service_id: str


class WhoOut(Shape):
    """Who is asking, and what they may do where."""

    kind: str
    id: str
    name: Line
    roles: list[Role]
    """In the whole organisation."""
    grants: list[PartRole]
    """In parts of it."""
    actions: list[Action] | None
    """What a machine token was made for; null for a person, who may do what their roles open."""
