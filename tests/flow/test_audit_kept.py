"""What is done with the audit log again and again: verified, told when broken, and its heads brought elsewhere."""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlmodel import select

from app import keeping
from app.core import clock
from app.core.audit import AuditCheckpoint, chain, der
from app.core.audit.keeper import Keeper
from app.core.audit.outside import AuditLook, AuditStamp, trouble
from app.core.audit.signing import as_line
from app.core.audit.verify_audit import Head, canonical, sha256
from tests.flow.audit_log import Log, new_log
from tests.flow.test_audit_verifier import past_the_walls
from tests.flow.whole import settings_in


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = new_log(tmp_path / "data")
    yield made
    made.database.dispose()


@contextmanager
def listening(answer) -> Iterator[str]:
    """A server on loopback whose POST gives what `answer` makes of the body: status, type, content."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def with_settings(log: Log, **more) -> Keeper:
    log.settings = log.settings.model_copy(update=more)
    return Keeper(log.settings, log.database)


def looks(log: Log) -> list[AuditLook]:
    with log.database.transaction(write=False) as session:
        return list(session.exec(select(AuditLook).order_by(AuditLook.id)))


def test_it_is_verified_at_a_start_and_each_day(log: Log) -> None:
    log.write(5)
    keeper, now = Keeper(log.settings, log.database), clock.now()
    for hours in (0, 1, 23, 25, 26):
        keeper.look(now=now + timedelta(hours=hours))
    assert len(looks(log)) == 2
    Keeper(log.settings, log.database).look(now=now + timedelta(hours=27))
    assert [each.broken for each in looks(log)] == ["", "", ""]


def test_a_broken_log_is_told_on_the_pages_of_those_who_must_know_and_stops_nothing(whole) -> None:
    made = Log(whole.settings, whole.database)
    Keeper(made.settings, made.database).look(now=clock.now())
    whole.database.dispose()
    past_the_walls(whole.settings.data_dir / "wissel.db", "UPDATE audit_event SET actor = 'x' WHERE id = 3")
    assert whole.ask("GET", "/readyz").json()["audit"] == "ok"
    Keeper(made.settings, made.database).look(now=clock.now())
    with made.database.transaction(write=False) as session:
        assert "is not what it was" in (trouble(session) or "")
    answer = whole.ask("GET", "/readyz")
    assert (answer.status_code, "not what it was" in answer.json()["audit"]) == (200, True)
    assert "not what it was" in whole.ok("GET", "/audit-head", by="auditor")["broken"]
    whole.service()


def test_who_cuts_what_the_last_verification_saw_is_found_at_the_next(log: Log) -> None:
    log.write(5)
    keeper = Keeper(log.settings, log.database)
    assert keeper.verify(now=clock.now())["ok"]
    log.database.dispose()
    file = log.settings.data_dir / "wissel.db"
    last = "(SELECT max(seq) FROM audit_link)"
    past_the_walls(
        file, f"DELETE FROM audit_private WHERE event_id = (SELECT event_id FROM audit_link WHERE seq = {last})"
    )
    past_the_walls(file, f"DELETE FROM audit_event WHERE id = (SELECT event_id FROM audit_link WHERE seq = {last})")
    past_the_walls(file, f"DELETE FROM audit_link WHERE seq = {last}")
    assert not keeper.verify(now=clock.now())["ok"]


def test_heads_are_appended_to_a_file_each_once_by_one_instance(log: Log, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.jsonl"
    keeper = with_settings(log, audit_push_file=file)
    for _ in range(3):
        log.write(3)
        log.sign()
        keeper.pusher.push(now=clock.now())
        keeper.pusher.push(now=clock.now())
    with_settings(log, audit_push_file=file).pusher.push(now=clock.now())
    told = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [each["checkpoint"]["number"] for each in told] == [1, 2, 3]
    assert log.verified(*(Head.of(each["head"]) for each in told))["ok"]


def test_a_head_that_an_address_does_not_take_is_brought_again(log: Log) -> None:
    got: list[dict] = []
    answers = iter([500, 503, 200, 200])

    def answer(body: bytes):
        status = next(answers)
        if status == 200:
            got.append(json.loads(body))
        return status, "text/plain", b""

    with listening(answer) as origin:
        keeper = with_settings(log, audit_push_url=f"{origin}/heads", outgoing=origin)
        log.write(3)
        log.sign()
        for expected in (True, True, False, False):
            keeper.pusher.push(now=clock.now())
            assert bool(keeper.pusher.trouble) == expected
        log.write(3)
        log.sign()
        keeper.pusher.push(now=clock.now())
    assert [each["checkpoint"]["number"] for each in got] == [1, 2]


def test_an_address_that_is_not_on_the_list_gets_nothing(log: Log) -> None:
    got = []
    with listening(lambda body: (200, "text/plain", got.append(body) or b"")) as origin:
        keeper = with_settings(log, audit_push_url=f"{origin}/heads", outgoing="")
        log.write(3)
        log.sign()
        keeper.pusher.push(now=clock.now())
    assert got == []
    assert keeper.pusher.trouble


class Authority:
    """A time-stamping authority of our own: openssl answers what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = (
            "[tsa]\ndefault_tsa = own\n[own]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
            "signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\ness_cert_id_alg = sha256\n"
        )
        (folder / "tsa.cnf").write_text(config)
        (folder / "serial").write_text("01\n")
        (folder / "ext.cnf").write_text(
            "[req]\ndistinguished_name=dn\n[dn]\n[v3]\nbasicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n"
        )
        self.openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "2"),
            *("-subj", "/CN=tsa", "-config", "ext.cnf", "-extensions", "v3"),
        )

    def openssl(self, *arguments: str) -> subprocess.CompletedProcess:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done

    def answer(self, query: bytes):
        (self.folder / "query").write_bytes(query)
        self.openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
        return 200, "application/timestamp-reply", (self.folder / "reply").read_bytes()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        message = "not run: openssl is not installed"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    folder = tmp_path / "tsa"
    folder.mkdir()
    return Authority(folder)


