"""Asking the backup runners to look, the ways to damage a backup, and what still holds after all that damage."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runners.contract import Outcome, Verdict
from tests.reliability.damage import Looker
from tests.reliability.figures import told

FORMS = ("custom", "plain", "tar", "directory")
RUNNERS = {"dump": "backup.verify-dump", "basebackup": "backup.verify-basebackup"}


def asked(path: Path | str, *tables: dict[str, Any], kind: str = "dump", **more: Any) -> dict[str, Any]:
    """The parameters of a verification."""
    limit = {"max_age": more.pop("max_age")} if "max_age" in more else {}
    backup = {"kind": kind, "path": str(path), "tables": list(tables), "taken_at": datetime.now(UTC).isoformat()}
    if kind == "basebackup":
        backup |= {"database": "permits", "role": "owner"}
    return {"backup": backup | more, **limit}


def verified(looker: Looker, path: Path | str, *tables: dict[str, Any], **more: Any) -> Outcome:
    return looker.look(RUNNERS[str(more.get("kind", "dump"))], **asked(path, *tables, **more))


def copied(path: Path, looker: Looker) -> Path:
    """A copy of a backup that may be damaged."""
    target = looker.ground.given / "backup"
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copy(path, target)
    return target


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def emptied(whole: bytes) -> bytes:
    """A plain dump whose table has no rows."""
    begin = whole.index(b"COPY public.permit")
    line = whole.index(b"\n", begin) + 1
    return whole[:line] + whole[whole.index(b"\\.\n", line) :]


def without(whole: bytes) -> bytes:
    """A plain dump without the table."""
    begin = whole.index(b"CREATE TABLE public.permit")
    whole = whole[:begin] + whole[whole.index(b";\n", begin) + 2 :]
    begin = whole.index(b"COPY public.permit")
    whole = whole[:begin] + whole[whole.index(b"\\.\n", begin) + 3 :]
    begin = whole.index(b"ALTER TABLE ONLY public.permit")
    return whole[:begin] + whole[whole.index(b";\n", begin) + 2 :]


def said_to_be(version: bytes) -> Callable[[bytes], bytes]:
    def change(whole: bytes) -> bytes:
        begin = whole.index(b"-- Dumped from database version ") + 32
        return whole[:begin] + version + whole[whole.index(b"\n", begin) :]

    return change


def in_ascii(whole: bytes) -> bytes:
    """As from a server that knows no encoding, in which an old program wrote LATIN1."""
    return (
        whole.replace(b"client_encoding = 'UTF8'", b"client_encoding = 'SQL_ASCII'")
        .replace("ë".encode(), b"\xeb")
        .replace("Ç".encode(), b"\xc7")
    )


def header_of(version: int) -> Callable[[Path], None]:
    """A custom dump whose format says this minor version."""

    def change(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        assert whole[:5] == b"PGDMP"
        whole[6] = version
        path.write_bytes(whole)

    return change


def swapped(at: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        target = next(each for each in sorted(path.iterdir()) if each.name != "toc.dat")
        target.unlink()
        os.symlink(at, target)

    return change


def rewritten(path: Path, old: bytes, new: bytes) -> None:
    content_then = path.read_bytes()
    assert old in content_then
    path.write_bytes(content_then.replace(old, new, 1))


def linked(path: Path, to: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(to)


def good_ones_pass(looker: Looker, made: dict[str, Path], table: dict[str, Any], after: str) -> None:
    """Last of each file: the host that was fed all that damage still knows a good backup."""
    for form in FORMS:
        assert verified(looker, made[form], table).verdict is Verdict.PASSED
    assert verified(looker, made["base"], table, kind="basebackup").verdict is Verdict.PASSED
    assert looker.peak() < 400
    told(f"memory of the runner host after all {after}", f"peak {looker.peak()} MiB")


def as_it_was(looker: Looker) -> None:
    """Last of each file: nothing outside was touched, and no program of a backup was started."""
    assert (looker.ground.folder / "canary").read_text() == "sings\n"
    assert not Path("/tmp/wissel-evil").exists()
