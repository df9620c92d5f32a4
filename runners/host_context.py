"""The context that a runner gets inside a runner host: its secrets, log, progress and kept connections."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from runners.cleaning import LINE_LENGTH, Log, Secrets
from runners.contract import SecretMissing, SitePolicy
from runners.host_protocol import HostRequest
from runners.term import Leave

Kept = TypeVar("Kept")
PROGRESS_EVERY = 0.1
"""Seconds between two progress messages; those in between are passed over."""


class Vault:
    """The secrets of this site: ``secret://db.main`` is ``WISSEL_SECRET_DB_MAIN``, or the file ``db.main``.

    The file lies in the folder ``WISSEL_SECRETS_DIR``; the environment goes first. A last newline is not part of
    the value. Every value that it hands out, and every one in the environment, is masked in what the host tells.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.known = Secrets(value for name, value in environment.items() if name.startswith("WISSEL_SECRET_"))

    def value(self, reference: str) -> str:
        """The value behind ``secret://NAME``; raises `SecretMissing`, naming both places that were looked in."""
        name = reference.removeprefix("secret://")
        if name == reference or not name or not all(c.isalnum() or c in "._-" for c in name) or name.strip(".") == "":
            raise SecretMissing(f"'{reference}' is not a reference of the form secret://NAME")
        variable = "WISSEL_SECRET_" + name.upper().replace("-", "_").replace(".", "_")
        found = self._environment.get(variable)
        if found is None:
            found = self._from_file(name, variable)
        self.known.add(found)
        return found

    def _from_file(self, name: str, variable: str) -> str:
        folder = self._environment.get("WISSEL_SECRETS_DIR")
        if not folder:
            raise SecretMissing(f"this site does not hold secret '{name}': {variable} is not set, no secrets folder")
        try:
            return (Path(folder) / name).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissing(
                f"this site does not hold secret '{name}': {variable} is not set and its file cannot be read "
                f"({type(error).__name__})"
            ) from error


class Keeper:
    """Objects that live as long as the host, by key."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def keep(self, key: str, make: Callable[[], Kept]) -> Kept:
        """The object under `key`, made on first use."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: Kept = self._kept[key]
        return kept

    def forget(self, key: str) -> None:
        """Drop it, closing it where it can be closed."""
        close = getattr(self._kept.pop(key, None), "close", None)
        if callable(close):
            with suppress(Exception):  # a broken connection may raise anything while it is closed
                close()

    def close(self) -> None:
        """Drop everything."""
        for key in list(self._kept):
            self.forget(key)


class HostContext:
    """`runners.contract.Context` for one call."""

    def __init__(
        self,
        request: HostRequest,
        vault: Vault,
        keeper: Keeper,
        log: Log,
        tell: Callable[[int, int, str], None],
        leave: Leave | None = None,
    ) -> None:
        self.effect_key: str = request.effect_key
        self.fencing_token: int = request.fencing_token
        self.deadline: datetime = request.deadline.astimezone(UTC)
        self.evidence: Path = Path(request.evidence)
        self.policy: SitePolicy = request.policy
        self._vault, self._keeper, self._log, self._tell = vault, keeper, log, tell
        self._told, self._last = 0.0, (-1, -1, "")
        self._life, self._leave = request.life, leave or Leave(None)
        # From here on it is counted by a clock that nobody sets: a body has its time whatever the wall shows.
        self._until = time.monotonic() + (self.deadline - datetime.now(UTC)).total_seconds()

    def remaining(self) -> float:
        """Seconds until the deadline, never negative; none are left once others may hold the step."""
        return max(0.0, self._until - time.monotonic()) if self.may_act() else 0.0

    def may_act(self) -> bool:
        """Whether the step is still this worker's."""
        return self._leave.holds(self._life)

    def secret(self, reference: str) -> str:
        """Value of ``secret://NAME``."""
        return self._vault.value(reference)

    def progress(self, done: int, total: int, text: str) -> None:
        """Tell how far the step is; too frequent messages are passed over, the last one is not."""
        now, this = time.monotonic(), (_counted(done), _counted(total), str(text)[:LINE_LENGTH])
        ended = this[0] >= this[1] and this != self._last and self._last[0] < self._last[1]
        if now - self._told >= PROGRESS_EVERY or ended:
            self._told, self._last = now, this
            self._tell(*this)

    def log(self, line: str) -> None:
        """Add a line to the log of the step."""
        self._log.add(line)

    def keep(self, key: str, make: Callable[[], Kept]) -> Kept:
        """An object kept for the life of this host."""
        return self._keeper.keep(key, make)

    def forget(self, key: str) -> None:
        """Drop a kept object."""
        self._keeper.forget(key)


def _counted(value: int) -> int:
    """A count as every reader of it can hold."""
    return max(0, min(int(value), 2**53))


def environment() -> dict[str, str]:
    """This process's environment, from which the secrets are taken out so that no child inherits them."""
    whole = dict(os.environ)
    for name in whole:
        if name.startswith("WISSEL_SECRET"):
            del os.environ[name]
    return whole
