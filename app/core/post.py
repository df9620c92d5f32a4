"""Sends what stands in the outbox: by mail over TLS, and as signed webhooks (Standard Webhooks)."""

import base64
import json
import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import structlog
from prometheus_client import Gauge
from sqlmodel import col, func, select
from standardwebhooks import Webhook

from app.core import clock, outbox, outgoing
from app.core.db import Database
from app.core.outbox import Channel, OutboxMessage, Sending
from app.core.settings import Settings

log = structlog.get_logger()
SECONDS = 20.0
"""For each answer of the mail server; less than the lease of a message."""
AT_ONCE = 50
_STATES = Gauge("wissel_outbox_messages", "Messages of the outbox, by how far they are", ["state"])


class NotSent(Exception):
    """A message did not leave; `permanent`: trying again is of no use."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.permanent = permanent


class Post:
    """The senders that this process is set up for."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._ways: dict[Channel, Callable[[OutboxMessage], None]] = {}
        if settings.smtp_host is not None:
            self._ways[Channel.MAIL] = self._mail
        if settings.webhook_url is not None:
            self._ways[Channel.WEBHOOK] = self._call

    def look(self, now: Callable[[], datetime]) -> int:
        """Send what is due; how many were tried. No transaction is open while a message is under way."""
        tried = 0
        with self._database.transaction(write=False) as session:
            due = outbox.has_due(session, list(self._ways), now=now())
        if due:
            with self._database.transaction() as session:
                outbox.lapse(session, now=now())
            while tried < AT_ONCE and self._ways and self._one(now):
                tried += 1
        self._count()
        return tried

    def _one(self, now: Callable[[], datetime]) -> bool:
        with self._database.transaction() as session:
            row = outbox.take(session, list(self._ways), now=now())
        if row is None:
            return False
        error, permanent = "", False
        try:
            self._ways[row.channel](row)
        except NotSent as reason:
            error, permanent = str(reason) or "refused", reason.permanent
            log.warning("a message was not sent", message=row.id, kind=row.kind, error=error, tries=row.tries)
        with self._database.transaction() as session:
            outbox.settle(session, row.id, row.tries, now=now(), error=error, permanent=permanent)
        return True

    def _count(self) -> None:
        table = OutboxMessage
        with self._database.transaction(write=False) as session:
            found = dict(session.exec(select(table.state, func.count()).group_by(col(table.state))).all())
        for state in Sending:
            _STATES.labels(state.value).set(found.get(state, 0))

    def _mail(self, row: OutboxMessage) -> None:
        try:
            letter = written(row, self._settings)
        except ValueError as error:  # an address that is none: a header is never made of it
            raise NotSent(f"this can be no mail: {error}", permanent=True) from error
        try:
            with _server(self._settings) as server:
                server.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise NotSent(f"{code} {text.decode(errors='replace')}", permanent=code >= 500) from error
        except smtplib.SMTPSenderRefused as error:
            raise NotSent(f"{error.smtp_code} the sender was refused") from error
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(f"{error.smtp_code} the mail server refused our password") from error
        except smtplib.SMTPDataError as error:
            raise NotSent(f"{error.smtp_code} {error.smtp_error!r}", permanent=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error

    def _call(self, row: OutboxMessage) -> None:
        settings, body, at = self._settings, event(row, self._settings), clock.now()
        secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
        signed = Webhook(secret).sign(row.id, at, body)
        headers = {
            "Content-Type": "application/cloudevents+json",
            "webhook-id": row.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signed,
        }
        try:
            with outgoing.client(settings) as client:
                answer = client.post(settings.webhook_url or "", content=body, headers=headers)
        except outgoing.HTTPError as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error
        if not answer.is_success:
            raise NotSent(f"answered {answer.status_code}", permanent=answer.status_code == 410)


def written(row: OutboxMessage, settings: Settings) -> EmailMessage:
    """The mail: plain text, a link to the page, and a Message-ID that stays the same with each try."""
    letter = EmailMessage()
    letter["From"] = Address(settings.organisation, addr_spec=settings.smtp_from)
    letter["To"] = Address(addr_spec=row.address)
    letter["Subject"] = row.subject
    letter["Date"] = format_datetime(row.created_at)
    letter["Message-ID"] = f"<{row.id}@{settings.smtp_from.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    link = f"\n\n{(settings.base_url or '').rstrip('/')}{row.href}\n" if row.href and settings.base_url else "\n"
    letter.set_content(row.text + link)
    for each in row.attachments:
        kind, _, part = str(each["mediaType"]).partition("/")
        content = base64.b64decode(each["content"])
        letter.add_attachment(content, maintype=kind, subtype=part or "octet-stream", filename=str(each["name"]))
    return letter


def event(row: OutboxMessage, settings: Settings) -> str:
    """The webhook's body: a CloudEvent of the alert."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": row.id,
            "source": settings.base_url or "urn:wissel",
            "type": f"wissel.{row.kind}",
            "time": row.created_at.isoformat(),
            "datacontenttype": "application/json",
            "data": {"key": row.key, "subject": row.subject, "text": row.text, "href": row.href},
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _server(settings: Settings) -> smtplib.SMTP:
    """A connection to the mail server: over TLS with its certificate checked, and signed in where that is asked."""
    host, port = settings.smtp_host or "", settings.smtp_port
    trusted = ssl.create_default_context()
    if settings.ca_file is not None:
        trusted.load_verify_locations(settings.ca_file)
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=trusted)
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=trusted)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.mail_password())
    except BaseException:
        server.close()
        raise
    return server
