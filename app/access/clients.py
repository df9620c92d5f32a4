"""Machine clients: access tokens of a provider (RFC 9068) that vouches for a program by the program's own key.

The program proves itself to the provider (``private_key_jwt``); we only check what the provider signed. A token counts
for one registered client, whose rights are those of a machine token: what was registered, bounded by who did so.
"""

import binascii
import json
import threading
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.access import tokens
from app.access.service import SignedIn, as_machine
from app.access.token_models import MachineClientIn, MachineToken
from app.core import clock, outgoing
from app.core.errors import Conflict, FieldError, Unavailable
from app.core.messages import say
from app.core.settings import Settings

ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}
"""What a provider may sign with, and the kind of key: no secret that we share with it, and never nothing."""
LONGEST = timedelta(hours=1)
"""Life of an access token: so long what the provider took back may still be used, so it must be short."""
LEEWAY = timedelta(seconds=30)
_KINDS = {"at+jwt", "application/at+jwt"}
_LARGEST = 8_192
_KEYS_FOR = 600.0
"""Seconds that the provider's keys are believed before they are read again."""
_KEYS_AT_MOST = 3_600.0
"""The same while the provider does not answer."""
ASK_AGAIN = 30.0
"""Seconds between two questions for a key that is not known: strangers must not make us ask the provider all day."""
log = structlog.get_logger()


class NoProvider(Conflict):
    """No provider of access tokens is configured."""

    code = "no-machine-provider"


class ClientKnown(Conflict):
    """This client is registered already."""

    code = "client-known"


class ProviderAway(Unavailable):
    """The provider's keys cannot be read now, so nobody can tell whether its token is good."""

    code = "provider-away"


class TokenRefused(Exception):
    """It is no access token of the provider for us; for the log, the caller is told nothing but 401."""


def register(
    session: Session, given: MachineClientIn, settings: Settings, *, actor: Any, now: datetime
) -> MachineToken:
    """Make a client known that gets its access tokens from the configured provider."""
    if settings.machine_issuer is None:
        raise NoProvider(say("No provider of access tokens is configured (WISSEL_MACHINE_ISSUER). Make a token."))
    for old in session.exec(_of(given.client_id)).all():
        if old.expires_at > now:
            raise _known(given.client_id)
        tokens.revoke(session, old, actor=actor, now=now)
    row = MachineToken(
        name=given.name,
        client_id=given.client_id,
        subject=given.subject or given.client_id,
        created_by=actor.id,
        created_at=now,
        expires_at=now + timedelta(days=given.valid_days),
    )
    session.flush()
    try:
        with session.begin_nested():
            tokens.add(session, row, given, actor=actor, now=now)
    except IntegrityError as error:  # another registered it at this very moment
        raise _known(given.client_id) from error
    return row


def _known(client_id: str) -> ClientKnown:
    reason = say("The client '{client}' is registered already. Revoke that first.", client=client_id)
    return ClientKnown(reason, errors=[FieldError("clientId", "client-known", reason)])


def _of(client_id: str) -> Any:
    return select(MachineToken).where(MachineToken.client_id == client_id, col(MachineToken.revoked_at).is_(None))


def looks_signed(token: str) -> bool:
    """Whether a bearer token is a signed one of a provider, not one of ours."""
    return token.count(".") == 2 and not token.startswith(tokens.PREFIX)


def identify(session: Session, claims: dict[str, Any], *, now: datetime) -> SignedIn | None:
    """The registered client of these checked claims; None where there is none that is good."""
    found = as_machine(session, _of(claims["client_id"]).whereclause, now=now)
    if found is None or found.machine is None or found.machine.subject != claims["sub"]:
        return None  # a person's token by the same client bears the person as its subject
    return found


