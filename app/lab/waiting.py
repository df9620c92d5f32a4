"""What the demonstration does while people work: fresh sign-in links in time, and a way back that waits for them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.lab.organisation.loader import PlannedDrill
from app.lab.people import WORDS, Part, People, links
from app.lab.progress import Progress
from app.remote import Remote

LINK_SECONDS = 28 * 60
"""Links work for thirty minutes; new ones are shown shortly before."""
SOON = timedelta(minutes=3)
LATER = timedelta(minutes=15)
NEXT = timedelta(seconds=45)


@dataclass
class Patience:
    """Waits for people, and keeps the way back from coming before the way over is done."""

    admin: Remote
    people: People
    drills: Sequence[PlannedDrill]
    progress: Progress
    tell: Callable[[str], None]
    _shown_at: float = field(default_factory=time.monotonic)
    _brought_forward: bool = False

    def show_links(self) -> None:
        """Print a one-time link for each of the four."""
        self._shown_at = time.monotonic()
        for part, url in links(self.admin, self.people).items():
            self.tell(f"  {self.people[part].name}, {WORDS[part]}:\n           {url}")

    def renew_links(self) -> None:
        """Print new links once the last ones are about to end."""
        if time.monotonic() - self._shown_at > LINK_SECONDS:
            self.tell("The links above end. These are new:")
            self.show_links()

    def act(self, runs: list[dict[str, Any]]) -> None:
        """Move the way back: later while people still work on the way over, nearer once that is done."""
        del runs
        over, back = self.drills[0], self.drills[1]
        due = self.people[Part.AUTHOR].api.get(f"/drills/{back.id}")["nextDueAt"]
        if due is None or self._brought_forward:
            return
        now = datetime.now(UTC)
        if over.id in self.progress.ended:
            self._brought_forward = True
            if datetime.fromisoformat(due) > now + NEXT:
                self._move(back, now + NEXT)
                self.tell(f"{back.title}: approve it beforehand; it starts by itself in {NEXT.seconds} s, or then")
        elif datetime.fromisoformat(due) < now + SOON:
            self._move(back, now + LATER)

    def _move(self, drill: PlannedDrill, at: datetime) -> None:
        schedule = {"kind": "once", "at": at.isoformat()}
        self.people[Part.AUTHOR].api.patch(f"/drills/{drill.id}", {"schedule": schedule})