def test_a_head_is_stamped_by_an_authority_and_openssl_agrees(log: Log, authority: Authority) -> None:
    with listening(authority.answer) as origin:
        keeper = with_settings(log, audit_stamp_url=origin, outgoing=origin)
        log.write(3)
        log.sign()
        for _ in range(2):
            keeper.pusher.push(now=clock.now())
    assert keeper.pusher.trouble == {}
    with log.database.transaction(write=False) as session:
        stamp = session.exec(select(AuditStamp)).one()
        line = canonical(as_line(session.get_one(AuditCheckpoint, stamp.number), chain.name(session)))
    (authority.folder / "stamp.tsr").write_bytes(base64.b64decode(stamp.answer))
    verify = ("ts", "-verify", "-digest", sha256(line), "-in", "stamp.tsr", "-CAfile", "tsa.pem")
    assert b"OK" in authority.openssl(*verify).stdout
    wrong = subprocess.run(
        ["openssl", *verify[:3], sha256(line + b"x"), *verify[4:]], cwd=authority.folder, capture_output=True
    )
    assert wrong.returncode != 0


def test_an_answer_that_grants_nothing_or_something_else_is_not_kept(log: Log, authority: Authority) -> None:
    def of_another(query: bytes):
        return authority.answer(der.stamp_query(bytes(32), 7))

    refused = der._put(0x30, der._put(0x30, der._number(2)))
    for answer in (of_another, lambda _: (200, "x/y", refused), lambda _: (200, "x/y", b"nonsense")):
        with listening(answer) as origin:
            keeper = with_settings(log, audit_stamp_url=origin, outgoing=origin)
            log.write(1)
            log.sign()
            keeper.pusher.push(now=clock.now())
        assert "time stamp" in keeper.pusher.trouble
    with log.database.transaction(write=False) as session:
        assert session.exec(select(AuditStamp)).all() == []


def test_it_verifies_after_backup_and_restore_against_a_head_of_before_and_goes_on(
    log: Log, tmp_path: Path, postgres
) -> None:
    log.write(25)
    head = log.sign()
    keeping.backup(log.settings, tmp_path / "backup.zip", told=lambda *_: None)
    for kind, url in (("sqlite", None), ("postgresql", postgres.empty())):
        settings = settings_in(tmp_path / kind, database_url=url)
        keeping.restore(settings, tmp_path / "backup.zip", expected=None, told=lambda *_: None)
        from app.core.db import Database

        after = Log(settings, Database(settings.url))
        assert after.head().seq == head.seq + 1, "the restore itself is an event"
        assert after.verified(head)["ok"]
        after.write(5)
        later = after.sign()
        report = after.verified(head, later)
        assert report["ok"]
        assert len(report["keys"]) == 2, "the key is not in the backup: the restored one has its own, and says so"
        after.database.dispose()


def wissel(log: Log, *arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WISSEL_")}
    environment["WISSEL_DATA_DIR"] = str(log.settings.data_dir)
    command = [sys.executable, "-m", "app", "verify-audit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_command_verifies_the_database_and_an_export(log: Log, tmp_path: Path) -> None:
    log.write(5)
    head = log.sign()
    file = log.export(tmp_path / "log.jsonl")
    for more in ((), ("--export", str(file))):
        done = wissel(log, "--head", str(head), "--json", *more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["head"] == str(head)
        assert wissel(log, "--head", f"{head.seq + 1}:{head.hash}", *more).returncode == 1
    assert "unbroken" in wissel(log).stdout
    assert wissel(log, "--head", "x").returncode == 2
    assert wissel(log, "--export", str(tmp_path / "none")).returncode == 3
    log.database.dispose()
    past_the_walls(log.settings.data_dir / "wissel.db", "UPDATE audit_event SET actor = 'x' WHERE id = 3")
    assert wissel(log).returncode == 1