class Provider:
    """The configured provider of access tokens, with its keys as they were read last."""

    def __init__(self, settings: Settings, *, ask_again: float = ASK_AGAIN) -> None:
        self._settings, self._ask_again = settings, ask_again
        self._keys: list[dict[str, Any]] = []
        self._read_at: float | None = None
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    def claims(self, token: str, *, now: datetime) -> dict[str, Any] | None:
        """What the provider says in this access token; None where it says nothing to us. Raises `ProviderAway`."""
        if self._settings.machine_issuer is None:
            return None
        try:
            header = _header(token)
            key = _usable(self._key(header["kid"]), header["alg"])
            found = jwt.decode(token, key, algorithms=[header["alg"]]).claims
            check(found, issuer=self._settings.machine_issuer, audience=self._settings.machine_audience_or_url, now=now)
        except (TokenRefused, JoseError, ValueError, TypeError) as error:
            log.warning("an access token was refused", reason=str(error)[:200])
            return None
        return found

    def _key(self, kid: str) -> dict[str, Any]:
        with self._lock:
            age = _since(self._read_at)
            if age > _KEYS_FOR or not self._named(kid):
                self._renew()
            if _since(self._read_at) > _KEYS_AT_MOST:
                raise ProviderAway(say("The provider of access tokens does not answer. Try again later."))
            named = self._named(kid)
        if len(named) != 1:
            raise TokenRefused(f"the provider has {len(named)} keys of this name")
        return named[0]

    def _named(self, kid: str) -> list[dict[str, Any]]:
        return [each for each in self._keys if each.get("kid") == kid]

    def _renew(self) -> None:
        """Read the keys again; where that fails those that we have stay for a while."""
        if _since(self._asked_at) < self._ask_again:
            return
        self._asked_at = clock.passed()
        try:
            self._keys = self._read()
            self._read_at = clock.passed()
        except (outgoing.HTTPError, ValueError, TokenRefused) as error:
            log.warning("the provider's keys cannot be read", reason=str(error)[:200])

    def _read(self) -> list[dict[str, Any]]:
        issuer = self._settings.machine_issuer or ""
        with outgoing.client(self._settings) as client:
            told = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration").raise_for_status().json()
            if not isinstance(told, dict) or told.get("issuer") != issuer:
                raise TokenRefused("the provider calls itself otherwise than the configured issuer")
            keys = client.get(str(told.get("jwks_uri"))).raise_for_status().json()
        found = keys.get("keys") if isinstance(keys, dict) else None
        if not isinstance(found, list):
            raise TokenRefused("the provider shows no keys")
        return [each for each in found if isinstance(each, dict)]


def _since(moment: float | None) -> float:
    return float("inf") if moment is None else clock.passed() - moment


def _header(token: str) -> dict[str, Any]:
    """The header, checked: nothing in it is believed but which of the provider's keys to try."""
    if len(token) > _LARGEST:
        raise TokenRefused("it is too long")
    first = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise TokenRefused("its header cannot be read") from error
    if not isinstance(header, dict) or "crit" in header:
        raise TokenRefused("its header asks for what we do not know")
    if str(header.get("typ", "")).lower() not in _KINDS:
        raise TokenRefused("it is no access token")
    if not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise TokenRefused("it is signed in a way that is not accepted")
    if not isinstance(header.get("kid"), str):
        raise TokenRefused("it does not say which key signed it")
    return header


def _usable(key: dict[str, Any], algorithm: str) -> RSAKey | ECKey | OKPKey:
    """The public key, where it is meant for this. Raises `TokenRefused`."""
    if (
        key.get("kty") != ALGORITHMS[algorithm]
        or key.get("use", "sig") != "sig"
        or key.get("alg", algorithm) != algorithm
    ):
        raise TokenRefused("its key is not meant for that")
    found = import_key({name: value for name, value in key.items() if name in _PUBLIC})
    if not isinstance(found, RSAKey | ECKey | OKPKey):
        raise TokenRefused("its key is not meant for that")
    if isinstance(found, RSAKey) and found.public_key.key_size < 2_048:
        raise TokenRefused("its key is too short")
    return found


_PUBLIC = {"kty", "n", "e", "crv", "x", "y", "kid"}


def check(claims: dict[str, Any], *, issuer: str, audience: str, now: datetime) -> None:
    """Raise `TokenRefused` unless these are the claims of an access token of `issuer`, for us, that is good now."""
    if claims.get("iss") != issuer:
        raise TokenRefused("another issuer")
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise TokenRefused("for another audience")
    issued, ends = _moment(claims, "iat"), _moment(claims, "exp")
    if ends <= now - LEEWAY:
        raise TokenRefused("it is over")
    if issued > now + LEEWAY or ("nbf" in claims and _moment(claims, "nbf") > now + LEEWAY):
        raise TokenRefused("it is not good yet")
    if not timedelta() < ends - issued <= LONGEST:
        raise TokenRefused("it is good for too long")
    if any(not isinstance(claims.get(name), str) or not claims[name] for name in ("sub", "client_id", "jti")):
        raise TokenRefused("it does not say for whom it is")
    if "cnf" in claims:
        raise TokenRefused("it is bound to a key, which we do not check")


def _moment(claims: dict[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"its {name} is no moment")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise TokenRefused(f"its {name} is no moment") from error
