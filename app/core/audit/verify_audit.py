"""Verifies an audit log of Wissel: this one file, Python 3.11 and its standard library, nothing else.

    python3 -I -S verify_audit.py LOG [--head HEAD]… [--key KEY]… [--json]

LOG is an exported log (JSON lines), or the SQLite file of Wissel itself. HEAD is what Wissel printed on an export, or
sent somewhere, at an earlier time; KEY a public key that you trust. Exit 0: unbroken; 1: broken; 2: wrong usage;
3: could not look.

What is checked. Each line is one JSON object in its one canonical spelling: keys sorted by code point, no blanks,
UTF-8 with only ``"``, ``\\`` and control characters escaped, numbers as Python writes them (whole ones as digits).

- first    ``chain format``: the name of the log. It is the forerunner of event 1.
- event    ``action actor at detail object origin prev result seq``: `seq` counts from 1 without gaps, and `prev` is the
           SHA-256 of the whole line of the event before (of event 1: of the first line), without its line end.
- private  ``of path salt value``: text that may name people, kept beside the chain so that it can be erased. The event
           `of` holds ``{"sealed": H}`` at `path`; H is the SHA-256 of ``{"salt":…,"value":…}``, spelled likewise. Text
           that is gone must be named by a later event ``audit.erased``. In the order of their paths, after their event.
- checkpoint ``at chain hash key number prev seq signature``: an Ed25519 signature (RFC 8032) of the line without
           `signature`, over the hash of event `seq`; `prev` is the SHA-256 of the line of the checkpoint before. An
           event ``audit.key-announced`` must have named the key before.
- last     ``head``: number and hash of the last event, number and signature of the last checkpoint.

What that proves. A chain alone shows nothing to who may rewrite all of it. A head that was kept elsewhere does: it
fixes every byte of every event up to it, so no event can be changed, left out, swapped or put in, and the whole cannot
be written anew. What was erased can no longer be read, but nothing else can be put in its place.
"""

import argparse
import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

FORMAT = "wissel-audit-1"
NONE = "0" * 64
EVENT = frozenset({"action", "actor", "at", "detail", "object", "origin", "prev", "result", "seq"})
CHECKPOINT = frozenset({"at", "chain", "hash", "key", "number", "prev", "seq", "signature"})
PRIVATE = frozenset({"of", "path", "salt", "value"})
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})(?::([1-9][0-9]{0,17}):([0-9a-f]{128}))?")


Told = tuple[dict[str, Any], bytes]
"""A line with what it says, by who spelled it."""


class Broken(Exception):
    """The log is not what it was; the text says where and why."""


class NoLog(Exception):
    """There is nothing here that could be verified."""


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value."""
    return _CANONICAL.encode(value).encode()


def sha256(line: bytes) -> str:
    """The SHA-256, in hexadecimal."""
    return hashlib.sha256(line).hexdigest()


def commitment(salt: str, value: Any) -> str:
    """What an event holds instead of a private text: nobody can guess the text from it without the salt."""
    return sha256(canonical({"salt": salt, "value": value}))


# ---- Ed25519 (RFC 8032, section 5.1), verification only ------------------------------------------------------------

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, x·y = T/Z."""
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_ZERO: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _decoded(data: bytes) -> Point | None:
    """The point of 32 bytes; None where they are none, or not in their one spelling."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@cache
def _multiples(encoded: bytes) -> list[list[Point]] | None:
    """Multiples of a point that is used often: row i holds 0 to 15 times 16^i times the point. None: no such point."""
    point = _decoded(encoded)
    if point is None:
        return None
    rows = []
    for _ in range(64):
        row = [_ZERO]
        for _ in range(15):
            row.append(_add(row[-1], point))
        rows.append(row)
        point = _add(row[-1], point)
    eight = rows[0][8]
    return None if eight[0] == 0 and eight[1] == eight[2] else rows  # a point of small order fits every message


def _times(rows: list[list[Point]], factor: int) -> Point:
    total = _ZERO
    for row in rows:
        total = _add(total, row[factor & 15])
        factor >>= 4
    return total


_BASE = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `message` by the owner of the public `key`."""
    s = int.from_bytes(signature[32:], "little")
    base, own = _multiples(_BASE), _multiples(key) if len(key) == 32 else None
    if len(signature) != 64 or s >= _L or base is None or own is None:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    return _encoded(_add(_times(base, s), _times(own, _L - h))) == signature[:32]


