"""The context that a runner host gives to a driver, without the host: secrets from a dict, everything else real."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runners.contract import SecretMissing, SitePolicy


class FakeContext:
    def __init__(
        self,
        evidence: Path,
        secrets: Mapping[str, str] | None = None,
        policy: SitePolicy | None = None,
        seconds: float = 20,
    ) -> None:
        self.effect_key, self.fencing_token = "run:step:1", 7
        self.evidence, self.policy = evidence, policy or SitePolicy()
        self.secrets = dict(secrets or {})
        self.lines: list[str] = []
        self._kept: dict[str, Any] = {}
        self.give(seconds)

    def give(self, seconds: float) -> "FakeContext":
        """Set the deadline this far from now."""
        self.deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        return self

    def remaining(self) -> float:
        return max(0.0, (self.deadline - datetime.now(UTC)).total_seconds())

    def secret(self, reference: str) -> str:
        try:
            return self.secrets[reference]
        except KeyError:
            raise SecretMissing(reference) from None

    def progress(self, done: int, total: int, text: str) -> None:
        self.lines.append(f"{done}/{total} {text}")

    def log(self, line: str) -> None:
        self.lines.append(line)

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def forget(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None and hasattr(kept, "close"):
            kept.close()

    def close(self) -> None:
        for key in list(self._kept):
            self.forget(key)


def figures(answer: Any) -> dict[str, Any]:
    """The measurements of an outcome or observation, by name."""
    return {each.name: each.value for each in answer.measurements}
