"""Hostile archives, made byte by byte: what no writer would make and a reader may fall for."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib

from tests.unit.runners_escrow.deposits import packed
from tests.unit.runners_escrow.test_archive import member, tar, zipped

BLOCK = 512
END = bytes(2 * BLOCK)
NOISE = os.urandom(3000)
Case = tuple[bytes, str]


def header(name: bytes = b"file", size: bytes | int = 0, kind: bytes = b"0", **more: bytes) -> bytes:
    """One tar header with a true checksum."""
    length = f"{size:011o}".encode() + b"\0" if isinstance(size, int) else size
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = length.ljust(12, b"\0")
    block[156:157] = kind
    block[257:265] = more.get("magic", b"ustar\x0000")
    block[345 : 345 + len(more.get("prefix", b""))] = more.get("prefix", b"")
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}".encode() + b"\0 "
    return bytes(block)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """A pax header with these records."""
    content = b""
    for key, value in records:
        rest = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length = len(str(length)) + len(rest)
        content += str(length).encode() + rest
    return header(b"pax", len(content), kind) + padded(content)


def file(name: bytes = b"file", content: bytes = b"x") -> bytes:
    return header(name, len(content)) + padded(content)


def binary(size: int) -> bytes:
    """A length as GNU tar writes it when octal digits do not do."""
    return size.to_bytes(12, "big", signed=True) if size < 0 else b"\x80" + size.to_bytes(11, "big")


NEGATIVE = gzip.compress(header(b"n", binary(-512)) + END)
TARS: dict[str, Case] = {
    "a negative length": (NEGATIVE, "impossible length"),
    "a length that is no number": (header(b"n", b"99999999999\0") + END, "impossible length"),
    "a length of exabytes": (header(b"n", binary(2**70)) + b"x" * BLOCK, "ends too early"),
    "a length in pax of exabytes": (pax(("size", str(2**62))) + file() + END, "ends too early"),
    "a negative length in pax": (pax(("size", "-1")) + file() + END, "impossible length"),
    "a length in pax that is a thousand digits": (pax(("size", "9" * 5000)) + file() + END, "impossible length"),
    "a long name of 2 GB": (
        gzip.compress(header(b"././@LongLink", 2**31, b"L") + bytes(1 << 20)), "a header of 2147483648 bytes",
    ),
    "a long link of 2 GB": (gzip.compress(header(b"././@LongLink", 2**31, b"K") + bytes(1 << 20)), "is a link"),
    "a long name that leads outside": (
        header(b"././@LongLink", 10, b"L") + padded(b"../../evil") + file() + END, "'..'",
    ),
    "a path in pax that leads outside": (pax(("path", "../../evil")) + file() + END, "'..'"),
    "a path in pax that is absolute": (pax(("path", "/etc/cron.d/evil")) + file() + END, "absolute path"),
    "a path in pax with a NUL": (pax(("path", "a\0b")) + file() + END, "control character"),
    "a path in pax that is no text": (pax(("path", "a\udcff")) + file() + END, "control character"),
    "a path in pax for all files": (pax(("path", "a"), kind=b"g") + file() + END, "every file"),
    "a pax record that is longer than it is": (
        header(b"p", 9, b"x") + padded(b"99 path=a") + END, "pax header is wrong",
    ),
    "a pax record of length nought": (header(b"p", 9, b"x") + padded(b"0 path=a\n") + END, "pax header is wrong"),
    "a pax record with two values": (pax(("path", "a"), ("path", "b")) + file() + END, "twice"),
    "a pax sparse file": (pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")) + file() + END, "sparse"),
    "a pax sparse map": (pax(("GNU.sparse.map", "0,1,99999999,1")) + file() + END, "sparse"),
    "an old GNU sparse file": (header(b"s", 0, b"S") + END, "no plain file"),
    "a file of a next volume": (header(b"s", 0, b"M") + END, "no plain file"),
    "a contiguous file": (header(b"s", 0, b"7") + END, "no plain file"),
    "a kind that does not exist": (header(b"s", 0, b"Z") + END, "no plain file"),
    "a thousand pax headers in a row": (pax(("comment", "x")) * 1500 + header(b"l", 0, b"2") + END, "symbolic link"),
    "a prefix that leads outside": (header(b"evil", 0, b"0", prefix=b"../..") + END, "'..'"),
    "a folder with content": (header(b"d/", 5, b"5") + padded(b"hello") + END, "folder with content"),
    "a header with a wrong checksum": (file()[:-1].replace(b"file", b"fil3", 1) + b"x" + END, "checksum"),
    "a name that is empty": (header(b"", 0) + END, "has no name"),
    "a name that is only dots": (header(b"./.", 0) + END, "has no name"),
    "a second archive after the end": (file() + END + file(b"hidden") + END, "belong to none"),
    "text after the end": (gzip.compress(file() + END + b"hidden" * 100), "belong to none"),
    "no mark at the end": (file(), "ends too early"),
    "half a header": (file() + header()[:100], "ends too early"),
    "a second gzip after the archive, with a file": (
        gzip.compress(file() + END) + gzip.compress(file(b"hidden") + END), "belong to none",
    ),
    "a zip after the gzip": (gzip.compress(file() + END) + packed({"a": b"x"}, "zip"), "belong to none"),
    "a zip after the bzip2": (bz2.compress(file() + END) + packed({"a": b"x"}, "zip"), "belong to none"),
    "a zip after the xz": (lzma.compress(file() + END) + packed({"a": b"x"}, "zip"), "belong to none"),
    "a zip after the tar": (file() + END + packed({"a": b"x"}, "zip"), "belong to none"),
    "an xz that asks for gigabytes": (
        lzma.compress(NOISE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]), "Memory usage limit",
    ),
    "a gzip in a gzip": (gzip.compress(gzip.compress(file() + END)), "damaged"),
    "a nested bomb in one layer": (gzip.compress(gzip.compress(bytes(50_000_000))), "damaged"),
    "a bomb of many gzip streams": (gzip.compress(bytes(4_000_000)) * 8, "times its size"),
    "a bomb in a file": (bz2.compress(file(b"z", bytes(30_000_000)) + END), "times its size"),
    "a device in pax dress": (pax(("path", "dev")) + header(b"x", 0, b"3") + END, "device"),
    "a link in pax dress": (pax(("linkpath", "/etc")) + header(b"x", 0, b"2") + END, "symbolic link"),
    "bidi in a folder": (tar(member("a\u2067b/c")), "control character"),
    "a zero width twin": (tar(member("a\u200db")), "control character"),
    "a ligature twin": (tar(member("\ufb01le"), member("FILE")), "same name"),
    "the Kelvin sign": (tar(member("\u212a"), member("k")), "same name"),
    "a long s": (tar(member("\u017f"), member("S")), "same name"),
    "a folder that is a file in capitals": (tar(member("LICENSE"), member("license/x")), "same name"),
    "a tape that was cut in the content": (file(b"a", b"x" * 5000)[:3000], "ends too early"),
}  # fmt: skip


def stored(*files: tuple[str, bytes]) -> bytes:
    """A zip of stored members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def changed(archive: bytes, sign: bytes, place: int, form: str, value: int, nth: int = 0) -> bytes:
    """The archive with one field of its nth record of this kind changed."""
    at = -1
    for _ in range(nth + 1):
        at = archive.index(sign, at + 1)
    size = struct.calcsize(form)
    return archive[: at + place] + struct.pack(form, value) + archive[at + place + size :]


