"""The record beside a stopped node that says up to where its lost rows were listed; a rewind asks for it."""

import json
from dataclasses import asdict, dataclass

from runners.postgres.divergence import Divergence, position
from runners.postgres.folder import Folder

NAME = "wissel-divergence.json"


@dataclass(frozen=True)
class Record:
    """What was listed: from the fork to the end of the node's own log."""

    fork: str
    end: str
    sha256: str
    """Of the list."""
    lost_rows: int
    complete: bool
    listed_at: str

    def covers(self, found: Divergence) -> bool:
        """Whether nothing was written on the node since it was listed."""
        return self.fork == found.fork and position(found.last) <= position(self.end)


def leave(place: Folder, record: Record) -> None:
    """Leave the record in the data directory, durably."""
    place.write(NAME, json.dumps(asdict(record)))


def read(place: Folder) -> Record | None:
    """The record that was left; None without one that can be read."""
    try:
        return Record(**json.loads((place.path / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
