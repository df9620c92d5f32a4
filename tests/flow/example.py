"""The example organisation of the demonstration, entered through the API into the application under test."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.lab.organisation import loader
from app.lab.organisation.material import Filling
from app.lab.people import Part, SignedIn
from runners.contract import Backup, Deposit, Node, Proxy
from tests.flow.whole import Whole

PARTS = {
    Part.AUTHOR: "author",
    Part.APPROVER: "approver",
    Part.OPERATOR: "operator",
    Part.PROCESS_OWNER: "process-owner",
}
NODE = Node(site="noord", dsn="secret://lab.primary", data_directory="/srv/pg", binaries="/usr/bin", slot="one")
"""Nothing stands behind these: what runs on real servers is tested in tests/lab."""


@dataclass
class Hand:
    """A person's side of the API, as the demonstration's `Remote` is."""

    whole: Whole
    part: str

    def get(self, path: str, **query: Any) -> Any:
        """Read."""
        return self.whole.ok("GET", path, by=self.part, params=query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Write."""
        return self.whole.ok("POST", path, body or {}, by=self.part, headers={"Idempotency-Key": key} if key else {})


def values() -> dict[str, Any]:
    """What the organisation's files call the lab's values."""
    dump = Backup(kind="dump", path="/srv/permits.dump")
    deposit = Deposit(archive="/srv/d.tar", signature="/srv/d.sig", public_key="c2xldXRlbA==")
    proxy = Proxy(socket="/srv/haproxy.sock", backend="db", primary="one", fallback="two")
    shapes = {
        "goodDump": dump,
        "damagedDump": dump,
        "baseBackup": Backup(kind="basebackup", path="/srv/base"),
        "goodDeposit": deposit,
        "poorDeposit": deposit,
        "proxy": proxy,
    }
    made = {name: shape.model_dump(mode="json", exclude_none=True) for name, shape in shapes.items()}
    node = NODE.model_dump(mode="json", exclude_none=True, exclude={"site"})
    return {**made, "primaryNode": node, "fallbackNode": node, "serviceUrl": "http://127.0.0.1:9/"}


def enter(whole: Whole) -> loader.Organisation:
    """Enter all of it, with its plans, reviews and drills."""
    people: Any = {
        part: SignedIn(whole.people[name], "", name, Hand(whole, name))  # type: ignore[arg-type]
        for part, name in PARTS.items()
    }
    filling = Filling(datetime.now(UTC), values())
    entered = loader.enter(people, filling, tell=lambda _: None)
    filling.now = datetime.now(UTC)  # on a slow machine the first moments would have passed
    loader.plan_drills(people, filling, entered, auto=False)
    return entered
