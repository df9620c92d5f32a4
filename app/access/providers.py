"""Providers of identities, as the administrator wrote them in a file; it holds names of secret files, no secret."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.access.rules import Role
from app.core.settings import Settings

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""What a provider may sign with: no secret that we share with it, and never nothing."""


class ProvidersWrong(ValueError):
    """The file of providers cannot be read, or says what cannot be."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PartOf(_Strict):
    """A role within one unit, for who is in a group."""

    group: str
    role: Role
    unit: Annotated[str, Field(min_length=1, max_length=200)]

    @field_validator("role")
    @classmethod
    def _fits_a_part(cls, value: Role) -> Role:
        if value is Role.ADMINISTRATOR:
            raise ValueError("there are administrators of the whole organisation only")
        return value


class Provider(_Strict):
    """One provider of identities (OpenID Connect)."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,39}$")]
    title: Annotated[str, Field(min_length=1, max_length=80)]
    """How people call it: "Sign in with …"."""
    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    """Exactly as the provider calls itself."""
    client_id: Annotated[str, Field(min_length=1, max_length=200)]
    client_secret_file: Path | None = None
    private_key_file: Path | None = None
    """PEM of our own key, for ``private_key_jwt``; in the place of a secret."""
    private_key_algorithm: Literal["RS256", "PS256", "ES256", "EdDSA"] = "RS256"
    private_key_id: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    """What its identity tokens may be signed with."""
    groups_claim: str = "groups"
    roles: dict[str, tuple[Role, ...]] = {}
    """Group → roles in the whole organisation."""
    units: tuple[PartOf, ...] = ()
    """Roles in a unit."""
    email_is_checked: bool = False
    """Whether its addresses are to be believed even where it does not say ``email_verified``."""
    proves: bool = True
    """Whether a fresh sign-in there counts as proof for what people answer for with their name."""
    acr_values: tuple[str, ...] = ()
    """Levels of assurance, one of which such a proof must have."""
    amr_values: tuple[str, ...] = ()
    """Methods, one of which such a proof must have used."""

    @field_validator("algorithms")
    @classmethod
    def _are_allowed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or (wrong := set(value) - ALGORITHMS):
            raise ValueError(f"not accepted: {', '.join(sorted(wrong)) if value else 'none'}")
        return value

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.client_secret_file is None) == (self.private_key_file is None):
            raise ValueError("name client_secret_file or private_key_file, one of the two")
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        return self

    @property
    def discovery(self) -> str:
        """Where it tells about itself."""
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"


class _File(_Strict):
    provider: tuple[Provider, ...] = ()

    @model_validator(mode="after")
    def _are_several(self) -> Self:
        for what in ("name", "issuer"):
            found = [getattr(each, what) for each in self.provider]
            if len(found) != len(set(found)):
                raise ValueError(f"two providers have the same {what}")
        return self


def load(settings: Settings) -> tuple[Provider, ...]:
    """The providers as the file says now; none without a file. Raises `ProvidersWrong`."""
    if settings.providers_file is None:
        return ()
    try:
        text = settings.providers_file.read_text("utf-8")
        told = json.loads(text) if settings.providers_file.suffix == ".json" else tomllib.loads(text)
        return _File.model_validate(told).provider
    except (OSError, ValueError, ValidationError) as error:
        raise ProvidersWrong(f"{settings.providers_file}: {error}") from error
