"""What an archive may be at most, which names its members may bear, and how a refusal is told."""

import unicodedata
from dataclasses import dataclass

from runners.contract import Text

RATIO_FROM = 64 * 1024
"""Unpacked bytes from which the ratio is looked at: the padding of a tiny tar alone is packed fifty times."""


@dataclass(frozen=True)
class Limits:
    """What an archive may be at most."""

    members: int = 20_000
    total: int = 2 * 1024**3
    """Unpacked bytes, the archive's own administration included."""
    packed: int = 1024**3
    ratio: int = 100
    depth: int = 32

    def check(self, unpacked: int, packed: int) -> None:
        """Raises `ArchiveRefused` where this many unpacked bytes are too many for this many packed ones."""
        if unpacked > self.total:
            raise ArchiveRefused(
                "too-large-unpacked",
                "",
                f"het is uitgepakt groter dan {self.total} bytes",
                f"unpacked it is larger than {self.total} bytes",
            )
        if unpacked > RATIO_FROM and unpacked > self.ratio * packed:
            raise ArchiveRefused(
                "bomb",
                "",
                f"het is uitgepakt meer dan {self.ratio} keer zo groot",
                f"unpacked it is more than {self.ratio} times its size",
            )


class ArchiveRefused(Exception):
    """The archive is hostile or damaged. `member` names the entry, or is empty when it is about the whole.

    `code` is stable: the same kind of fault has the same one in every version.
    """

    def __init__(self, code: str, member: str, nl: str, en: str) -> None:
        self.code = code
        self.member = ascii(member)[1:-1][:200]
        whole = not member
        self.text = Text(
            nl=f"Het archief is geweigerd: {nl}." if whole else f"Het archief is geweigerd: '{self.member}' {nl}.",
            en=f"The archive was refused: {en}." if whole else f"The archive was refused: '{self.member}' {en}.",
        )
        super().__init__(self.text.en)


def damaged(detail: object) -> ArchiveRefused:
    """The refusal of an archive that is cut off or that no writer would make."""
    return ArchiveRefused("damaged", "", "het is afgekapt of beschadigd", f"it is cut off or damaged ({detail})")


def trailing() -> ArchiveRefused:
    """The refusal of an archive that holds something which an ordinary reader does not show."""
    return ArchiveRefused(
        "trailing-data",
        "",
        "er staan gegevens in die bij geen bestand horen",
        "it holds data that belong to none of its files",
    )


class Names:
    """The names that came by, to see whether a new one may join them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seen: dict[str, tuple[str, bool]] = {}
        self._explicit: set[str] = set()
        self._members = 0

    def admit(self, name: str, *, folder: bool) -> str:
        """The safe relative path of a member; empty for the root itself. Raises `ArchiveRefused`."""
        self._members += 1
        if self._members > self._limits.members:
            raise ArchiveRefused(
                "too-many-members",
                "",
                f"het heeft meer dan {self._limits.members} onderdelen",
                f"more than {self._limits.members} members",
            )
        parts = _parts(name, self._limits)
        for end in range(1, len(parts) + 1):
            self._join(name, "/".join(parts[:end]), folder=folder or end < len(parts))
        path = "/".join(parts)
        if path and _key(path) in self._explicit:
            raise ArchiveRefused("twice", name, "komt twee keer voor", "is there twice")
        self._explicit.add(_key(path))
        if not path and not folder:
            raise ArchiveRefused("no-name", name, "heeft geen naam", "has no name")
        return path

    def _join(self, name: str, path: str, *, folder: bool) -> None:
        known = self._seen.setdefault(_key(path), (path, folder))
        if known[0] != path:
            raise ArchiveRefused(
                "same-name",
                name,
                f"is dezelfde naam als '{ascii(known[0])[1:-1]}'",
                f"is the same name as '{ascii(known[0])[1:-1]}' where case or accents do not count",
            )
        if known[1] != folder:
            raise ArchiveRefused("file-and-folder", name, "is zowel bestand als map", "is both a file and a folder")


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _parts(name: str, limits: Limits) -> list[str]:
    """The components of a name, after every check that needs no other name."""
    if name.startswith("/") or (len(name) > 1 and name[1] == ":" and name[0].isalpha()):
        raise ArchiveRefused("absolute-path", name, "is een absoluut pad", "is an absolute path")
    if "\\" in name:
        raise ArchiveRefused("backslash", name, "bevat een backslash", "has a backslash")
    for character in name:
        # Cc control, Cf direction and invisible characters, Cs what was no text, Zl and Zp line separators.
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise ArchiveRefused("control-character", name, "bevat een stuurteken", "has a control character")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveRefused("outside", name, "wijst met '..' buiten de map", "points outside with '..'")
    if len(parts) > limits.depth or any(len(part.encode()) > 255 for part in parts) or len(name.encode()) > 1024:
        raise ArchiveRefused("path-too-long", name, "is een te lang of te diep pad", "is too long or too deep a path")
    return parts
