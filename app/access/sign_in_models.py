"""What people sign in with: accounts of Wissel itself, recovery codes, identities at providers, and sign-ins under way.

No secret stands here as it is: passwords and codes as hashes, second factors sealed with a key outside the database.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.columns import document, key, link, moment


class LocalAccount(SQLModel, table=True):
    """The password and second factor of a person, with which they sign in whatever happens to a provider."""

    __tablename__ = "local_account"
    person_id: str = Field(primary_key=True, foreign_key="person.id", max_length=36)
    password_hash: str = Field(max_length=200)
    sealed_secret: str = Field(max_length=200)
    """Secret of the second factor, sealed for this person (`app.access.sealing`)."""
    last_step: int = 0
    """Number of the thirty seconds whose code was used last: none is taken twice, nor one before it."""
    created_at: datetime = moment()
    password_set_at: datetime = moment()
    factor_set_at: datetime = moment()
    revision: int = 1


class RecoveryCode(SQLModel, table=True):
    """A code for once, in the place of one of the second factor."""

    __tablename__ = "recovery_code"
    id: str = key()
    person_id: str = link("person.id")
    code_hash: str = Field(unique=True, max_length=64)
    created_at: datetime = moment()
    used_at: datetime | None = moment(optional=True)


class ProviderIdentity(SQLModel, table=True):
    """Who somebody is at a provider: its issuer and their subject there, both letter by letter; never an e-mail."""

    __tablename__ = "provider_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    id: str = key()
    person_id: str = link("person.id")
    issuer: str = Field(max_length=500)
    subject: str = Field(max_length=255)
    given_roles: list[str] = document(list)
    """Roles that the person has for the groups there; the others were given by people, and stay."""
    linked_at: datetime = moment()
    last_used_at: datetime | None = moment(optional=True)


class SignInAttempt(SQLModel, table=True):
    """A sign-in that was sent to a provider and not answered yet; the answer is taken once, from the same browser."""

    __tablename__ = "sign_in_attempt"
    state_hash: str = Field(primary_key=True, max_length=64)
    browser_hash: str = Field(max_length=64)
    provider: str = Field(max_length=40)
    nonce: str = Field(max_length=64)
    verifier: str = Field(max_length=128)
    purpose: str = Field(max_length=20)
    session_id: str | None = Field(default=None, max_length=36)
    """The session that it proves or links anew; none for a new one."""
    next: str = Field(default="/", max_length=2000)
    created_at: datetime = moment()
    expires_at: datetime = moment()
    used_at: datetime | None = moment(optional=True)
