"""OpenID Connect with one provider: what it tells about itself, the way there, and the check of what comes back.

Nothing that comes back is believed before its signature, and nothing in it that we did not ask for: see `Refused`.
"""

import binascii
import json
import threading
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from app.access.providers import Provider
from app.core import clock, outgoing
from app.core.messages import Message, say
from app.core.settings import Settings

SKEW = timedelta(seconds=60)
OLDEST = timedelta(minutes=10)
"""How long ago an identity token may have been made: it is taken at once."""
LARGEST = 256 * 1024
SECONDS = 8.0
_TOKEN_LARGEST = 16 * 1024
_TOLD_FOR = 600.0
_KTY = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_PUBLIC = {"kty", "n", "e", "crv", "x", "y", "kid"}
log = structlog.get_logger()


class Refused(Exception):
    """What came back is not accepted: a stable code for the audit log, and a sentence for who signs in."""

    def __init__(self, code: str, detail: Message | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or say("The provider's answer was not accepted. Nobody was signed in. Try again.")


def away(why: str) -> Refused:
    """The provider cannot be reached, or tells nothing usable."""
    log.warning("a provider of identities cannot be used", reason=why[:300])
    return Refused("provider-away", say("The provider cannot be reached now. Sign in with your password and code."))


@dataclass(frozen=True)
class Asked:
    """What was asked of the provider, against which its answer is held."""

    state: str
    nonce: str
    verifier: str
    at: datetime
    proof: bool
    """Whether the person must prove anew who they are."""


@dataclass(frozen=True)
class Claims:
    """What a checked identity token says."""

    issuer: str
    subject: str
    name: str
    email: str
    groups: tuple[str, ...]


class Party:
    """One provider, with what it told about itself and its keys as they were read last."""

    def __init__(self, provider: Provider, settings: Settings) -> None:
        self.provider, self._settings = provider, settings
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}
        self._keys: list[dict[str, Any]] = []
        self._told_at = self._keys_at = float("-inf")

    def way_there(self, asked: Asked, *, redirect_uri: str) -> str:
        """The address at which the person signs in. Raises `Refused`."""
        more: dict[str, str] = {"nonce": asked.nonce, "response_mode": "query"}
        if asked.proof:
            more |= {"prompt": "login", "max_age": "0"}
            more |= {"acr_values": " ".join(self.provider.acr_values)} if self.provider.acr_values else {}
        endpoint = self._endpoint("authorization_endpoint")
        with self._client(redirect_uri) as client:
            address, _ = client.create_authorization_url(endpoint, asked.state, code_verifier=asked.verifier, **more)
        return str(address)

    def way_out(self, *, back: str) -> str | None:
        """The address at which the person signs out there; None where the provider has none."""
        endpoint = self._read_told().get("end_session_endpoint")
        if not isinstance(endpoint, str) or outgoing.fault(endpoint, self._settings):
            return None
        asked = urlencode({"client_id": self.provider.client_id, "post_logout_redirect_uri": back})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{asked}"

    def check_issuer(self, given: str | None) -> None:
        """Refuse an answer of another provider than the one that was asked (RFC 9207)."""
        needed = self._read_told().get("authorization_response_iss_parameter_supported") is True
        if (given is None and needed) or (given is not None and given != self.provider.issuer):
            raise Refused("mixed-up-issuer")

    def exchange(self, code: str, asked: Asked, *, redirect_uri: str) -> Claims:
        """The person's claims for a code. Raises `Refused`."""
        from authlib.common.errors import AuthlibBaseError

        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client(redirect_uri) as client:
                told = client.fetch_token(endpoint, code=code, code_verifier=asked.verifier)
        except outgoing.HTTPError as error:
            raise away(str(error)) from error
        except (AuthlibBaseError, ValueError, TypeError, AttributeError, RecursionError) as error:  # any JSON may come
            log.warning("a code was refused by the provider", provider=self.provider.name, error=str(error)[:200])
            raise Refused("code-refused") from error
        token = told.get("id_token")
        if not isinstance(token, str) or len(token) > _TOKEN_LARGEST:
            raise Refused("no-identity-token")
        return self.read(token, asked, now=clock.now())

    def read(self, token: str, asked: Asked, *, now: datetime) -> Claims:
        """The claims of an identity token, each checked. Raises `Refused` with a code that says which."""
        header = _header(token)
        if header["alg"] not in self.provider.algorithms:
            raise Refused("wrong-algorithm")
        key = _usable(self._key(header.get("kid")), header["alg"])
        try:
            claims = jwt.decode(token, key, algorithms=[header["alg"]]).claims
        except (JoseError, ValueError, TypeError) as error:
            raise Refused("wrong-signature") from error
        _check_party(claims, self.provider)
        _check_times(claims, now=now)
        if claims.get("nonce") != asked.nonce:
            raise Refused("wrong-nonce")
        if asked.proof:
            _check_proof(claims, self.provider, asked)
        return _claims(claims, self.provider)

    def _client(self, redirect_uri: str) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client
        from authlib.oauth2.rfc7523 import PrivateKeyJWT

        provider = self.provider
        way = outgoing.options(self._settings, seconds=SECONDS, largest=LARGEST)
        method = "client_secret_basic" if provider.private_key_file is None else "private_key_jwt"
        client = OAuth2Client(
            provider.client_id,
            self._secret(),
            token_endpoint_auth_method=method,
            scope=" ".join(provider.scopes),
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            **way,
        )
        if provider.private_key_file is not None:
            headers = {"kid": provider.private_key_id} if provider.private_key_id else {}
            algorithm = provider.private_key_algorithm
            # The issuer, not the endpoint: what a false endpoint is given is then no good at the true one.
            client.register_client_auth_method(PrivateKeyJWT(provider.issuer, headers=headers, alg=algorithm))
        return client

    def _secret(self) -> Any:
        provider = self.provider
        try:
            if provider.private_key_file is not None:
                return _own_key(provider.private_key_file.read_bytes(), provider.private_key_algorithm)
            assert provider.client_secret_file is not None  # noqa: S101 - one of the two is there
            return provider.client_secret_file.read_text("utf-8").strip()
        except (OSError, ValueError, JoseError) as error:
            raise away(f"our secret for {provider.name} cannot be read: {error}") from error

    def _endpoint(self, name: str) -> str:
        found = self._read_told().get(name)
        if not isinstance(found, str):
            raise away(f"{self.provider.name} names no {name}")
        if (fault := outgoing.fault(found, self._settings)) is not None:
            raise away(f"{name} of {self.provider.name}: {fault}")
        return found

    def _read_told(self) -> dict[str, Any]:
        with self._lock:
            if clock.passed() - self._told_at > _TOLD_FOR:
                told = self._get(self.provider.discovery)
                if told.get("issuer") != self.provider.issuer:
                    raise away(f"{self.provider.name} calls itself otherwise than its configured issuer")
                self._told, self._told_at = told, clock.passed()
            return self._told

    def _key(self, kid: Any) -> dict[str, Any]:
        """The key of this name; without a name the only one there is. An unknown one is asked for once more."""
        with self._lock:
            age = clock.passed() - self._keys_at
        if age > _TOLD_FOR or not self._named(kid):  # only what the provider itself just gave us comes here
            found = self._get(self._endpoint("jwks_uri")).get("keys")
            with self._lock:
                self._keys = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
                self._keys_at = clock.passed()
        named = self._named(kid)
        if len(named) != 1:
            raise Refused("unknown-key")
        return named[0]

    def _named(self, kid: Any) -> list[dict[str, Any]]:
        return [each for each in self._keys if kid is None or each.get("kid") == kid]

    def _get(self, address: str) -> dict[str, Any]:
        try:
            with outgoing.client(self._settings, seconds=SECONDS, largest=LARGEST) as client:
                told = client.get(address).raise_for_status().json()
        except (outgoing.HTTPError, ValueError, RecursionError) as error:
            raise away(f"{self.provider.name}: {error}") from error
        if not isinstance(told, dict):
            raise away(f"{self.provider.name}: {address} holds no JSON object")
        return told


