"""Seals secrets that the database must hold but must not tell: the key lies in a file beside it, for us alone."""

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.settings import Settings

KEY_BYTES = 32
_NONCE_BYTES = 12


class NotOpened(Exception):
    """A sealed secret does not open with this key: the file is another one than it was sealed with."""


class Sealer:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._box = AESGCM(hashlib.sha256(b"seal:" + key).digest())

    def seal(self, secret: bytes, *, owner: str) -> str:
        """The secret as text that only opens for the same owner: a row moved to another person opens no more."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._box.encrypt(nonce, secret, owner.encode())).decode()

    def open(self, sealed: str, *, owner: str) -> bytes:
        """The secret again. Raises `NotOpened`."""
        raw = base64.b64decode(sealed)
        try:
            return self._box.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode())
        except InvalidTag as error:
            raise NotOpened from error

    def derive(self, purpose: str, length: int = 20) -> bytes:
        """Bytes that nobody without the key can guess, the same each time for one purpose."""
        return hmac.new(self._key, b"derive:" + purpose.encode(), hashlib.sha256).digest()[:length]


def sealer(settings: Settings) -> Sealer:
    """The sealer of this installation; its key is made where there is none yet. Raises OSError."""
    return _of(settings.sign_in_key_file or settings.data_dir.absolute() / "sign-in.key")


@cache
def _of(file: Path) -> Sealer:
    with suppress(FileNotFoundError):
        return Sealer(_read(file))
    half = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(KEY_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(half, file)  # never over one that another process made at this very moment
    finally:
        half.unlink(missing_ok=True)
    return Sealer(_read(file))


def _read(file: Path) -> bytes:
    key = bytes.fromhex(file.read_text("ascii").strip())
    if len(key) != KEY_BYTES:
        raise OSError(f"{file} is no key of Wissel: {KEY_BYTES} bytes in hexadecimal are expected")
    return key
