"""Settings of what is sent to people and programs: a mail server, and one address for signed webhooks."""

import base64
import binascii
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class PostSettings(BaseSettings):
    """Everything that the outbox needs to send; without it all that is told stands in Wissel only."""

    smtp_host: str | None = None
    """Mail server; None: messages are shown in Wissel only."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` only without a password, or to this machine itself."""
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_password_file: Path | None = None
    """File with the password, instead of the password."""
    smtp_from: str = ""
    """Address from which it is sent; must be given with a mail server."""
    webhook_url: str | None = None
    """Address that is told of alerts; its origin must be in ``WISSEL_OUTGOING``."""
    webhook_secret: SecretStr | None = None
    """``whsec_`` and at least 24 random bytes in base64, as Standard Webhooks has it."""

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:
        if self.smtp_host is None:
            return self
        if "@" not in self.smtp_from or any(sign in self.smtp_from for sign in "\r\n<>, "):
            raise ValueError("smtp_from: give the one address from which mail is sent")
        passwords = [each for each in (self.smtp_password, self.smtp_password_file) if each is not None]
        if bool(self.smtp_user) != bool(passwords) or len(passwords) > 1:
            raise ValueError("smtp: give a user with one password or password file, or none of these")
        if self.smtp_security == "none" and self.smtp_user and self.smtp_host not in LOOPBACK:
            raise ValueError("smtp_security: a password is never sent in plain text; use starttls or tls")
        return self

    @model_validator(mode="after")
    def _webhook_is_whole(self) -> Self:
        if self.webhook_url is None:
            return self
        parts = urlsplit(self.webhook_url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("webhook_url: https only, but for a program on this machine")
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith("whsec_") or len(key) < 24:
            raise ValueError("webhook_secret: whsec_ and at least 24 random bytes in base64")
        return self

    def mail_password(self) -> str:
        """The password of the mail server; read anew each time, for it may be renewed. Raises OSError."""
        if self.smtp_password_file is not None:
            return self.smtp_password_file.read_text(encoding="utf-8").strip()
        return self.smtp_password.get_secret_value() if self.smtp_password else ""
