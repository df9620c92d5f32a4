"""Compares the version of a deposit with the one that production runs."""

import re

from runners.contract import Outcome, could_not_look, failed

_VERSION = re.compile(
    r"v?(\d+(?:\.\d+)*)(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview|dev|post)[-_.]?(\d*))?(?:\+.*)?", re.I
)
_BEFORE = {"dev": -5, "a": -4, "alpha": -4, "b": -3, "beta": -3, "c": -2, "rc": -2, "pre": -2, "preview": -2, "post": 1}


def behind(deposit: str, production: str | None) -> Outcome | None:
    """None when the deposit is not older than production; else *failed*, or *could not look* at such versions."""
    if production is None or deposit == production:
        return None
    ours, theirs = _rank(deposit), _rank(production)
    if ours is None or theirs is None:
        return could_not_look(
            f"Versie '{deposit}' van het depot en versie '{production}' in productie zijn niet te vergelijken.",
            f"Version '{deposit}' of the deposit and version '{production}' in production cannot be compared.",
        )
    if ours < theirs:
        return failed(
            f"Het depot loopt achter: het is versie {deposit}, productie draait {production}.",
            f"The deposit lags behind: it is version {deposit}, production runs {production}.",
        )
    return None


def _rank(version: str) -> tuple[tuple[int, ...], int, int] | None:
    found = _VERSION.fullmatch(version.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), _BEFORE[found[2].lower()] if found[2] else 0, int(found[3] or 0)
