"""A step that does nothing but write down when it began and ended; standard library only: other tools run it too."""

import time
from itertools import pairwise
from pathlib import Path


def noop(file: str) -> bool:
    """One line with both moments, in nanoseconds."""
    began = time.time_ns()
    with Path(file).open("a") as out:
        out.write(f"{began} {time.time_ns()}\n")
    return True


def gaps(file: Path) -> list[float]:
    """Milliseconds from the end of each step to the beginning of the next one."""
    spans = [tuple(map(int, line.split())) for line in file.read_text().splitlines()]
    return [(after[0] - before[1]) / 1e6 for before, after in pairwise(spans)]
