"""Whether the functions that fall back together fit the site, the people and the shared facilities."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """Fits, does not fit, or nobody measured how much there is."""

    FITS = "fits"
    DOES_NOT_FIT = "does-not-fit"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Amount:
    """A number of a resource; `measured` False where it was only said."""

    resource: str
    unit: str
    number: float
    measured: bool = True


@dataclass(frozen=True)
class FitLine:
    """One resource: what is needed, what there is, and the verdict."""

    resource: str
    unit: str
    needed: float
    available: float | None
    verdict: Fit


def _key(amount: Amount) -> tuple[str, str]:
    return " ".join(amount.resource.casefold().split()), " ".join(amount.unit.casefold().split())


def fit(needs: Iterable[Amount], capacity: Sequence[Amount]) -> tuple[FitLine, ...]:
    """Per resource and unit, the sum of the needs against what there is; what was never measured is unknown."""
    needed: defaultdict[tuple[str, str], float] = defaultdict(float)
    shown: dict[tuple[str, str], Amount] = {}
    for need in needs:
        needed[_key(need)] += need.number
        shown.setdefault(_key(need), need)
    return tuple(_line(first, needed[key], [c for c in capacity if _key(c) == key]) for key, first in shown.items())


def _line(first: Amount, needed: float, there: Sequence[Amount]) -> FitLine:
    available = sum(each.number for each in there) if there else None
    if available is None:
        verdict = Fit.UNKNOWN
    elif needed > available:
        verdict = Fit.DOES_NOT_FIT
    elif all(each.measured for each in there):
        verdict = Fit.FITS
    else:
        verdict = Fit.UNKNOWN
    return FitLine(first.resource, first.unit, needed, available, verdict)


def all_fit(lines: Sequence[FitLine]) -> Fit:
    """The worst of the lines; no needs at all is unknown, for nothing proves nothing."""
    verdicts = {line.verdict for line in lines}
    if Fit.DOES_NOT_FIT in verdicts:
        return Fit.DOES_NOT_FIT
    return Fit.FITS if verdicts == {Fit.FITS} else Fit.UNKNOWN
