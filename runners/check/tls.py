"""Looks at the certificate that a server shows: its chain, its name, how long it is valid, and whose key it is.

`cryptography` is loaded at the first look: every process of Wissel imports every driver, and few ever look at TLS.
"""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from runners.contract import (
    Context,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    SecretMissing,
    SecretRef,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import Looking
from runners.origins import NotAnswered, Origin, UrlRefused, allowed_address, connect

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.x509 import Certificate

MARGIN = 0.3
ONE_LOOK = 10.0


class CheckTlsParams(Frozen):
    """Connects with TLS 1.2 or newer and checks what the server shows.

    Proves: the chain leads to an authority that this machine (or `ca`) trusts, the name is in the certificate, it is
    valid for at least `valid_for` more, and with `key` that the private key on our side belongs to it.
    Cannot see: whether it was revoked; other servers behind the same name.
    Needs: the address on the site's list (`tcp`).
    Bad input: a refused address, an unreadable `ca` or a key that is not held here is *could not look*; a wrong
    chain, name, term or key is *failed*, with the figures of the certificate that was shown.
    """

    address: str
    """``host:port``."""
    name: str | None = None
    """Name that the certificate must bear; default: the host of the address."""
    valid_for: Annotated[timedelta, Field(ge=timedelta(0))] = timedelta(days=14)
    ca: str | None = None
    """Absolute path of a file of trusted authorities (PEM); default: the machine's own."""
    key: SecretRef | None = None
    """Private or public key (PEM) that must be the certificate's own."""


class CheckTls(Looking):
    """``check.tls``: one verified handshake; an unverified one only to say what is wrong."""

    name = "check.tls"
    Params = CheckTlsParams

    def preview(self, params: CheckTlsParams, context: Context) -> Preview:
        """The one handshake."""
        name = params.name or params.address.rpartition(":")[0]
        calls = (f"TLS handshake with {params.address} for the name {name}",)
        return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))

    def run(self, params: CheckTlsParams, context: Context) -> Outcome:
        """Connect, and judge what was shown."""
        try:
            wanted = allowed_address(params.address, context.policy.tcp)
            trust = _trust(params)
            ours = _our_key(params, context)
            return _judge(wanted, params, trust, ours, context)
        except UrlRefused as error:
            return could_not_look(f"Dit adres mag hier niet: {error}.", f"This address is refused: {error}.")
        except _Unusable as error:
            return could_not_look(error.text.nl, error.text.en)
        except NotAnswered as error:
            answer = failed if error.looked else could_not_look
            return answer(f"Er antwoordt niets: {error}.", f"Nothing answers: {error}.")


class _Unusable(Exception):
    def __init__(self, nl: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(nl=nl, en=en)


def _judge(
    wanted: Origin, params: CheckTlsParams, trust: ssl.SSLContext, ours: bytes | None, context: Context
) -> Outcome:
    try:
        shown, version = _handshake(wanted, params, trust, context)
    except ssl.SSLCertVerificationError as error:
        figures = _unverified(wanted, params, context)
        nl = f"Het certificaat wordt niet vertrouwd: {error.verify_message}."
        return failed(nl, f"The certificate is not trusted: {error.verify_message}.", *figures)
    figures = (*_figures(shown), Measurement(name="tls_version", value=version))
    left = shown.not_valid_after_utc - datetime.now(UTC)
    if left < params.valid_for:
        days = max(0.0, left / timedelta(days=1))
        wished = params.valid_for / timedelta(days=1)
        nl = f"Het certificaat is nog {days:.1f} dagen geldig; {wished:g} dagen is het minste."
        return failed(nl, f"The certificate is valid for {days:.1f} days; at least {wished:g} are asked.", *figures)
    if ours is not None and ours != _spki(shown.public_key()):
        nl = "De sleutel aan onze kant hoort niet bij dit certificaat."
        return failed(nl, "The key on our side does not belong to this certificate.", *figures)
    return passed("Het certificaat klopt.", "The certificate is right.", *figures)


def _handshake(
    wanted: Origin, params: CheckTlsParams, trust: ssl.SSLContext, context: Context
) -> "tuple[Certificate, str]":
    from cryptography.x509 import load_der_x509_certificate

    plain = connect(wanted, min(ONE_LOOK, context.remaining() - MARGIN))
    try:
        with trust.wrap_socket(plain, server_hostname=params.name or wanted.host) as plug:
            shown = plug.getpeercert(binary_form=True)
            if shown is None:
                raise NotAnswered("the server showed no certificate", looked=True)
            return load_der_x509_certificate(shown), plug.version() or ""
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, ValueError) as error:
        raise NotAnswered(f"no TLS: {error}", looked=True) from error
    finally:
        plain.close()


def _unverified(wanted: Origin, params: CheckTlsParams, context: Context) -> tuple[Measurement, ...]:
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    try:
        return _figures(_handshake(wanted, params, blind, context)[0])
    except NotAnswered:
        return ()


def _figures(shown: "Certificate") -> tuple[Measurement, ...]:
    from cryptography.hazmat.primitives.hashes import SHA256

    left = (shown.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)
    return (
        Measurement(name="days_left", value=round(left, 2), unit="days"),
        Measurement(name="valid_until", value=shown.not_valid_after_utc.isoformat()),
        Measurement(name="subject", value=shown.subject.rfc4514_string()),
        Measurement(name="issuer", value=shown.issuer.rfc4514_string()),
        Measurement(name="fingerprint", value=shown.fingerprint(SHA256()).hex()),
    )


def _trust(params: CheckTlsParams) -> ssl.SSLContext:
    try:
        if params.ca is not None and not Path(params.ca).is_absolute():
            raise _Unusable("'ca' moet een absoluut pad zijn.", "'ca' must be an absolute path.")
        return ssl.create_default_context(cafile=params.ca)
    except OSError as error:
        nl = f"De vertrouwde certificaten in {params.ca} zijn niet te lezen."
        raise _Unusable(nl, f"The trusted certificates in {params.ca} cannot be read.") from error


def _our_key(params: CheckTlsParams, context: Context) -> bytes | None:
    if params.key is None:
        return None
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    try:
        text = context.secret(params.key).encode()
        if b"PRIVATE KEY" in text:
            return _spki(load_pem_private_key(text, password=None).public_key())
        return _spki(load_pem_public_key(text))
    except SecretMissing as error:
        nl, en = f"Deze locatie heeft {params.key} niet.", f"This site does not hold {params.key}."
        raise _Unusable(nl, en) from error
    except (ValueError, TypeError) as error:
        nl, en = f"{params.key} is geen leesbare sleutel (PEM).", f"{params.key} is not a readable key (PEM)."
        raise _Unusable(nl, en) from error


def _spki(key: "PublicKeyTypes") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
