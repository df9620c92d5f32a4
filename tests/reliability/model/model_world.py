"""The simulated world: two databases with a writer at each site, a proxy, links that break, a target with keys.

It judges one thing by itself, at every instant: whether two databases take writes at once. What the drivers did to it
stands in its ledger, with the key and the fencing token under which it was done.
"""

from dataclasses import dataclass, field

SIDES = ("primary", "fallback")
HUB = "hub"
"""Where Wissel's own database, the proxy and the other target stand."""


def other(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]


@dataclass
class Heard:
    """What a target heard of who orders it: the highest token, and the newest owner by the scene's own count."""

    token: int = 0
    epoch: int = 0

    def admits(self, call: "Caller") -> bool:
        """Whether this is no older owner than was heard before; then it is the newest."""
        if call.token < self.token:
            return False
        self.token, self.epoch = max(self.token, call.token), max(self.epoch, call.epoch)
        return True


@dataclass
class Node:
    """One database: what it holds, and what it would be after a restart."""

    side: str
    up: bool = True
    recovery: bool = False
    signal: bool = False
    """standby.signal: with it a start comes back read-only."""
    rows: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    """Streamed in and not replayed yet."""
    upstream: str | None = None
    heard: "Heard" = field(default_factory=lambda: Heard())

    @property
    def writable(self) -> bool:
        return self.up and not self.recovery

    def start(self) -> None:
        self.up, self.recovery = True, self.signal


@dataclass(frozen=True)
class Done:
    """One change that a driver really made."""

    what: str
    run_id: str
    step_id: str
    call: str
    key: str
    token: int
    generation: int
    epoch: int
    newest_token: int
    """The highest token that the target had seen by then; 0 where it can't look at tokens."""
    newest_epoch: int
    """The newest owner that it had heard of by then, by the scene's own count; 0 likewise."""


