"""The drivers that this process knows, found once through their entry points."""

from functools import cache

from app.core.errors import Conflict
from app.core.messages import say
from runners.contract import Registry, Runner
from runners.registry import load


class RunnerMissing(Conflict):
    """A playbook uses a driver that is not installed here."""

    code = "runner-missing"


@cache
def registry() -> Registry:
    """All installed drivers."""
    return load()


def get(name: str) -> Runner:
    """The driver called `name`. Raises `RunnerMissing`."""
    try:
        return registry()[name]
    except KeyError:
        raise RunnerMissing(say("No runner called '{name}' is installed here.", name=name)) from None