# ---- the log ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """The end of a log at some moment, as it is printed: ``seq:hash`` or ``seq:hash:number:signature``."""

    seq: int
    hash: str
    number: int = 0
    signature: str = ""

    @classmethod
    def of(cls, text: str) -> "Head":
        """The head that was printed. Raises ValueError."""
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"'{text[:80]}' is no head: it is number:hash or number:hash:number:signature")
        return cls(int(found[1]), found[2], int(found[3] or 0), found[4] or "")

    def __str__(self) -> str:
        plain = f"{self.seq}:{self.hash}"
        return f"{plain}:{self.number}:{self.signature}" if self.number else plain


def sealed(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where an event's detail holds a commitment instead of a text: path and commitment."""
    if isinstance(detail, dict):
        if set(detail) == {"sealed"}:
            yield path, str(detail["sealed"])
            return
        for name, value in detail.items():
            yield from sealed(value, f"{path}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(detail, list):
        for number, value in enumerate(detail):
            yield from sealed(value, f"{path}/{number}")


@dataclass
class Verifier:
    """Takes the lines of a log in their order; raises `Broken` at the first that is not right."""

    kept: Sequence[Head] = ()
    """Heads from elsewhere."""
    trusted: frozenset[str] = frozenset()
    """Public keys that may sign; empty: those that the log itself announces."""
    chain: str | None = None
    seq: int = 0
    hash: str = NONE
    at: str = ""
    number: int = 0
    signature: str = ""
    checkpoint: str = NONE
    ended: bool = False
    keys: dict[str, int] = field(default_factory=dict)
    """Announced keys, each with the number of its event."""
    open: dict[str, str] = field(default_factory=dict)
    """What the present event sealed and no private line has told yet: path and commitment."""
    path: str = ""
    """Of the private line before."""
    gone: dict[int, int] = field(default_factory=dict)
    """How many texts are not there, by the number of their event."""
    erased: set[int] = field(default_factory=set)
    taken_in: int = 0
    met: set[Head] = field(default_factory=set)

    @property
    def head(self) -> Head:
        """The end of what was read."""
        return Head(self.seq, self.hash, self.number, self.signature)

    def feed(self, line: bytes) -> None:
        """The next line, without its line end."""
        try:
            told = json.loads(line)
            right = isinstance(told, dict) and canonical(told) == line
        except (ValueError, RecursionError) as error:
            raise Broken(f"after event {self.seq}: this is no line of a log ({error})") from error
        if not right:
            raise Broken(f"after event {self.seq}: a line is not in its canonical spelling")
        self.take(told, line)

    def take(self, told: dict[str, Any], line: bytes) -> None:
        """The next line that is known to be the canonical spelling of `told`."""
        try:
            self._take(told, line)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Broken(f"after event {self.seq}: a field is not of its kind") from error

    def _take(self, told: dict[str, Any], line: bytes) -> None:
        names = told.keys()
        if self.ended:
            raise Broken(f"something stands after the last line, which told the head {self.seq}")
        if self.chain is None:
            self._first(told, line)
        elif names == EVENT:
            self._event(told, line)
        elif names == PRIVATE:
            self._private(told)
        elif names == CHECKPOINT:
            self._checkpoint(told, line)
        elif names == {"head"}:
            self._last(told)
        else:
            raise Broken(f"after event {self.seq}: a line of an unknown kind ({', '.join(sorted(names))[:80]})")

    def end(self) -> None:
        """No more lines: what must have been there by now."""
        if not self.ended:
            raise Broken(f"it is cut off after event {self.seq}: the last line is missing")
        for seq in sorted(self.gone):
            if seq not in self.erased:
                raise Broken(f"event {seq}: a text is missing, and no event says that it was erased")
        for head in self.kept:
            if head not in self.met:
                what = f"its checkpoint {head.number} is not" if head.number and self._reaches(head) else "it is not"
                raise Broken(f"the kept head {head.seq} does not fit: {what} in this log, which ends at {self.seq}")

    def _reaches(self, head: Head) -> bool:
        return any(each.seq == head.seq and each.hash == head.hash and not each.number for each in self.met)

    def _first(self, told: dict[str, Any], line: bytes) -> None:
        if told.keys() != {"chain", "format"} or told["format"] != FORMAT or not isinstance(told["chain"], str):
            raise Broken(f"the first line is not that of a log ({FORMAT})")
        self.chain, self.hash = told["chain"], sha256(line)

    def _event(self, told: dict[str, Any], line: bytes) -> None:
        self._settle()
        seq = self.seq + 1
        if type(told["seq"]) is not int or told["seq"] != seq:
            raise Broken(f"event {seq} is missing: event {str(told['seq'])[:20]} stands in its place")
        if told["prev"] != self.hash:
            raise Broken(f"event {seq} does not follow on event {self.seq}: one of both is not what it was")
        words = (told[name] for name in ("action", "actor", "origin", "result"))
        if not all(isinstance(each, str) for each in words) or not _AT.fullmatch(str(told["at"])):
            raise Broken(f"event {seq}: a field is not of its kind")
        self.seq, self.hash, self.at = seq, sha256(line), told["at"]
        self.open = dict(sealed(told["detail"]))
        self._mind(told["action"], told["detail"])
        for head in self.kept:
            if head.seq == seq:
                if head.hash != self.hash:
                    raise Broken(f"event {seq} is not the one of the kept head: this log was written anew")
                self.met |= {Head(seq, self.hash)} if head.number else {head}

    def _mind(self, action: str, detail: Any) -> None:
        if action == "audit.key-announced":
            self.keys.setdefault(str(detail["key"]), self.seq)
        elif action == "audit.erased":
            self.erased |= {seq for seq in detail["events"] if isinstance(seq, int) and seq < self.seq}
        elif action == "audit.rows-taken-in":
            self.taken_in += int(detail["rows"])

    def _settle(self) -> None:
        """The next event begins: what the one before sealed and nobody told is gone."""
        if self.open:
            self.gone[self.seq] = len(self.open)
        self.open, self.path = {}, ""

    def _private(self, told: dict[str, Any]) -> None:
        before, self.path = self.path, str(told["path"])
        expected = self.open.pop(self.path, None)
        if told["of"] != self.seq or expected is None or self.path <= before:
            raise Broken(f"after event {self.seq}: a private text that belongs to no place in it")
        if commitment(str(told["salt"]), told["value"]) != expected:
            raise Broken(f"event {self.seq}: the private text at {told['path']} is not the one that was sealed")

    def _checkpoint(self, told: dict[str, Any], line: bytes) -> None:
        self._settle()
        number = self.number + 1
        if told["number"] != number or told["prev"] != self.checkpoint:
            raise Broken(f"after event {self.seq}: checkpoint {number} is missing, or not what it was")
        if (told["seq"], told["hash"], told["chain"]) != (self.seq, self.hash, self.chain):
            raise Broken(f"checkpoint {number} is not that of event {self.seq}")
        key, signature = str(told["key"]), str(told["signature"])
        if key not in self.keys or (self.trusted and key not in self.trusted):
            raise Broken(f"checkpoint {number} is signed with a key that nobody announced or that you do not trust")
        unsigned = canonical({name: value for name, value in told.items() if name != "signature"})
        try:
            right = is_signed(bytes.fromhex(key), unsigned, bytes.fromhex(signature))
        except ValueError:
            right = False
        if not right:
            raise Broken(f"checkpoint {number}: its signature is wrong")
        self.number, self.signature, self.checkpoint = number, signature, sha256(line)
        self.met |= {head for head in self.kept if (head.number, head.signature) == (number, signature)}

    def _last(self, told: dict[str, Any]) -> None:
        self._settle()
        if told["head"] != str(self.head):
            raise Broken(f"the last line tells another head than that of event {self.seq}")
        self.ended = True

    def report(self) -> dict[str, Any]:
        """What was verified, for programs."""
        return {
            "ok": True,
            "chain": self.chain,
            "events": self.seq,
            "checkpoints": self.number,
            "keys": sorted(self.keys),
            "lastAt": self.at,
            "head": str(self.head),
            "keptHeads": len(self.kept),
            "erasedTexts": sum(self.gone.values()),
            "takenIn": self.taken_in,
        }


def verify(lines: Iterable[bytes | Told], kept: Sequence[Head] = (), trusted: Iterable[str] = ()) -> Verifier:
    """Verify a whole log. Raises `Broken`."""
    verifier = Verifier(kept, frozenset(trusted))
    for line in lines:
        if isinstance(line, bytes):
            verifier.feed(line)
        else:
            verifier.take(*line)
    verifier.end()
    return verifier


def lines_of_file(path: Path) -> Iterator[bytes]:
    """The lines of an exported log."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                raise Broken("it is cut off: the last line has no end")
            yield line[:-1]


# ---- the log in a database -------------------------------------------------------------------------------------------

_TEXTS = {"at": {"sqlite": "{}", "postgresql": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"}}
_TEXTS["json"] = {"sqlite": "{}", "postgresql": "CAST({} AS text)"}
Rows = Callable[[str], Iterable[Sequence[Any]]]
"""Runs a SELECT."""


def lines_of_database(rows: Rows, kind: str = "sqlite") -> Iterator[Told]:
    """The lines of the log that a database holds, as an export has them; `kind`: sqlite or postgresql."""
    at, document = _TEXTS["at"][kind], _TEXTS["json"][kind]
    outside = next(iter(rows(_OUTSIDE)))[0]
    if outside:
        raise Broken(f"{outside} rows of audit_event stand outside of the chain: they were put in past Wissel")
    privates = _grouped(rows(_PRIVATES.format(value=document.format("p.value"))))
    checkpoints = _grouped(rows(_CHECKPOINTS.format(at=at.format("at"))))
    chain, seq, hash_, last = "", 0, NONE, Head(0, NONE)
    for row in rows(_EVENTS.format(at=at.format("e.at"), detail=document.format("e.detail"))):
        if seq == 0:
            chain = str(row[6])
            first = _spelled({"chain": chain, "format": FORMAT})
            hash_ = sha256(first[1])
            yield first
        line = _event(row, hash_)
        seq, hash_ = row[0], sha256(line[1])
        if hash_ != row[1]:
            raise Broken(f"event {seq} is not what it was: its hash is another one")
        yield line
        yield from _private(seq, sorted(privates.pop(seq, []), key=lambda each: str(each[1])))
        last = Head(seq, hash_, last.number, last.signature)
        for found in checkpoints.pop(seq, []):
            yield _spelled(checkpoint(chain, found))
            last = Head(seq, hash_, found[1], found[6])
    if left := [*privates, *checkpoints]:
        raise Broken(f"a private text or a checkpoint belongs to event {left[0]}, which is not in the chain")
    if not seq:
        raise NoLog("the chain has not begun")
    yield _spelled({"head": str(last)})


_OUTSIDE = "SELECT count(*) FROM audit_event e LEFT JOIN audit_link l ON l.event_id = e.id WHERE l.seq IS NULL"
_PRIVATES = """SELECT l.seq, p.path, p.salt, {value} FROM audit_private p
    LEFT JOIN audit_link l ON l.event_id = p.event_id ORDER BY l.seq"""
_CHECKPOINTS = "SELECT seq, number, hash, {at}, prev, key, signature FROM audit_checkpoint ORDER BY number"
_EVENTS = """SELECT l.seq, l.hash, {at}, e.actor, e.action, e.object_kind, e.object_id, e.result, e.origin, {detail}
    FROM audit_link l LEFT JOIN audit_event e ON e.id = l.event_id ORDER BY l.seq"""


def _spelled(told: dict[str, Any]) -> Told:
    return told, canonical(told)


def _grouped(rows: Iterable[Sequence[Any]]) -> dict[Any, list[Sequence[Any]]]:
    found: dict[Any, list[Sequence[Any]]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _event(row: Sequence[Any], prev: str) -> Told:
    seq, _, at, actor, action, kind, id_, result, origin, detail = row
    if at is None or detail is None:
        raise Broken(f"event {seq} is missing: its row is gone")
    return _spelled(
        {
            "action": action,
            "actor": actor,
            "at": moment(at),
            "detail": _document(detail, seq),
            "object": {"id": id_, "kind": kind},
            "origin": origin,
            "prev": prev,
            "result": result,
            "seq": seq,
        }
    )


def _document(text: str, seq: int) -> Any:
    """A document, which must be spelled as Wissel spells it: else a blank or a capital more would not be noticed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise Broken(f"event {seq}: its detail can't be read") from error
    if json.dumps(found) != text:
        raise Broken(f"event {seq}: its detail is not spelled as it was written")
    return found


def moment(stored: str) -> str:
    """A moment as the database spells it, as the log does."""
    return stored.replace(" ", "T", 1) + "Z"


def _private(seq: int, found: Iterable[Sequence[Any]]) -> Iterator[Told]:
    for _, path, salt, value in found:
        yield _spelled({"of": seq, "path": path, "salt": salt, "value": _document(value, seq)})


def checkpoint(chain: str, row: Sequence[Any]) -> dict[str, Any]:
    """A checkpoint, of its row: seq, number, hash, at, prev, key, signature."""
    seq, number, hash_, at, prev, key, signature = row
    told = {"at": moment(at), "chain": chain, "hash": hash_, "key": key, "number": number, "prev": prev, "seq": seq}
    return told | {"signature": signature}


def lines_of(path: Path) -> Iterator[bytes | Told]:
    """The lines of an exported log, or of the SQLite file of Wissel."""
    with path.open("rb") as file:
        database = file.read(16) == b"SQLite format 3\0"
    if not database:
        yield from lines_of_file(path)
        return
    link = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)
    link.text_factory = lambda stored: stored.decode("utf-8", "replace")  # what is damaged has another hash
    try:
        link.execute("BEGIN")
        yield from lines_of_database(lambda statement: link.execute(statement))
    finally:
        link.close()


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Verifies an audit log of Wissel.")
    parser.add_argument("log", type=Path, help="exported log (JSON lines), or the SQLite file of Wissel")
    parser.add_argument("--head", type=Head.of, action="append", default=[], help="a head that you kept")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust (hexadecimal)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser.parse_args(given)


def in_words(report: dict[str, Any]) -> str:
    """A report in words."""
    if not report["ok"]:
        return f"NOT VERIFIED: {report['broken']}"
    words = [
        f"unbroken: {report['events']} events, {report['checkpoints']} signed checkpoints, the last event of "
        f"{report['lastAt']}",
        f"head {report['head']}",
        *(f"signed with key {key}" for key in report["keys"]),
    ]
    if report["erasedTexts"]:
        words.append(f"{report['erasedTexts']} texts were erased, as the log itself says")
    if report["takenIn"]:
        words.append(f"{report['takenIn']} rows were written by an older version and taken in later")
    if not report["keptHeads"]:
        words.append("Without a head that was kept elsewhere (--head) nobody sees a cut end, or that all is new.")
    return "\n".join(words)


def run(
    lines: Iterable[bytes | Told], kept: Sequence[Head] = (), trusted: Iterable[str] = ()
) -> tuple[dict[str, Any], int]:
    """Verify; the report, and the exit status."""
    try:
        return verify(lines, kept, trusted).report(), 0
    except Broken as broken:
        return {"ok": False, "broken": str(broken)}, 1
    except (OSError, NoLog, sqlite3.OperationalError) as error:
        return {"ok": False, "broken": f"could not look: {error}"}, 3
    except sqlite3.DatabaseError as error:
        return {"ok": False, "broken": f"the file is damaged: {error}"}, 1


def main(given: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    asked = _arguments(given)
    report, status = run(lines_of(asked.log), asked.head, asked.key)
    sys.stdout.write((json.dumps(report, indent=2) if asked.json else in_words(report)) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
