"""The context that a runner gets inside a runner host: its secrets, log, progress and kept connections."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from runners.cleaning import LINE_LENGTH, Log
from runners.contract import SecretMissing, SitePolicy, Text
from runners.host_protocol import HostRequest
from runners.term import Leave

Kept = TypeVar("Kept")
PROGRESS_EVERY = 0.1
"""Seconds between two progress messages; those in between are passed over."""


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
        self._keeper, self._log, self._tell = keeper, log, tell
        self._secrets, self._missing = request.secrets, request.missing
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
        """Value of ``secret://NAME``, as it came with this call."""
        try:
            return self._secrets[reference]
        except KeyError:
            raise SecretMissing(self._missing.get(reference) or _not_named(reference)) from None

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


def _not_named(reference: str) -> Text:
    name = reference.removeprefix("secret://")
    return Text(
        nl=f"geheim '{name}': de parameters van deze stap noemen het niet",
        en=f"secret '{name}': the parameters of this step do not name it",
    )


def _counted(value: int) -> int:
    """A count as every reader of it can hold."""
    return max(0, min(int(value), 2**53))
