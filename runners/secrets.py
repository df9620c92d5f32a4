"""Where a site keeps its secrets, and how the worker gets one: ``secret://NAME`` becomes a value here and nowhere else.

The order is fixed, and the first source that has the name decides: the environment (`WISSEL_SECRET_NAME`), what
systemd handed over (`$CREDENTIALS_DIRECTORY/NAME`), the secrets folder (`WISSEL_SECRETS_DIR/NAME`), OpenBao or Vault.
A source that has it but may not be trusted, such as a file that everybody can read, refuses: the next is not asked,
for else whoever spoils one source would choose another.
"""

import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from runners.contract import SECRET_NAME, CommandTemplate, SitePolicy, Text
from runners.masking import SHORTEST, Masks

VARIABLE = "WISSEL_SECRET_"
LONGEST = 65_536
"""Bytes of one secret."""
KEEP_SECONDS = 30.0
"""For how long an answer of OpenBao is used before it is asked again."""
_REFERENCE = re.compile(rf"secret://({SECRET_NAME})")


class Source(StrEnum):
    """Where a secret comes from."""

    ENVIRONMENT = "environment"
    CREDENTIALS = "systemd credentials"
    FOLDER = "secrets folder"
    OPENBAO = "OpenBao"


class Why(StrEnum):
    """Why a site has no value for a name. `could_not_look` tells apart what may still be there."""

    MISSING = "missing"
    BAD_NAME = "bad-name"
    OPEN_TO_OTHERS = "open-to-others"
    FOREIGN_OWNER = "foreign-owner"
    NO_FILE = "no-plain-file"
    UNREADABLE = "unreadable"
    TOO_LONG = "too-long"
    TOO_SHORT = "too-short"
    NOT_TEXT = "not-text"
    DENIED = "denied"
    SEALED = "sealed"
    SILENT = "silent"
    STRANGE_ANSWER = "strange-answer"

    @property
    def could_not_look(self) -> bool:
        """Whether nobody could look: the store is sealed or silent, and may have it."""
        return self in (Why.SEALED, Why.SILENT, Why.STRANGE_ANSWER)


_WORDS = {
    Why.MISSING: ("deze locatie heeft het niet", "this site does not hold it"),
    Why.BAD_NAME: ("dit is geen naam van een geheim", "this is no name of a secret"),
    Why.OPEN_TO_OTHERS: (
        "het bestand of zijn map is open voor anderen; geef het mode 0600 of 0640, de map 0750 of minder",
        "its file or folder is open to others; give the file mode 0600 or 0640, the folder 0750 or less",
    ),
    Why.FOREIGN_OWNER: (
        "het bestand is niet van root of van de gebruiker van Wissel",
        "its file belongs neither to root nor to the user of Wissel",
    ),
    Why.NO_FILE: (
        "het is geen gewoon bestand in de map met geheimen",
        "it is no plain file inside the folder of secrets",
    ),
    Why.UNREADABLE: ("het bestand is niet te lezen", "its file cannot be read"),
    Why.TOO_LONG: (f"het is langer dan {LONGEST} bytes", f"it is longer than {LONGEST} bytes"),
    Why.TOO_SHORT: (
        f"het heeft minder dan {SHORTEST} tekens en is in uitvoer niet te maskeren; kies een langer geheim",
        f"it has fewer than {SHORTEST} characters and could not be masked in output; choose a longer secret",
    ),
    Why.NOT_TEXT: ("het is geen tekst in UTF-8", "it is no text in UTF-8"),
    Why.DENIED: ("OpenBao weigert de toegang (403)", "OpenBao denies access (403)"),
    Why.SEALED: ("OpenBao is verzegeld of in onderhoud (503)", "OpenBao is sealed or in maintenance (503)"),
    Why.SILENT: ("OpenBao gaf op tijd geen antwoord", "OpenBao did not answer in time"),
    Why.STRANGE_ANSWER: (
        "OpenBao gaf een antwoord dat niet te gebruiken is",
        "OpenBao gave an answer that can't be used",
    ),
}