def _own_key(pem: bytes, algorithm: str) -> RSAKey | ECKey | OKPKey:
    match algorithm:
        case "ES256":
            return import_key(pem, "EC")
        case "EdDSA":
            return import_key(pem, "OKP")
        case _:
            return import_key(pem, "RSA")


def _header(token: str) -> dict[str, Any]:
    """The header, of which nothing is believed but which of the provider's keys to try."""
    first = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise Refused("unreadable-token") from error
    if not isinstance(header, dict) or "crit" in header or not isinstance(header.get("alg"), str):
        raise Refused("wrong-algorithm")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise Refused("no-identity-token")
    return header


def _usable(key: dict[str, Any], algorithm: str) -> RSAKey | ECKey | OKPKey:
    kty = _KTY[algorithm[:2]]
    if key.get("kty") != kty or key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        raise Refused("unknown-key")
    try:
        found = import_key({name: value for name, value in key.items() if name in _PUBLIC})
    except (JoseError, ValueError, TypeError) as error:
        raise Refused("unknown-key") from error
    if not isinstance(found, RSAKey | ECKey | OKPKey):
        raise Refused("unknown-key")
    if isinstance(found, RSAKey) and found.public_key.key_size < 2_048:
        raise Refused("weak-key")
    return found


def _check_party(claims: dict[str, Any], provider: Provider) -> None:
    if claims.get("iss") != provider.issuer:
        raise Refused("wrong-issuer")
    if claims.get("aud") not in (provider.client_id, [provider.client_id]):
        raise Refused("wrong-audience")  # one more audience is one more who may show this token
    if claims.get("azp", provider.client_id) != provider.client_id:
        raise Refused("wrong-party")


