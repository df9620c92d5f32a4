"""What goes in and out of the API about one's own sessions and means of signing in."""

from typing import Annotated, Any

from pydantic import Discriminator, SecretStr, Tag
from pydantic import Field as Limits

from app.access.models import Method, PersonOut, SessionKind
from app.core.shapes import Line, Moment, Shape

Password = Annotated[SecretStr, Limits(min_length=1, max_length=1000)]
Code = Annotated[SecretStr, Limits(min_length=6, max_length=40)]


class LinkSessionIn(Shape):
    """A one-time sign-in token, to exchange for a bearer token."""

    sign_in_token: Annotated[str, Limits(min_length=10, max_length=200)]


class ProofIn(Shape):
    """Password and a code: of the second factor, or a recovery code."""

    password: Password
    code: Code


class PasswordSessionIn(ProofIn):
    """Who signs in with an account of Wissel itself."""

    email: Annotated[str, Limits(min_length=3, max_length=254)]


def _way(value: Any) -> str:
    """Which of the two a body is meant to be: a token of a link goes alone."""
    names = value.keys() if isinstance(value, dict) else ()
    return "password" if {"email", "password", "code"} & set(names) and "signInToken" not in names else "link"


SessionIn = Annotated[
    Annotated[LinkSessionIn, Tag("link")] | Annotated[PasswordSessionIn, Tag("password")], Discriminator(_way)
]
"""What a person exchanges for a bearer token."""


class SessionOut(Shape):
    """A bearer token; shown only now."""

    token: str
    expires_at: Moment
    person: PersonOut


class ProofOut(Shape):
    """When the session's person proved who they are, and until when that is enough for what they answer for."""

    proved_at: Moment
    proved_until: Moment


class OwnSessionOut(Shape):
    """A session of one's own."""

    id: str
    kind: SessionKind
    method: Method
    provider: str
    address: Line
    device: Line
    current: bool
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment


class OwnSessionsOut(Shape):
    """All sessions of one's own that are still good."""

    items: list[OwnSessionOut]


class IdentityOut(Shape):
    """Who one is at a provider."""

    id: str
    issuer: str
    subject: str
    linked_at: Moment
    last_used_at: Moment | None


class AccountOut(Shape):
    """How one signs in."""

    person: PersonOut
    has_password: bool
    password_set_at: Moment | None
    second_factor_set_at: Moment | None
    recovery_codes_left: int
    reset_at: Moment | None
    """When a link that somebody else made replaced one's means of signing in; for a day nothing can be approved."""
    identities: list[IdentityOut]


class FactorOfferOut(Shape):
    """A second factor to set up: put the secret in an app, then send the code that it shows."""

    secret: str
    uri: str


class CredentialsIn(Shape):
    """A new password, a code of the second factor on offer, or both; a first account needs both."""

    password: Annotated[SecretStr, Limits(max_length=1000)] | None = None
    code: Code | None = None


class RecoveryCodesOut(Shape):
    """Codes for once, in the place of one of the second factor; shown only now."""

    recovery_codes: list[str]