class World:
    """Both sites, what is between them, and everything that was done to them."""

    def __init__(self) -> None:
        self.nodes = {side: Node(side) for side in SIDES}
        standby = self.nodes["fallback"]
        standby.recovery = standby.signal = True
        standby.upstream = "primary"
        self.cut: set[str] = set()
        """Sides whose site nobody outside it can reach."""
        self.proxy = "primary"
        self.asked: dict[str, bool] = {}
        """What the other target was asked to do, and whether that stands."""
        self.answered: set[str] = set()
        """Keys that it knows."""
        self.at_target, self.at_proxy = Heard(), Heard()
        self.shut: set[str] = set()
        """Sides to which all ways of ours were shut: who takes writes there is out of everybody's reach."""
        self.alone = 0
        """Instants in which such a side took writes of its own beside the other one."""
        self.jobs_stopped = False
        self.ledger: list[Done] = []
        self.lost: list[tuple[str, int]] = []
        """Per promotion: the run, and how many acknowledged rows the promoted side did not have."""
        self.accepted: dict[str, int] = {}
        """Runs in which people accepted a loss: how many rows the side that stays had when that was measured."""
        self.refused_tokens = 0
        self.instants = self.two_writable = 0
        self.writes = 0
        self.lazy = False
        """Whether the standby replays nothing at the moment."""
        self.acknowledged: set[int] = set()

    # -- the course of things

    def instant(self) -> None:
        """One instant: both writers write where they can, the standby streams; two that take writes are counted."""
        self.instants += 1
        takers = [node for node in self.nodes.values() if node.writable]
        if len(takers) > 1:
            behind = any(node.side in self.shut for node in takers)
            self.alone, self.two_writable = self.alone + behind, self.two_writable + (not behind)
        for node in takers:
            self.write(node)
        for node in self.nodes.values():
            self._stream(node)

    def write(self, node: Node) -> int:
        """A writer's row, acknowledged."""
        self.writes += 1
        node.rows.append(self.writes)
        self.acknowledged.add(self.writes)
        return self.writes

    def reach(self, here: str, there: str) -> bool:
        """Whether a packet gets from one place to another: a side's name, or the hub."""
        return here == there or not {here, there} & self.cut

    def streaming(self, node: Node) -> bool:
        """Whether this standby receives from a primary that it is a copy of."""
        if not (node.up and node.recovery and node.upstream):
            return False
        above = self.nodes[node.upstream]
        mine = node.rows + node.received
        return above.writable and self.reach(node.side, above.side) and above.rows[: len(mine)] == mine

    def _stream(self, node: Node) -> None:
        if self.streaming(node):
            above = self.nodes[str(node.upstream)]
            node.received += above.rows[len(node.rows) + len(node.received) :]
        if node.up and node.recovery and not self.lazy:
            self.replay(node)

    def replay(self, node: Node) -> None:
        """Everything that came in is in."""
        node.rows += node.received
        node.received = []

    # -- what drivers do; each a single instant

    def note(self, call: "Caller", what: str, heard: Heard | None = None) -> None:
        by = (call.run_id, call.step_id, call.kind, call.key, call.token, call.generation, call.epoch)
        newest = heard or Heard()
        self.ledger.append(Done(what, *by, newest.token, newest.epoch))

    def admits(self, heard: Heard, call: "Caller") -> bool:
        """What a real driver does first: an old token is refused, and nothing is done."""
        admitted = heard.admits(call)
        self.refused_tokens += not admitted
        return admitted

    def stop(self, side: str, call: "Caller") -> None:
        """An orderly stop: what streams gets everything first."""
        node, standby = self.nodes[side], self.nodes[other(side)]
        self._stream(standby)
        node.up, node.signal = False, True
        self.note(call, f"fence:{side}", self.nodes[side].heard)

    def unfence(self, side: str, call: "Caller") -> None:
        node = self.nodes[side]
        node.signal, node.upstream = False, None
        node.start()
        self.note(call, f"unfence:{side}", self.nodes[side].heard)

    def promote(self, side: str, call: "Caller") -> None:
        """All that was received is replayed, then it takes writes; what it lacks of the other side's rows is lost."""
        node = self.nodes[side]
        self.replay(node)
        missing = self.acknowledged - set(node.rows)
        accepted = self.accepted.get(call.run_id)
        self.lost.append((call.run_id, len(missing) if accepted is None else max(0, accepted - len(node.rows))))
        self.acknowledged -= missing
        node.recovery = node.signal = False
        node.upstream = None
        self.note(call, f"promote:{side}", self.nodes[side].heard)

    def follow(self, side: str, upstream: str, call: "Caller") -> None:
        node = self.nodes[side]
        node.signal, node.upstream = True, upstream
        node.start()
        self.note(call, f"follow:{side}", self.nodes[side].heard)

    def redirect(self, side: str, call: "Caller") -> None:
        self.proxy = side
        self.note(call, f"redirect:{side}", self.at_proxy)

    def ask(self, what: str, on: bool, call: "Caller", key: str) -> bool:
        """A target that keeps to keys and tokens: an old token is refused, a known key does nothing again."""
        before = Heard(self.at_target.token, self.at_target.epoch)
        if not self.admits(self.at_target, call):
            return False
        if key not in self.answered:
            self.answered.add(key)
            self.asked[what] = on
            self.note(call, f"{what}:{on}", before)
        return True

    def cut_off(self, side: str, call: "Caller") -> None:
        """From the side that stays: no users, no replication, either way."""
        self.shut.add(side)
        self.nodes[other(side)].upstream = None
        self.note(call, f"cut:{side}", self.nodes[other(side)].heard)

    def open_again(self, side: str, call: "Caller") -> None:
        self.shut.discard(side)
        self.nodes[other(side)].upstream = side
        self.note(call, f"open:{side}", self.nodes[other(side)].heard)

    def command(self, stop: bool, call: "Caller") -> None:
        """A command that is run: nobody can see afterwards whether it was."""
        self.jobs_stopped = stop
        self.note(call, f"jobs:{'stop' if stop else 'start'}")


@dataclass(frozen=True)
class Caller:
    """Who asks for a change: the step, its key and its token."""

    run_id: str
    step_id: str
    kind: str
    key: str
    token: int
    generation: int
    epoch: int
    """How often the scene saw an owner change before this was taken in hand."""
    params: dict[str, object]

    @property
    def node(self) -> str:
        return str(self.params["node"])
