"""Keeps the way back from coming before the way over is done, and shows fresh sign-in links in time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.lab.organisation.loader import PlannedDrill
from app.lab.people import WORDS, Part, People, links
from app.lab.progress import Progress
from app.remote import Remote

LINK_SECONDS = 28 * 60
"""Links work for thirty minutes; new ones are shown shortly before."""
SOON = timedelta(seconds=30)
LATER = timedelta(minutes=10)


@dataclass
class WayBack:
    """Moves the moment of the way back, as its author: a switch is only planned from the side that serves."""

    over: PlannedDrill
    back: PlannedDrill
    author: Remote
    progress: Progress
    stay: timedelta
    """How long after the way over ended the way back begins."""
    _settled: bool = False

    def look(self) -> None:
        """Move it nearer once the way over is done, later while it is not; drop it where nobody went over."""
        if self._settled or self.back.id in self.progress.ended:
            return
        due = self.author.get(f"/drills/{self.back.id}")["nextDueAt"]
        now, ended = datetime.now(UTC), self.progress.ended.get(self.over.id)
        if ended is None:
            if due is not None and datetime.fromisoformat(due) < now + SOON:
                self._move(now + LATER)
            return
        self._settled = True
        if ended["verdict"] != "passed":
            reason = f"{ended['ref']} did not switch, so there is no way back."
            self.author.post(f"/drills/{self.back.id}/archivals", {"reason": reason})
            self.progress.leave_out(self.back, reason)
        elif due is not None:
            self._move(now + self.stay)
            self.progress.tell(f"{self.back.title}: starts by itself in {self.stay.seconds} s")

    def _move(self, at: datetime) -> None:
        self.author.patch(f"/drills/{self.back.id}", {"schedule": {"kind": "once", "at": at.isoformat()}})


@dataclass
class Links:
    """One-time links of the people, shown anew before they end."""

    admin: Remote
    people: People
    tell: Callable[[str], None]
    _shown_at: float = field(default_factory=time.monotonic)

    def show(self) -> None:
        """Print a link for each of the four."""
        self._shown_at = time.monotonic()
        for part, url in links(self.admin, self.people).items():
            self.tell(f"  {self.people[part].name}, {WORDS[part]}:\n           {url}")
        self.tell("Who approves or accepts something is asked to prove who they are, with these:")
        for person in self.people.values():
            if person.means is not None:
                codes = " ".join(person.means.recovery_codes)
                self.tell(f"  {person.name}: {person.means.email}, password {person.means.password}")
                self.tell(f"           codes, each works once: {codes}")

    def renew(self) -> None:
        """Print new links once the last ones are about to end."""
        if time.monotonic() - self._shown_at > LINK_SECONDS:
            self.tell("The links above end. These are new:")
            self.show()


def way_back(people: People, drills: list[PlannedDrill], progress: Progress, *, stay: timedelta) -> WayBack:
    """For the two drills that switch."""
    named: dict[str, Any] = {drill.key: drill for drill in drills}
    return WayBack(named["over"], named["back"], people[Part.AUTHOR].api, progress, stay)