LOCAL, CENTRAL, FINISH = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
TWO = stored(("a", NOISE), ("b", NOISE[::-1]))


def other_name_inside(archive: bytes) -> bytes:
    return archive.replace(b"seen", b"else", 1)


def overlapping(count: int = 300) -> bytes:
    """One member of a kilobyte and very many names for it, as in the bomb of D. Fifield."""
    content = zlib.compress(bytes(1_000_000), 9)[2:-4]
    sum_of_it = zlib.crc32(bytes(1_000_000))
    local = struct.pack("<4s5H3L2H", LOCAL, 20, 0, 8, 0, 0, sum_of_it, len(content), 1_000_000, 1, 0) + b"0" + content
    lengths = (sum_of_it, len(content), 1_000_000)
    central = b"".join(
        struct.pack("<4s6H3L5H2L", CENTRAL, 20, 20, 0, 8, 0, 0, *lengths, len(str(n)), *[0] * 6) + str(n).encode()
        for n in range(count)
    )
    return local + central + struct.pack("<4s4H2LH", FINISH, 0, 0, count, count, len(central), len(local), 0)


def twice_the_same_place() -> bytes:
    """Two names for one stored member."""
    whole = stored(("a", NOISE), ("b", NOISE))
    second = whole.index(LOCAL, 4)
    begin = whole.index(CENTRAL)
    whole = whole[:second] + whole[begin:]
    whole = changed(whole, CENTRAL, 42, "<L", 0, 1)
    return changed(whole, FINISH, 16, "<L", second)


