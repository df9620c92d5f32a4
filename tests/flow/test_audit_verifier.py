"""The verifier refuses every change of a log of a thousand events against a kept head, and blind ones are found out."""

import copy
import json
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.core.audit import verify_audit
from app.core.audit.signing import Signer
from app.core.audit.verify_audit import Broken, Head, Verifier, canonical, is_signed, sha256
from tests.flow.audit_log import Log, broken, new_log
from tests.reliability.figures import told

EVENTS = 1_000


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Iterator[Log]:
    made = new_log(tmp_path_factory.mktemp("log"))
    for _ in range(10):
        made.write(EVENTS // 10)
        Signer(made.settings).sign(made.database, now=datetime.now(UTC), at_once=True)
    yield made
    made.database.dispose()


@pytest.fixture(scope="module")
def lines(log: Log) -> list[bytes]:
    return log.lines()


@pytest.fixture(scope="module")
def head(log: Log) -> Head:
    return log.head()


def copied(verifier: Verifier) -> Verifier:
    """As `copy.deepcopy`, which takes longer than to verify a line."""
    made = copy.copy(verifier)
    for name in ("open", "gone", "keys", "erased", "met"):
        setattr(made, name, copy.copy(getattr(verifier, name)))
    return made


def states(lines: list[bytes], head: Head) -> Iterator[Verifier]:
    """The verifier as it stands before each line: what came before need not be read again for each change."""
    verifier = Verifier([head])
    for line in lines:
        yield copied(verifier)
        verifier.feed(line)


def goes_on(before: Verifier, rest: list[bytes]) -> bool:
    """Whether the verifier, from this state on, takes these lines to their end."""
    verifier = copied(before)
    try:
        for line in rest:
            verifier.feed(line)
        verifier.end()
    except Broken:
        return False
    return True


def test_the_log_is_unbroken(lines, head):
    assert len([line for line in lines if b'"action"' in line]) >= EVENTS
    assert broken(lines, head) == ""


def test_every_byte_that_is_another_one_is_refused(lines, head):
    """One wrong bit in each byte of the file, its line ends included; another value too in each tenth."""
    chance, tried = random.Random(1), 0
    for at, before in enumerate(states(lines, head)):
        line = lines[at]
        for place in range(len(line) + 1):
            flips = {1 << chance.randrange(8)} | ({chance.randrange(1, 256)} if place % 10 == 0 else set())
            for flip in flips:
                changed = bytearray(line + b"\n")
                changed[place] ^= flip
                if place == len(line):  # the line end: this line and the next are one
                    rest = [bytes(changed) + b"".join(lines[at + 1 : at + 2]), *lines[at + 2 :]]
                else:
                    rest = [*bytes(changed[:-1]).split(b"\n"), *lines[at + 1 :]]
                assert not goes_on(before, rest), (at, place, flip)
                tried += 1
    told("audit log of 1,000 events: single bytes flipped", f"{tried:,} of {tried:,} refused")
    assert tried > 300_000


def test_every_line_that_is_cut_out_is_refused(lines, head):
    for at, before in enumerate(states(lines, head)):
        assert not goes_on(before, lines[at + 1 :]), lines[at]


def test_every_cut_end_is_refused_with_a_last_line_that_fits(lines, head):
    """Who cuts writes a last line of their own."""
    verifier, kept = Verifier(), 0
    for line in lines[:-1]:
        if b'"action"' in line and verifier.seq:
            ended = canonical({"head": str(verifier.head)})
            cut = copied(verifier)
            cut.kept = [head]
            with pytest.raises(Broken, match="kept head"):
                finished(cut, ended)
            kept += 1
        verifier.feed(line)
    assert kept >= EVENTS - 1


def finished(verifier: Verifier, line: bytes) -> None:
    verifier.feed(line)
    verifier.end()


def test_every_two_lines_that_change_places_are_refused(lines, head):
    for at, before in enumerate(states(lines, head)):
        if at + 1 < len(lines):
            assert not goes_on(before, [lines[at + 1], lines[at], *lines[at + 2 :]])


def test_any_two_lines_that_change_places_are_refused(lines, head):
    chance = random.Random(2)
    for _ in range(200):
        one, other = sorted(chance.sample(range(len(lines)), 2))
        swapped = list(lines)
        swapped[one], swapped[other] = swapped[other], swapped[one]
        assert broken(swapped, head)


def test_every_line_that_is_put_in_is_refused(lines, head):
    event = json.loads(next(line for line in lines if b"run.told" in line))
    for at, before in enumerate(states(lines, head)):
        forged = canonical(event | {"seq": before.seq + 1, "prev": before.hash})
        for line in (forged, lines[at], b""):
            assert not goes_on(before, [line, *lines[at:]]), at


def written_anew(lines: list[bytes], key: Ed25519PrivateKey, **changed: str) -> tuple[list[bytes], Head]:
    """The log by somebody with a key of their own: every hash and signature fits, `changed` is in the 500th event."""
    public = key.public_key().public_bytes_raw().hex()
    made, prev, verifier, signed, last = [], "", Verifier(), "0" * 64, Head(0, "")
    for line in lines[:-1]:
        row = json.loads(line)
        if "action" in row:
            row["prev"] = prev
            row |= changed if row["seq"] == EVENTS // 2 else {}
            if row["action"] == "audit.key-announced":
                row["detail"]["key"], row["object"]["id"] = public, public
            prev = sha256(canonical(row))
        elif "signature" in row:
            row |= {"hash": prev, "key": public, "prev": signed}
            row.pop("signature")
            row["signature"] = key.sign(canonical(row)).hex()
            signed = sha256(canonical(row))
        elif "format" in row:
            prev = sha256(line)
        made.append(canonical(row))
        verifier.feed(made[-1])
        last = verifier.head
    return [*made, canonical({"head": str(last)})], last


def test_a_log_that_was_written_anew_is_refused_by_a_head_or_a_key_that_was_kept(lines, head, log):
    anew, own = written_anew(lines, Ed25519PrivateKey.generate(), actor="person:innocent")
    assert broken(anew) == "", "within itself it is without fault: so a head must be kept elsewhere"
    assert broken(anew, own) == ""
    assert "written anew" in broken(anew, head)
    for kept in (Head(head.seq, head.hash), Head(500, sha256(lines[0]))):
        assert broken(anew, kept)
    report, status = verify_audit.run(anew, (), [Signer(log.settings).public])
    assert (report["ok"], status) == (False, 1)


def test_each_earlier_head_is_met_and_none_that_never_was(lines, head):
    heads, verifier = [], Verifier()
    for line in lines[:-1]:
        verifier.feed(line)
        if verifier.seq and b'"signature"' in line:
            heads.append(verifier.head)
    assert len(heads) >= 10
    assert broken(lines, *heads) == ""
    for each in heads:
        plain = Head(each.seq, each.hash)
        assert broken(lines, plain) == ""
        assert broken(lines, Head(each.seq, each.hash, each.number, "0" * 128))
        assert broken(lines, Head(each.seq + 1, each.hash))
    assert broken(lines, Head(head.seq + 1, head.hash))


def small(*, seq: int = 2, signature: str = "", text: str = "a", prev: str = "", ends: bool = True) -> list[bytes]:
    """A log of two events by hand, with one fault; whatever stands after the fault fits it."""
    own = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = own.public_key().public_bytes_raw().hex()
    first = canonical({"chain": "c", "format": verify_audit.FORMAT})
    row = {"actor": "a", "at": "2026-01-01T00:00:00.000000Z", "object": {}, "origin": "", "result": "done"}
    one = canonical(row | {"action": "audit.key-announced", "detail": {"key": key}, "prev": sha256(first), "seq": 1})
    detail = {"reason": {"sealed": verify_audit.commitment("00", "a")}}
    two = canonical(row | {"action": "b", "detail": detail, "prev": prev or sha256(one), "seq": seq})
    private = canonical({"of": seq, "path": "/reason", "salt": "00", "value": text})
    plain = {"at": row["at"], "chain": "c", "hash": sha256(two), "key": key, "number": 1, "prev": "0" * 64, "seq": seq}
    signature = signature or own.sign(canonical(plain)).hex()
    head = canonical({"head": str(Head(seq, sha256(two), 1, signature))})
    return [first, one, two, private, canonical(plain | {"signature": signature}), *([head] if ends else [])]


BLIND = {
    "does not look at hashes": ("_event", lambda self, told, line: _skip(self, told, "prev", line), {"prev": "f" * 64}),
    "does not count": ("_event", lambda self, told, line: _count_on(self, told, line), {"seq": 3}),
    "takes any signature": ("_checkpoint", lambda self, told, line: _sign(self, told), {"signature": "0" * 128}),
    "does not look at the texts": ("_private", lambda self, told: self.open.pop(told["path"], None), {"text": "b"}),
    "takes any end": ("end", lambda self: None, {"ends": False}),
}


def _skip(self: Verifier, told: dict, name: str, line: bytes) -> None:
    Verifier._sound_event(self, told | {name: self.hash}, line)


def _count_on(self: Verifier, told: dict, line: bytes) -> None:
    self.seq = told["seq"] - 1
    Verifier._sound_event(self, told, line)


def _sign(self: Verifier, told: dict) -> None:
    self.number, self.signature = told["number"], told["signature"]


@pytest.mark.parametrize("weakness", BLIND)
def test_a_verifier_that_is_blind_is_found_out(weakness, monkeypatch):
    """Each fault is refused by the verifier as it is, and would be taken by one that does not look there."""
    name, blind, fault = BLIND[weakness]
    assert not _refused(small())
    assert _refused(small(**fault))
    monkeypatch.setattr(Verifier, "_sound_event", Verifier._event, raising=False)
    monkeypatch.setattr(Verifier, name, blind)
    assert not _refused(small(**fault))


def _refused(lines: list[bytes]) -> bool:
    try:
        verify_audit.verify(lines)
    except Broken:
        return True
    return False


# ---- in the database ------------------------------------------------------------------------------------------------


def past_the_walls(file: Path, statement: str) -> None:
    """As one who owns the file: without triggers and foreign keys."""
    link = sqlite3.connect(file)
    link.execute("PRAGMA foreign_keys=OFF")
    for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        link.execute(f"DROP TRIGGER {name}")
    assert link.execute(statement).rowcount
    link.commit()
    link.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor = 'person:other' WHERE id = 5",
        "UPDATE audit_event SET detail = replace(detail, ': ', ':' || char(10)) WHERE id = 5",
        "UPDATE audit_event SET at = '2026-01-01 00:00:00.000000' WHERE id = 5",
        "UPDATE audit_event SET result = 'refused', origin = 'x' WHERE id = 5",
        "DELETE FROM audit_event WHERE id = 5",
        "DELETE FROM audit_link WHERE seq = 5",
        "DELETE FROM audit_link WHERE seq = (SELECT max(seq) FROM audit_link)",
        "UPDATE audit_link SET hash = 'x' WHERE seq = 5",
        "UPDATE audit_link SET event_id = 100000 WHERE seq = 5",
        "UPDATE audit_private SET value = '\"x\"' WHERE event_id = 5",
        "DELETE FROM audit_private WHERE event_id = 5",
        "UPDATE audit_checkpoint SET signature = hash || hash WHERE number = 1",
        "DELETE FROM audit_checkpoint WHERE number = 2",
        "DELETE FROM audit_checkpoint WHERE number = (SELECT max(number) FROM audit_checkpoint)",
        "INSERT INTO audit_event (at, actor, action, object_kind, object_id, result, origin, detail) VALUES"
        " ('2026-01-01 00:00:00.000000', 'a', 'b', 'c', 'd', 'done', '', '{}')",
    ],
)
def test_each_change_past_the_walls_is_refused(statement, tmp_path):
    log = new_log(tmp_path)
    for _ in range(2):
        log.write(20)
        kept = log.sign()
    assert log.verified(kept)["ok"]
    log.database.dispose()
    past_the_walls(tmp_path / "wissel.db", statement)
    assert not log.verified(kept)["ok"]
    log.database.dispose()
    report, status = verify_audit.run(verify_audit.lines_of(tmp_path / "wissel.db"), [kept])
    assert (status, report["ok"]) == (1, False)


