"""The drivers that this process knows: found once through their entry points, or handed over at the start."""

from app.core.errors import Conflict
from app.core.messages import say
from runners.contract import Registry, Runner
from runners.registry import load


class RunnerMissing(Conflict):
    """A playbook uses a driver that is not installed here."""

    code = "runner-missing"


_known: Registry | None = None


def use(registry: Registry) -> None:
    """Know these drivers from now on."""
    global _known
    _known = registry


def registry() -> Registry:
    """All drivers that are known here."""
    if _known is None:
        use(load())
    return _known or {}


def get(name: str) -> Runner:
    """The driver called `name`. Raises `RunnerMissing`."""
    try:
        return registry()[name]
    except KeyError:
        raise RunnerMissing(say("No runner called '{name}' is installed here.", name=name)) from None