def unusual(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("zeros", bytes(3_000_000) if method == zipfile.ZIP_BZIP2 else b"x")
    # It says that it is tiny; a reader that trusts the length first unpacks it all in memory.
    return changed(buffer.getvalue(), CENTRAL, 24, "<L", 10) if method == zipfile.ZIP_BZIP2 else buffer.getvalue()


def with_extra_name() -> bytes:
    info = zipfile.ZipInfo("seen")
    body = b"\x01" + struct.pack("<L", zlib.crc32(b"seen")) + b"../evil"
    info.extra = struct.pack("<HH", 0x7075, len(body)) + body
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"x")
    return buffer.getvalue()


def a_lie(place: int, form: str, value: int) -> bytes:
    """A deflated member whose directory entry lies."""
    return changed(zipped(("zeros", bytes(50_000) + NOISE, 0o644)), CENTRAL, place, form, value)


def zip64() -> bytes:
    whole = stored(("a", b"x"))
    at = whole.index(FINISH)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**40, 2**40, at, 0)
    return whole[:at] + end64 + struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1) + whole[at:]


ZIPS: dict[str, Case] = {
    "a zip that overlaps itself": (overlapping(), "overlaps another member"),
    "a zip with two names for one member": (twice_the_same_place(), "overlaps another member"),
    "a zip whose member is said to be short": (a_lie(24, "<L", 100), "not what the directory says"),
    "a zip whose member is said to be long": (a_lie(24, "<L", 60_000), "not what the directory says"),
    "a zip whose two lengths lie alike": (
        changed(a_lie(24, "<L", 100), LOCAL, 22, "<L", 100), "longer than it says",
    ),
    "a zip whose packed length is short": (a_lie(20, "<L", 10), "not what the directory says"),
    "a zip whose packed length goes on into the directory": (
        changed(a_lie(20, "<L", 5000), LOCAL, 18, "<L", 5000), "lies in a member",
    ),
    "a zip with a wrong checksum": (a_lie(16, "<L", 1), "not what the directory says"),
    "a zip whose two checksums lie alike": (changed(a_lie(16, "<L", 1), LOCAL, 14, "<L", 1), "checksum of 'zeros'"),
    "a zip with a length of zip64": (a_lie(24, "<L", 0xFFFFFFFF), "zip64"),
    "a zip with a place of zip64": (a_lie(42, "<L", 0xFFFFFFFF), "zip64"),
    "a zip64": (zip64(), "zip64"),
    "a zip that says to have 65535 members": (
        changed(changed(TWO, FINISH, 8, "<H", 0xFFFF), FINISH, 10, "<H", 0xFFFF), "zip64",
    ),
    "a zip that hides a member from its count": (
        changed(changed(TWO, FINISH, 8, "<H", 1), FINISH, 10, "<H", 1), "belong to none",
    ),
    "a zip that is encrypted": (a_lie(8, "<H", 1), "encrypted"),
    "a zip that is strongly encrypted": (a_lie(8, "<H", 0x41), "encrypted"),
    "a zip with bzip2 in it that is 300 times as large": (unusual(zipfile.ZIP_BZIP2), "unusual way"),
    "a zip with lzma in it": (unusual(zipfile.ZIP_LZMA), "unusual way"),
    "a zip with another name inside": (other_name_inside(stored(("seen", b"x"))), "not what the directory says"),
    "a zip with another name in an extra field": (with_extra_name(), "two names"),
    "a zip with a name in code page 437": (
        changed(changed(zipped(("caf\u00e9", b"x", 0o644)), CENTRAL, 8, "<H", 0), LOCAL, 6, "<H", 0),
        "control character",
    ),
    "a zip with a name that is no UTF-8": (
        zipped(("caf\u00e9", b"x", 0o644)).replace("\u00e9".encode(), b"\xff\xfe"), "control character",
    ),
    "a zip after text": (b"PK\x03\x04" + bytes(26) + stored(("a", b"x")), "belong to none"),
    "a zip with data before it": (stored(("a", b"x")) + stored(("b", b"x")), "belong to none"),
    "a zip with text at its end": (TWO + b"hidden", "no directory at its end"),
    "a zip with a directory in its comment": (
        changed(TWO, FINISH, 20, "<H", 22) + struct.pack("<4s4H2LH", FINISH, 0, 0, 0, 0, 0, 0, 0), "belong to none",
    ),
    "a zip whose folder has content": (zipped(("d/", b"content", 0o644)), "folder with content"),
    "a zip with a socket": (zipped(("s", b"", stat.S_IFSOCK | 0o777)), "device or pipe"),
    "a zip with a drive": (zipped(("C:/evil", b"x", 0o644)), "absolute path"),
    "a zip with a backslash": (zipped(("..\\evil", b"x", 0o644)), "backslash"),
    "a zip with bidi": (zipped(("a\u202egpj.exe", b"x", 0o644)), "control character"),
    "a zip with a file that is a folder": (
        zipped(("a", b"x", 0o644), ("a/b", b"x", 0o644)), "both a file and a folder",
    ),
    "a zip that is cut": (TWO[:-30], "no directory at its end"),
    "a zip whose directory lies elsewhere": (changed(TWO, FINISH, 16, "<L", 7), "belong to none"),
    "a zip whose directory lies outside": (changed(TWO, FINISH, 16, "<L", 2**31), "damaged"),
    "a zip on many disks": (changed(TWO, FINISH, 4, "<H", 3), "damaged"),
}  # fmt: skip