def test_a_file_that_is_no_log_and_a_database_without_one_could_not_be_looked_at(tmp_path):
    sqlite3.connect(tmp_path / "empty.db").executescript("CREATE TABLE x (y)").close()
    for name in ("empty.db", "missing.jsonl"):
        assert verify_audit.run(verify_audit.lines_of(tmp_path / name))[1] == 3
    (tmp_path / "odd.jsonl").write_bytes(b"[]\n")
    assert verify_audit.run(verify_audit.lines_of(tmp_path / "odd.jsonl"))[1] == 1


def test_signatures_of_rfc_8032_and_of_another_program_are_right_and_each_changed_bit_is_wrong():
    key = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
    signature = bytes.fromhex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )
    assert is_signed(key, bytes.fromhex("af82"), signature), "test 3 of RFC 8032"
    own = Ed25519PrivateKey.generate()
    public = own.public_key().public_bytes_raw()
    for size in range(0, 200, 9):
        message = bytes(range(size))
        made = own.sign(message)
        assert is_signed(public, message, made)
        assert not is_signed(public, message + b"x", made)
    for bit in range(512):
        wrong = bytearray(made)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not is_signed(public, message, bytes(wrong))
    assert not is_signed(bytes(32), message, made)
    assert not is_signed(bytes([1]) + bytes(31), b"", bytes([1]) + bytes(63)), "a key of small order signs everything"
