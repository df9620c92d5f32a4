"""Finds the drivers that are installed, through the entry-point group ``wissel.runners``."""

from importlib.metadata import entry_points
from types import MappingProxyType

from runners.contract import Registry, Runner

GROUP = "wissel.runners"


class RunnerRefused(Exception):
    """An installed driver cannot be used: it does not import, is no Runner, or bears a name that is taken."""


def load() -> Registry:
    """All installed drivers by name.

    Raises `RunnerRefused`, naming the distribution, when one of them cannot be used: a product that switches
    production does not start with half of its drivers.
    """
    found: dict[str, Runner] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        try:
            kind = entry.load()
        except Exception as error:  # a foreign package may raise anything while it is imported
            raise RunnerRefused(f"runner '{entry.name}' ({entry.value}) does not import: {error!r}") from error
        if not (isinstance(kind, type) and issubclass(kind, Runner)):
            raise RunnerRefused(f"runner '{entry.name}' ({entry.value}) is not a subclass of runners.contract.Runner")
        if kind.name != entry.name:
            raise RunnerRefused(f"entry point '{entry.name}' names runner '{kind.name}'; the two must be the same")
        if entry.name in found:
            raise RunnerRefused(f"two installed packages bring a runner called '{entry.name}'")
        found[entry.name] = kind()
    return MappingProxyType(found)
