"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for who lost it."""

import base64
import hashlib
import hmac
import io
import re
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
DIGITS = 6
BESIDE = 1
"""Steps before and after the present one whose code is taken too: clocks of telephones are not exact."""
RECOVERY_CODES = 10
_RECOVERY_BYTES = 10


def _generator(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS, enforce_key_length=False)  # noqa: S303 - what all apps know


def code_of(secret: bytes, step: int) -> str:
    """The code of one step."""
    return _generator(secret).generate(step * STEP_SECONDS).decode()


def step_at(moment: datetime) -> int:
    """The number of the thirty seconds that this moment lies in."""
    return int(moment.timestamp()) // STEP_SECONDS


def step_of(secret: bytes, code: str, *, now: datetime) -> int | None:
    """The step near `now` that has this code; None where none has. Each one near is compared, whichever fits."""
    given = re.sub(r"\s", "", code)
    found = None
    for step in range(step_at(now) - BESIDE, step_at(now) + BESIDE + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), given.encode("utf-8", "replace")):
            found = step
    return found


def shown(secret: bytes) -> str:
    """The secret as people type it into an app: letters and digits in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri(secret: bytes, *, account: str, issuer: str) -> str:
    """The address that an app reads out of the picture."""
    from urllib.parse import quote, urlencode

    name = f"{quote(issuer, safe='')}:{quote(account, safe='@')}"
    plain = base64.b32encode(secret).decode().rstrip("=")
    asked = {"secret": plain, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS, "algorithm": "SHA1"}
    return f"otpauth://totp/{name}?{urlencode(asked)}"


def picture(address: str) -> str:
    """The address as a QR code in SVG, without any style of its own: dark on light in every theme, for cameras."""
    import segno  # five megabytes for what is drawn once for each person

    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgclass="qr", lineclass="qr-dark", light="#fff", omitsize=True, nl=False
    )
    return out.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Fresh codes, each for once."""
    texts = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    return ["-".join(text[at : at + 4] for at in range(0, len(text), 4)) for text in texts]


def recovery_hash(code: str) -> str:
    """How a recovery code is kept: it has 80 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(re.sub(r"[^a-z2-7]", "", code.casefold()).encode()).hexdigest()
