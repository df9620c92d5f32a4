"""The extractor: what a hostile archive tries, and that each refusal names the member and the reason."""

import io
import os
import stat
import tarfile
import zipfile

import pytest

from runners.escrow.archive import ArchiveRefused, Limits, unpack
from tests.unit.runners_escrow.deposits import packed


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"x", link: str = "", **more) -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    for field, value in more.items():
        setattr(info, field, value)
    return info, content if kind == tarfile.REGTYPE else None


def tar(*members: tuple, kind: str = "gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if content is not None else None)
    return buffer.getvalue()


def zipped(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.filename = info.orig_filename = name
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def refused(content: bytes, tmp_path, limits: Limits | None = None) -> ArchiveRefused:
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveRefused) as caught:
        unpack(io.BytesIO(content), tmp_path / "out", limits)
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    return caught.value


HOSTILE = {
    "a symbolic link": (tar(member("l", tarfile.SYMTYPE, link="/etc")), "l", "symbolic link"),
    "a link and a file through it": (
        tar(member("d", tarfile.SYMTYPE, link="/tmp"), member("d/evil")), "d", "symbolic link",
    ),
    "a hard link": (tar(member("a"), member("h", tarfile.LNKTYPE, link="a")), "h", "hard link"),
    "a device": (tar(member("dev", tarfile.CHRTYPE, devmajor=1, devminor=3)), "dev", "device"),
    "a block device": (tar(member("dev", tarfile.BLKTYPE)), "dev", "device"),
    "a fifo": (tar(member("pipe", tarfile.FIFOTYPE)), "pipe", "device or pipe"),
    "a sparse file": (tar(member("s", tarfile.GNUTYPE_SPARSE)), "", ""),
    "an absolute path": (tar(member("/etc/cron.d/x")), "/etc/cron.d/x", "absolute"),
    "a parent": (tar(member("a/../../x")), "a/../../x", "'..'"),
    "a drive": (tar(member("C:/x")), "C:/x", "absolute"),
    "a backslash": (tar(member("a\\..\\x")), "a\\\\..\\\\x", "backslash"),
    "a newline": (tar(member("a\nb")), "a\\nb", "control"),
    "an escape": (tar(member("a\x1b[2J")), "a\\x1b[2J", "control"),
    "a direction": (tar(member("a\u202egpj.exe")), "a\\u202egpj.exe", "control"),
    "bytes that are no text": (tar(member("a\udcff")), "a\\udcff", "control"),
    "the same name twice": (tar(member("a"), member("a")), "a", "twice"),
    "the same name in capitals": (tar(member("Read.me"), member("README"), member("readme")), "readme", "same name"),
    "the same name composed": (tar(member("e\u0301"), member("\u00e9")), "\\xe9", "same name"),
    "the same name by casefold": (tar(member("stra\u00dfe"), member("STRASSE")), "STRASSE", "same name"),
    "the same folder in capitals": (tar(member("Src/a"), member("src/b")), "src/b", "same name"),
    "a file that becomes a folder": (tar(member("a"), member("a/b")), "a/b", "both a file and a folder"),
    "a path too deep": (tar(member("/".join("d" * 40))), "", "deep"),
    "a component too long": (tar(member("n" * 300)), "", "long"),
    "a zip with a link": (zipped(("l", b"/etc/passwd", stat.S_IFLNK | 0o777)), "l", "symbolic link"),
    "a zip with a device": (zipped(("d", b"", stat.S_IFCHR | 0o666)), "d", "device"),
    "a zip with a parent": (zipped(("../x", b"x", 0o644)), "../x", "'..'"),
    "a zip with an absolute path": (zipped(("/x", b"x", 0o644)), "/x", "absolute"),
    "a zip with a twin": (zipped(("a", b"x", 0o644), ("A", b"x", 0o644)), "A", "same name"),
    "a bomb in gzip": (tar(member("zeros", content=bytes(20_000_000))), "", "times its size"),
    "a bomb in xz": (tar(member("zeros", content=bytes(20_000_000)), kind="xz"), "", "times its size"),
    "a bomb in bzip2": (tar(member("zeros", content=bytes(20_000_000)), kind="bz2"), "", "times its size"),
    "a bomb in zip": (zipped(("zeros", bytes(20_000_000), 0o644)), "", "times its size"),
    "no archive": (b"hello, this is no archive" * 100, "", "damaged"),
    "nothing": (b"", "", "empty"),
    "a 7z file": (b"7z\xbc\xaf\x27\x1c" + bytes(500), "", "it is a 7z file"),
    "a RAR file": (b"Rar!\x1a\x07\x01" + bytes(500), "", "it is a RAR file"),
    "a zstandard file": (b"\x28\xb5\x2f\xfd" + bytes(500), "", "it is a zstandard file"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_with_member_and_reason(case, tmp_path):
    content, name, reason = HOSTILE[case]
    error = refused(content, tmp_path)
    assert name in error.text.en
    assert reason in error.text.en
    assert error.text.nl.startswith("Het archief is geweigerd")


def test_too_many_members_are_refused(tmp_path):
    error = refused(tar(*(member(f"f{n}") for n in range(11))), tmp_path, Limits(members=10))
    assert "more than 10 members" in error.text.en


@pytest.mark.parametrize("kind", ["", "gz", "zip"])
def test_an_archive_that_unpacks_too_large_is_refused(tmp_path, kind):
    error = refused(packed({"noise": os.urandom(200_000)}, kind), tmp_path, Limits(total=100_000))
    assert "larger than 100000 bytes" in error.text.en


def test_an_archive_that_is_itself_too_large_is_refused(tmp_path):
    assert "larger than 100 bytes" in refused(packed({"a": os.urandom(500)}), tmp_path, Limits(packed=100)).text.en


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip"])
def test_a_cut_archive_is_refused(tmp_path, kind):
    assert "damaged" in refused(packed({"a": os.urandom(50_000)}, kind)[:30_000], tmp_path).text.en


def test_a_header_that_asks_for_more_than_there_is_does_not_fill_the_memory(tmp_path):
    info, _ = member("big")
    info.pax_headers = {"comment": "x" * 3_000_000}
    assert "a header of 30000" in refused(tar((info, b"x")), tmp_path).text.en


@pytest.mark.parametrize("kind", ["", "gz", "xz", "bz2", "zip"])
def test_plain_files_and_folders_come_out_readable_and_without_special_modes(tmp_path, kind):
    old = os.umask(0o077)
    try:
        count = unpack(io.BytesIO(packed({"./a/b.txt": b"text", "c": b""}, kind)), tmp_path)
    finally:
        os.umask(old)
    assert count == 2
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"text"
    assert stat.S_IMODE((tmp_path / "a" / "b.txt").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


def test_set_user_id_does_not_survive_but_executable_does(tmp_path):
    unpack(io.BytesIO(tar(member("run", mode=0o6755))), tmp_path)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
