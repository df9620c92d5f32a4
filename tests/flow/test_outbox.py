"""The outbox: each message is told once, sent by a real mail server over TLS, tried again, and shown when dead."""

import base64
import email
import email.policy
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from sqlmodel import select
from standardwebhooks import Webhook, WebhookVerificationError

from app.core import outbox
from app.core.db import Database
from app.core.outbox import Attachment, Channel, Letter, OutboxMessage, Sending
from app.core.post import Post
from app.core.settings import Settings
from tests.flow.mail_server import PASSWORD, USER
from tests.flow.runs_world import build
from tests.reliability import database as databases

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()


class Mail:
    """A running mail server, and what it took."""

    def __init__(self, folder: Path, mode: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.answer("250")
        certificate(folder / "server.pem", "127.0.0.1")
        script = Path(__file__).with_name("mail_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(folder), mode], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.mode = mode

    def answer(self, code: str) -> None:
        (self.folder / "answer").write_text(code)

    def taken(self) -> list[EmailMessage]:
        files = sorted(self.folder.glob("*.eml"))
        return [email.message_from_bytes(each.read_bytes(), policy=email.policy.default) for each in files]

    def settings(self, **more: Any) -> Settings:
        given: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": self.port, "smtp_security": self.mode}
        given |= {"smtp_from": "wissel@voorbeeld.example", "base_url": "https://wissel.example"}
        if self.mode != "none":
            given |= {"smtp_user": USER, "smtp_password": PASSWORD, "ca_file": self.folder / "server.pem"}
        return Settings(data_dir=self.folder, **(given | more))


def certificate(file: Path, host: str) -> None:
    """A certificate of our own for this address, with its key."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    made = made.add_extension(alternative, critical=False)
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))


@pytest.fixture(params=["starttls", "tls", "none"])
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mail]:
    made = Mail(tmp_path / "mail", request.param)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Mail]:
    made = Mail(tmp_path / "mail", "none")
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return build(tmp_path).database


def put(database: Database, key: str = "k", channel: Channel = Channel.MAIL, **more: Any) -> bool:
    given: dict[str, Any] = {
        "kind": "test",
        "subject": "Keur goed: é",
        "text": "Kijk en zeg ja of nee.",
        "href": "/runs/R",
    }
    given |= {"person_id": "approver", "address": "approver@example.nl"} if channel is Channel.MAIL else {}
    with database.transaction() as session:
        return outbox.post(session, Letter(key=key, **(given | more)), now=NOW, channel=channel)


def rows(database: Database) -> list[OutboxMessage]:
    with database.transaction(write=False) as session:
        return list(session.exec(select(OutboxMessage)))


def look(settings: Settings, database: Database, at: datetime = NOW) -> int:
    return Post(settings, database).look(lambda: at)


def test_a_message_goes_out_once_over_tls_with_its_link_and_its_files(mail: Mail, database: Database) -> None:
    calendar = Attachment("drill.ics", "text/calendar", b"BEGIN:VCALENDAR")
    assert put(database, attachments=(calendar,))
    assert not put(database), "told once, whoever posts it again"
    assert look(mail.settings(), database) == 1
    assert look(mail.settings(), database, NOW + timedelta(days=1)) == 0
    [letter] = mail.taken()
    assert (letter["To"], letter["Subject"]) == ("approver@example.nl", "Keur goed: é")
    body = letter.get_body()
    assert body is not None
    assert "https://wissel.example/runs/R" in body.get_content()
    [file] = letter.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("drill.ics", "text/calendar")
    [row] = rows(database)
    assert (row.state, row.tries, row.error) == (Sending.SENT, 1, "")
    assert letter["Message-ID"] == f"<{row.id}@voorbeeld.example>"


def test_a_server_whose_certificate_is_not_believed_gets_neither_password_nor_mail(
    tmp_path: Path, database: Database
) -> None:
    for mode in ("tls", "starttls"):
        mail = Mail(tmp_path / mode, mode)
        try:
            put(database, key=mode)
            look(mail.settings(ca_file=None), database)
            assert mail.taken() == []
        finally:
            mail.process.kill()
            mail.process.wait()
    assert {row.state for row in rows(database)} == {Sending.WAITING}
    assert all("CERTIFICATE" in row.error.upper() for row in rows(database))


def test_what_fails_for_a_while_is_tried_later_and_later_and_what_is_refused_for_good_is_dead_and_can_be_sent_again(
    plain: Mail, database: Database
) -> None:
    plain.answer("451")
    put(database)
    at, waits = NOW, []
    for _ in range(3):
        look(plain.settings(), database, at)
        [row] = rows(database)
        assert row.state is Sending.WAITING
        waits.append((row.next_at - at).total_seconds())
        assert look(plain.settings(), database, at) == 0, "not before its time"
        at = row.next_at
    assert waits == [30, 60, 120]
    plain.answer("550")
    look(plain.settings(), database, at)
    [row] = rows(database)
    assert (row.state, row.error[:3]) == (Sending.DEAD, "550")
    assert look(plain.settings(), database, at + timedelta(hours=5)) == 0
    plain.answer("250")
    with database.transaction() as session:
        outbox.again(session, row.id, now=at)
    look(plain.settings(), database, at)
    assert ([row.state for row in rows(database)], len(plain.taken())) == ([Sending.SENT], 1)


def test_after_so_many_tries_it_is_dead(plain: Mail, database: Database) -> None:
    plain.answer("451")
    put(database, until=NOW + timedelta(days=9))
    at = NOW
    for _ in range(outbox.MOST_TRIES):
        look(plain.settings(), database, at)
        at = rows(database)[0].next_at
    assert rows(database)[0].state is Sending.DEAD


def test_a_sender_that_was_lost_leaves_it_to_another_under_the_same_name(plain: Mail, database: Database) -> None:
    plain.answer("die")
    put(database)
    look(plain.settings(), database)  # the server has it, and we do not know
    look(plain.settings(), database, rows(database)[0].next_at)
    names = {letter["Message-ID"] for letter in plain.taken()}
    assert (len(plain.taken()), len(names)) == (2, 1), "a receiver that looks at the Message-ID sees it once"
    put(database, key="lost")
    with database.transaction() as session:
        taken = outbox.take(session, [Channel.MAIL], now=NOW)  # and then it dies
    assert taken is not None
    assert look(plain.settings(), database, NOW + timedelta(minutes=1)) == 0, "it may still be at it"
    assert look(plain.settings(), database, NOW + outbox.LEASE) == 1
    with database.transaction() as session:
        outbox.settle(session, taken.id, taken.tries, now=NOW, error="late", permanent=True)
    assert {row.state for row in rows(database)} == {Sending.SENT}, "what the lost one says later counts no more"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_many_senders_and_posters_at_once_send_each_message_once(
    kind: str, tmp_path: Path, plain: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.url(kind, tmp_path) as url:
        if kind == "postgresql":
            assert url is not None
            monkeypatch.setenv("WISSEL_TEST_POSTGRES", url)
        database = build(tmp_path).database
        posted: list[bool] = []

        def instance() -> None:
            posted.extend(put(database, key=f"k{number}") for number in range(10))
            for _ in range(30):
                look(plain.settings(), database)

        threads = [threading.Thread(target=instance) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sum(posted) == 10
        names = [letter["Message-ID"] for letter in plain.taken()]
        assert (len(names), len(set(names))) == (10, 10)
        database.dispose()


def test_without_a_mail_server_it_stands_in_wissel_and_no_old_mail_goes_out_when_one_comes(
    plain: Mail, database: Database
) -> None:
    put(database, until=NOW + timedelta(hours=1))
    bare = Settings(data_dir=plain.folder)
    assert look(bare, database) == 0
    with database.transaction(write=False) as session:
        assert [row.subject for row in outbox.for_person(session, "approver", now=NOW)] == ["Keur goed: é"]
        assert outbox.for_person(session, "owner", now=NOW) == []
    look(plain.settings(), database, NOW + timedelta(hours=2))
    assert (plain.taken(), [row.state for row in rows(database)]) == ([], [Sending.KEPT])


def test_nothing_in_a_message_can_become_a_header(plain: Mail, database: Database) -> None:
    put(database, subject="Run\r\nBcc: everybody@example.nl", key="one")
    put(database, address="a@example.nl\r\nBcc: b@example.nl", key="two")
    look(plain.settings(), database)
    [letter] = plain.taken()
    assert (letter["Bcc"], letter["Subject"]) == (None, "Run Bcc: everybody@example.nl")
    assert {row.key: row.state for row in rows(database)} == {"one": Sending.SENT, "two": Sending.DEAD}


class Receiver:
    """A program that listens for webhooks."""

    def __init__(self, codes: list[int]) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(codes.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


def test_an_alert_goes_out_as_a_signed_webhook_and_only_to_an_origin_that_is_listed(
    tmp_path: Path, database: Database
) -> None:
    receiver = Receiver([503, 200])
    given: dict[str, Any] = {"webhook_url": f"{receiver.origin}/hook", "webhook_secret": SECRET}
    settings = Settings(data_dir=tmp_path, outgoing=receiver.origin, **given)
    put(database, channel=Channel.WEBHOOK)
    look(Settings(data_dir=tmp_path, outgoing="", **given), database)
    assert receiver.got == []
    at = rows(database)[0].next_at
    look(settings, database, at)
    look(settings, database, rows(database)[0].next_at)
    assert [row.state for row in rows(database)] == [Sending.SENT]
    (first, _), (headers, body) = receiver.got
    assert first["webhook-id"] == headers["webhook-id"] == rows(database)[0].id
    event = Webhook(SECRET).verify(body, headers)
    assert (event["specversion"], event["type"], event["data"]["subject"]) == ("1.0", "wissel.test", "Keur goed: é")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"Keur", b"Kuer"), headers)
    assert json.loads(body)["id"] == rows(database)[0].id
    receiver.server.shutdown()


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_host": "mail.example"},
        {"smtp_host": "mail.example", "smtp_from": "a@b.example, c@d.example"},
        {"smtp_host": "mail.example", "smtp_from": "a@b.example", "smtp_user": "u"},
        {
            "smtp_host": "m.example",
            "smtp_from": "a@b.example",
            "smtp_user": "u",
            "smtp_password": "p",
            "smtp_security": "none",
        },
        {"webhook_url": "http://elsewhere.example/hook", "webhook_secret": SECRET},
        {"webhook_url": "https://elsewhere.example/hook"},
        {"webhook_url": "https://elsewhere.example/hook", "webhook_secret": "whsec_c2hvcnQ="},
    ],
)
def test_a_half_or_unsafe_setting_stops_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)
