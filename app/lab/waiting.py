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
    _settled: bool = False

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
        if self._settled or back.id in self.progress.ended:
            return
        due = self.people[Part.AUTHOR].api.get(f"/drills/{back.id}")["nextDueAt"]
        now, ended = datetime.now(UTC), self.progress.ended.get(over.id)
        if ended is not None:
            self._settled = True
            self._settle(back, ended, due)
        elif due is not None and datetime.fromisoformat(due) < now + SOON:
            self._move(back, now + LATER)

    def _settle(self, back: PlannedDrill, over: dict[str, Any], due: str | None) -> None:
        """The way over ended: the way back comes soon, or has become needless."""
        if over["verdict"] != "passed":
            reason = {"reason": f"{over['ref']} did not switch, so there is no way back."}
            self.people[Part.AUTHOR].api.post(f"/drills/{back.id}/archivals", reason)
            self.progress.leave_out(back)
        elif due is not None and datetime.fromisoformat(due) > datetime.now(UTC) + NEXT:
            self._move(back, datetime.now(UTC) + NEXT)
            self.tell(f"{back.title}: two people approve it on its page; it starts in {NEXT.seconds} s, or then")

    def _move(self, drill: PlannedDrill, at: datetime) -> None:
        schedule = {"kind": "once", "at": at.isoformat()}
        self.people[Part.AUTHOR].api.patch(f"/drills/{drill.id}", {"schedule": schedule})