class NotHeld(Exception):
    """A source refuses a name, or nobody has it; never holds a value."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class Looked:
    """What a look for one name found, fit to be written down: never the value."""

    source: Source | None = None
    """Where it is; None: no value."""
    why: Why | None = None
    also: tuple[Source, ...] = ()
    """Further sources that have something of this name, which is not used."""


class Store(Protocol):
    """A store of secrets outside this machine."""

    def get(self, name: str) -> str | None:
        """The value, or None where it has none. Raises `NotHeld`."""
        ...


@dataclass(frozen=True)
class Handed:
    """What a call of a runner gets: values by reference, and why others are missing."""

    values: dict[str, str] = field(default_factory=dict)
    missing: dict[str, Text] = field(default_factory=dict)


class SiteSecrets:
    """The secrets of one site, as its worker reaches them; every value that it sees is masked from then on."""

    def __init__(
        self, environment: Mapping[str, str], *, folder: Path | None = None, store: Store | None = None
    ) -> None:
        self._environment = {name: value for name, value in environment.items() if name.startswith(VARIABLE)}
        credentials, given = environment.get("CREDENTIALS_DIRECTORY"), environment.get("WISSEL_SECRETS_DIR")
        self._folders = {
            source: at
            for source, at in (
                (Source.CREDENTIALS, Path(credentials) if credentials else None),
                (Source.FOLDER, folder or (Path(given) if given else None)),
            )
            if at is not None
        }
        self._store, self._kept = store, dict[str, tuple[float | None, str | None]]()
        self._lock = threading.Lock()
        self.masks = Masks(value for value in self._environment.values() if len(value) >= SHORTEST)

    def value(self, name: str) -> str:
        """The value of `name`. Raises `NotHeld`."""
        return self._found(name)[1]

    def look(self, name: str) -> Looked:
        """Whether a value can be had, and from where, without giving it out."""
        try:
            source, _ = self._found(name)
        except NotHeld as lack:
            return Looked(why=lack.why)
        near = (Source.ENVIRONMENT, Source.CREDENTIALS, Source.FOLDER)
        later = near[near.index(source) + 1 :] if source in near else ()
        return Looked(source, also=tuple(each for each in later if self._has(each, name)))

    def hand(self, references: Iterable[str]) -> Handed:
        """What a call may have: the value of each reference, or why there is none."""
        handed = Handed()
        for reference in sorted(set(references)):
            name = reference.removeprefix("secret://")
            try:
                handed.values[reference] = self.value(name)
            except NotHeld as lack:
                handed.missing[reference] = told(name, lack.why)
        return handed

    def learn(self) -> None:
        """Know every value in the folders, so that it is masked though no step asked for it."""
        for source, folder in self._folders.items():
            try:
                names = [each.name for each in folder.iterdir() if re.fullmatch(SECRET_NAME, each.name)]
            except OSError:
                continue  # a step that needs one is told why
            for name in names[:1000]:
                try:
                    self._learned(self._from_folder(source, name) or "")
                except NotHeld:
                    continue  # the same

    def _found(self, name: str) -> tuple[Source, str]:
        if not re.fullmatch(SECRET_NAME, name):
            raise NotHeld(Why.BAD_NAME)
        for source in Source:
            value = self._from(source, name)
            if value is not None:
                if len(value) < SHORTEST:
                    raise NotHeld(Why.TOO_SHORT)
                return source, self._learned(value)
        raise NotHeld(Why.MISSING)

    def _from(self, source: Source, name: str) -> str | None:
        match source:
            case Source.ENVIRONMENT:
                return self._environment.get(variable(name))
            case Source.CREDENTIALS | Source.FOLDER:
                return self._from_folder(source, name)
            case Source.OPENBAO:
                return self._from_store(name)

    def _from_folder(self, source: Source, name: str) -> str | None:
        folder = self._folders.get(source)
        return None if folder is None else from_file(folder, name)

    def _from_store(self, name: str) -> str | None:
        if self._store is None:
            return None
        with self._lock:  # one at a time: twenty steps that begin at once ask for the same
            at, value = self._kept.get(name, (None, None))
            if at is None or time.monotonic() - at >= KEEP_SECONDS:
                value = self._store.get(name)
                self._kept[name] = (time.monotonic(), value)
            return value

    def _has(self, source: Source, name: str) -> bool:
        try:
            return self._from(source, name) is not None
        except NotHeld:
            return True

    def _learned(self, value: str) -> str:
        if len(value) >= SHORTEST:
            self.masks.add(value)
        return value


def variable(name: str) -> str:
    """The variable of the environment for a name: ``db.main`` is ``WISSEL_SECRET_DB_MAIN``."""
    return VARIABLE + name.upper().replace("-", "_").replace(".", "_")


def words(why: Why) -> Text:
    """A reason, for people."""
    nl, en = _WORDS[why]
    return Text(nl=nl, en=en)


def told(name: str, why: Why) -> Text:
    """Why a secret is missing, with its name."""
    reason = words(why)
    return Text(nl=f"geheim '{name}': {reason.nl}", en=f"secret '{name}': {reason.en}")


def from_file(folder: Path, name: str) -> str | None:
    """The content of a secret's file, without its last line end; None where there is none. Raises `NotHeld`.

    Nobody but root and Wissel may write to file and folder, and others may not read it. A link may only lead to
    another place in the same folder (as Kubernetes makes them).
    """
    path = folder / name
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            raise NotHeld(Why.OPEN_TO_OTHERS)
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise NotHeld(Why.NO_FILE)
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_symlink():
            raise NotHeld(Why.NO_FILE) from None
        return None
    except (OSError, RuntimeError):
        raise NotHeld(Why.UNREADABLE) from None
    try:
        _refuse_open(os.fstat(opened))
        with os.fdopen(opened, "rb", closefd=False) as file:
            content = file.read(LONGEST + 1)
    finally:
        os.close(opened)
    if len(content) > LONGEST:
        raise NotHeld(Why.TOO_LONG)
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise NotHeld(Why.NOT_TEXT) from None


def _refuse_open(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotHeld(Why.NO_FILE)
    if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise NotHeld(Why.OPEN_TO_OTHERS)
    if status.st_uid not in (0, os.geteuid()):
        raise NotHeld(Why.FOREIGN_OWNER)


def references(value: Any) -> set[str]:
    """Every ``secret://NAME`` that stands as a whole value somewhere in `value`."""
    if isinstance(value, str):
        return {value} if _REFERENCE.fullmatch(value) else set()
    if isinstance(value, Mapping):
        return {found for each in value.values() for found in references(each)}
    if isinstance(value, list | tuple):
        return {found for each in value for found in references(each)}
    return set()


def of_command(policy: SitePolicy, params: Mapping[str, Any]) -> set[str]:
    """What the command that the parameters name gets in its environment by this site's own list."""
    name = params.get("command")
    template = policy.commands.get(name) if isinstance(name, str) else None
    return {f"secret://{each}" for each in of_template(template)} if template else set()


def of_template(template: CommandTemplate) -> set[str]:
    """The names of the secrets in a command's environment."""
    return {reference.removeprefix("secret://") for reference in references(template.environment)}
