"""Does what people would do in their browsers: approve, decide, check; each under their own name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.lab.organisation.loader import PlannedDrill
from app.lab.people import Part, People
from app.lab.servers import Servers, health

APPROVERS = (Part.APPROVER, Part.PROCESS_OWNER)


@dataclass
class Autopilot:
    """Answers for the people, as soon as they are asked."""

    people: People
    lab: Servers
    _approved: set[tuple[str, Part]] = field(default_factory=set)

    def approve_beforehand(self, drills: Sequence[PlannedDrill]) -> None:
        """Give the two approvals that an unattended drill asks for before its moment. Raises `ApiRefused`."""
        for drill in drills:
            if drill.unattended:
                for part in APPROVERS:
                    self.people[part].prove()
                    api = self.people[part].api
                    digest = api.get(f"/drills/{drill.id}/preview")["digest"]
                    api.post(f"/drills/{drill.id}/approvals", {"digest": digest, "verdict": "approved"})

    def act(self, runs: list[dict[str, Any]]) -> None:
        """Approve what waits for approval, and answer what is asked. Raises `ApiRefused`."""
        for run in runs:
            if run["state"] == "awaiting approval":
                self._approve(run)
            for step in run["steps"]:
                if any(action["command"] == "answer" for action in step["nextActions"]):
                    self._answer(run, step)

    def _approve(self, run: dict[str, Any]) -> None:
        for part in APPROVERS:
            if (run["id"], part) not in self._approved:
                self._approved.add((run["id"], part))
                body = {"digest": run["digest"], "verdict": "approved", "comment": "Seen and agreed."}
                self.people[part].prove()
                self.people[part].api.post(f"/runs/{run['id']}/approvals", body)

    def _answer(self, run: dict[str, Any], step: dict[str, Any]) -> None:
        if step["kind"] == "decide":
            body = {"step": step["id"], "option": "go", "comment": "Both sides are well."}
            self.people[Part.OPERATOR].api.post(f"/runs/{run['id']}/decisions", body)
        else:
            self._check(run["id"], step["id"])

    def _check(self, run_id: str, step_id: str) -> None:
        """The process owner uses the service through the proxy and adds what was seen as evidence."""
        seen = health(self.lab.proxy.url)
        text = f"{datetime.now(UTC).isoformat(timespec='seconds')} {self.lab.proxy.url} {seen}\n"
        owner = self.people[Part.PROCESS_OWNER].api
        file = owner.send_file(f"/runs/{run_id}/steps/{step_id}/evidence", "check.txt", text.encode(), "text/plain")
        works = seen is not None and bool(seen["writable"])
        body = {"step": step_id, "answer": "done" if works else "failed", "evidence": [file["sha256"]]}
        said = "The permit desk takes applications." if works else "The permit desk does not take applications."
        owner.post(f"/runs/{run_id}/answers", body | {"comment": said})