HOSTILE: dict[str, Case] = {**TARS, **ZIPS}


def harmless() -> dict[str, bytes]:
    """What only looks odd and must be taken: as ordinary writers make it."""
    gnu = io.BytesIO()
    with tarfile.open(fileobj=gnu, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("a/" * 20 + "n" * 150)
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    streamed = io.BytesIO()

    class Unseekable(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, content: bytes) -> int:  # type: ignore[override]
            return streamed.write(content)

    with zipfile.ZipFile(Unseekable(), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.writestr("a", NOISE)
        archive.writestr("caf\u00e9/", b"")
        archive.writestr("caf\u00e9/b", b"x" * 10_000)
        archive.comment = b"made by git"
    forced = io.BytesIO()
    with zipfile.ZipFile(forced, "w") as archive, archive.open("a", "w", force_zip64=True) as member_file:
        member_file.write(NOISE)
    long_pax = tar(member("a/" * 20 + "n" * 150 + "\u00e9"))
    return {
        "a long name of GNU tar": gnu.getvalue(),
        "a long name of pax": long_pax,
        "two gzip streams": gzip.compress(file()) + gzip.compress(END),
        "two xz streams": lzma.compress(file()) + lzma.compress(END),
        "gzip filled up with zeros": gzip.compress(file() + END) + bytes(1000),
        "a tar of ten kilobytes of zeros at the end": file() + bytes(20 * BLOCK),
        "a zip that was streamed": streamed.getvalue(),
        "a zip with room for zip64": forced.getvalue(),
        "a wheel in a zip that does not pack it": stored(("w.whl", packed({"x": NOISE}, "zip"))),
        "an archive in an archive": packed({"inner.tar.gz": packed({"../evil": b"x"})}),
        "no file at all": packed({}, "zip"),
    }
