"""Roles in a part of the organisation, and machines: tokens and registered clients; of secrets only hashes are kept."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic import Field as Limits
from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from app.access.rules import Action, Role
from app.core.columns import document, key, link, moment, word
from app.core.shapes import Line, Moment, Name, Shape


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


class MachineToken(SQLModel, table=True):
    """A token for another program, or a program that the sign-in provider vouches for (`client_id`).

    It never does more than its maker may do at that moment, and can never review, approve, accept or administer.
    """

    __tablename__ = "machine_token"
    __table_args__ = (
        Index(
            "uq_machine_token_client_id",
            "client_id",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )
    id: str = key()
    name: str
    prefix: str = Field(default="", max_length=12)
    token_hash: str | None = Field(default=None, unique=True, max_length=64)
    """Empty for a client: its secret is a key of its own, which only the provider needs to know."""
    client_id: str | None = Field(default=None, max_length=200)
    """How the provider names the client, one at a time; empty for a token."""
    subject: str = Field(default="", max_length=200)
    """The ``sub`` of its access tokens: a token of a person who signed in by this client bears another one."""
    roles: list[str] = document(list)
    """Roles of its maker that it works with in the whole organisation."""
    actions: list[str] = document(list)
    """What it may do of what its roles open; empty: all of that."""
    created_by: str = link("person.id")
    created_at: datetime = moment()
    expires_at: datetime = moment()
    last_used_at: datetime | None = moment(optional=True)
    last_used_from: str = Field(default="", max_length=64)
    revoked_at: datetime | None = moment(optional=True)


def _no_flag(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


Days = Annotated[int, Limits(ge=1, le=90), BeforeValidator(_no_flag)]
Key = Annotated[Line, Limits(min_length=1, max_length=200)]


class ScopeIn(Shape):
    """What a machine may do, and in which part of the organisation: said in so many words, nothing follows silently."""

    name: Name
    actions: Annotated[list[Action], Limits(min_length=1, max_length=len(Action))]
    everywhere: bool = False
    """In the whole organisation; else `units` or `services` must say where."""
    units: Annotated[list[Name], Limits(max_length=50)] = []
    services: Annotated[list[Key], Limits(max_length=50)] = []
    """By reference, id or name."""


class MachineTokenIn(ScopeIn):
    """A new machine token; it ends after `valid_days`, or at `expires_at`, within 90 days."""

    valid_days: Days | None = None
    expires_at: Moment | None = None


class MachineClientIn(ScopeIn):
    """A program that gets its access tokens from the sign-in provider by a key of its own (``private_key_jwt``)."""

    client_id: Annotated[str, Limits(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
    subject: Annotated[str, Limits(max_length=200, pattern=r"^[\x21-\x7e]*$")] = ""
    """The ``sub`` of its access tokens, where the provider does not repeat the client's id there."""
    valid_days: Annotated[int, Limits(ge=1, le=366), BeforeValidator(_no_flag)] = 366


class PartOut(Shape):
    """A unit, or a service."""

    unit: str = ""
    service: str = ""
    """Reference of the service."""
    name: str = ""


class MachineTokenOut(Shape):
    """A machine token or client as listed, without any secret."""

    id: str
    name: Line
    prefix: str
    client_id: str | None
    actions: list[Action]
    everywhere: bool
    parts: list[PartOut]
    created_by: str
    """Id of the person whose rights bound it."""
    created_at: Moment
    expires_at: Moment
    ends_soon: bool
    """Whether it ends within 14 days."""
    last_used_at: Moment | None
    last_used_from: str
    revoked_at: Moment | None


class NewMachineTokenOut(MachineTokenOut):
    """A machine token just made; the secret is shown only now."""

    token: str


class GrantIn(Shape):
    """A role for a person in a unit or at a service, from now or later, for good or until a moment."""

    role: Role
    unit: Line = ""
    service: Line = ""
    """By reference, id or name."""
    since: Moment | None = None
    until: Moment | None = None


class GrantOut(Shape):
    """A role in a part of the organisation, as shown."""

    id: str
    person_id: str
    person: Line
    role: Role
    unit: str
    service: str
    """Reference of the service; empty for a unit."""
    name: Line
    """What the unit or service is called."""
    since: Moment
    until: Moment | None
    given_by: str
    created_at: Moment
    revoked_at: Moment | None
    state: str
    """``later``, ``now``, ``over`` or ``revoked``."""