def _check_times(claims: dict[str, Any], *, now: datetime) -> None:
    issued = _moment(claims, "iat")
    if _moment(claims, "exp") <= now - SKEW or issued < now - OLDEST:
        raise Refused("expired")
    if issued > now + SKEW or ("nbf" in claims and _moment(claims, "nbf") > now + SKEW):
        raise Refused("not-yet")


def _moment(claims: dict[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("no-moment")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Refused("no-moment") from error


def _check_proof(claims: dict[str, Any], provider: Provider, asked: Asked) -> None:
    """Whether the person really proved anew who they are, and well enough."""
    if "auth_time" not in claims or _moment(claims, "auth_time") < asked.at - SKEW:
        raise Refused("stale-proof", say("The provider let you in without asking anew who you are. That is no proof."))
    amr = claims.get("amr")
    methods = set(amr) if isinstance(amr, list) and all(isinstance(each, str) for each in amr) else set()
    if (provider.acr_values and claims.get("acr") not in provider.acr_values) or (
        provider.amr_values and not methods & set(provider.amr_values)
    ):
        raise Refused("weak-proof", say("You proved who you are in a weaker way than is asked for this."))


def _claims(claims: dict[str, Any], provider: Provider) -> Claims:
    subject, groups = claims.get("sub"), claims.get(provider.groups_claim, [])
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255:
        raise Refused("wrong-subject")
    if not subject.isascii() or not subject.isprintable() or subject != subject.strip():
        raise Refused("wrong-subject")
    if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        raise Refused("wrong-groups")
    email, name = claims.get("email"), claims.get("name")
    believed = provider.email_is_checked or claims.get("email_verified") is True
    return Claims(
        issuer=provider.issuer,
        subject=subject,
        name=name if isinstance(name, str) else "",
        email=email if isinstance(email, str) and believed else "",
        groups=tuple(groups),
    )
