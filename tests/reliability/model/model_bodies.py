"""Bodies of the simulated drivers: they do to the simulated world what the real ones do to a real one.

A body is a generator: between two `yield`s lies one instant, and at each of them its worker may be killed, cut off or
stopped. What the real driver looks at before it acts, the simulated one looks at too.
"""

from collections.abc import Callable, Generator
from typing import Any

from runners.contract import Measurement, Outcome, Verdict
from tests.reliability.model.model_runners import START, WORDS, what
from tests.reliability.model.model_world import HUB, Caller, World, other

Body = Generator[None, None, Outcome]
LOOKS = 3
"""So many instants a driver waits for what it wants to see."""


def end(verdict: Verdict, **measured: Any) -> Outcome:
    values = tuple(Measurement(name=name, value=value) for name, value in measured.items())
    return Outcome(verdict=verdict, reason=WORDS, measurements=values, needed_supplier=False)


def passed(**measured: Any) -> Outcome:
    return end(Verdict.PASSED, **measured)


def failed(**measured: Any) -> Outcome:
    return end(Verdict.FAILED, **measured)


def unknown(**measured: Any) -> Outcome:
    return end(Verdict.UNKNOWN, **measured)


def lsn(number: int) -> str:
    return f"0/{number:X}"


def fence(world: World, call: Caller) -> Body:
    node = world.nodes[call.node]
    yield
    if not world.admits(node.heard, call):
        return failed()
    if not node.up:
        return failed(primary_reachable=False)
    if node.recovery:
        return failed()
    canary = world.write(node)
    node.signal = True
    yield
    if not node.up:
        return failed()
    world.stop(call.node, call)
    yield
    return passed(final_lsn=lsn(len(node.rows)), canary=f"{call.key}@{canary}")


def unfence(world: World, call: Caller) -> Body:
    yield
    if not world.admits(world.nodes[call.node].heard, call):
        return failed()
    across = world.nodes[other(call.node)]
    if not world.reach(call.node, across.side) or not across.up:
        return unknown()
    if not across.recovery:
        return failed()
    node = world.nodes[call.node]
    if not node.writable:
        world.unfence(call.node, call)
    yield
    return passed() if node.writable else failed()


def promote(world: World, call: Caller) -> Body:
    node = world.nodes[call.node]
    yield
    if not world.admits(node.heard, call) or not node.up or not node.recovery:
        return failed()
    if world.streaming(node):
        return failed()
    yield
    if not node.up:
        return unknown()
    world.promote(call.node, call)
    yield
    return passed(promoted_ms=1.0)


def follow(world: World, call: Caller) -> Body:
    node, upstream = world.nodes[call.node], str(call.params["upstream"])
    above = world.nodes[upstream]
    yield
    if not world.admits(node.heard, call):
        return failed()
    if not world.reach(call.node, upstream) or not above.writable:
        return failed()
    if node.writable:
        return failed()
    node.up = False
    yield
    if above.rows[: len(node.rows)] != node.rows:
        return failed(diverged=True)
    if not node.up:
        world.follow(call.node, upstream, call)
    yield
    return passed() if world.streaming(node) else failed()


def redirect(world: World, call: Caller) -> Body:
    yield
    if not world.admits(world.at_proxy, call):
        return failed()
    world.redirect(str(call.params["to"]), call)
    yield
    return passed()


def ask(world: World, call: Caller) -> Body:
    on = call.kind != "undo"
    yield
    accepted = world.ask(what(call.params), on, call, call.key)
    yield
    return passed() if accepted else failed()


def command(world: World, call: Caller) -> Body:
    yield
    world.command(call.params["command"] == "stop-jobs", call)
    yield
    return passed()


def check_fenced(world: World, call: Caller) -> Body:
    yield
    node = world.nodes[call.node]
    return failed() if node.up else passed(restart_is_safe=node.signal)


def caught_up(world: World, call: Caller) -> Body:
    wanted = int(str(call.params["lsn"]).partition("/")[2], 16)
    node = world.nodes[call.node]
    for _ in range(LOOKS):
        yield
        if not node.up or not node.recovery:
            return failed()
        if len(node.rows) >= wanted:
            return passed(replay_lsn=lsn(len(node.rows)))
    return failed()


def replication_lag(world: World, call: Caller) -> Body:
    source, target = world.nodes[str(call.params["from"])], world.nodes[str(call.params["to"])]
    for _ in range(LOOKS):
        yield
        if not source.up or not world.reach(target.side, source.side):
            return failed(primary_reachable=False)
        if not world.streaming(target):
            return failed()
        if source.rows == target.rows or not world.lazy:
            return passed(lag_seconds=0.0)
    return failed()


def check_writable(world: World, call: Caller) -> Body:
    yield
    node = world.nodes[call.node]
    if not node.writable:
        return failed()
    canary = call.params.get("canary")
    if canary is not None and int(str(canary).rpartition("@")[2]) not in node.rows:
        return failed()
    return passed(rpa_ms=0.0)


def check_http(world: World, call: Caller) -> Body:
    wanted = call.params.get("served_by")
    for _ in range(LOOKS):
        yield
        node = world.nodes[world.proxy]
        works = node.writable and world.reach(HUB, node.side)
        if works and wanted in (None, world.proxy):
            return passed()
    return failed()


def cut_off(world: World, call: Caller) -> Body:
    stays = world.nodes[other(call.node)]
    yield
    if not world.admits(stays.heard, call) or not stays.up:
        return failed()
    if call.kind == "undo":
        if not stays.recovery:
            return failed()
        world.open_again(call.node, call)
        return passed()
    world.cut_off(call.node, call)
    yield
    return passed(cut_at=START.isoformat())


def check_cut_off(world: World, call: Caller) -> Body:
    """Looks several times: an address that answers once is not cut off."""
    for _ in range(LOOKS):
        yield
        reached = world.nodes[call.node].up and world.reach(other(call.node), call.node)
        if call.node not in world.shut or reached:
            return failed()
    return passed()


def measure_loss(world: World, call: Caller) -> Body:
    yield
    node = world.nodes[call.node]
    if not node.up or not node.recovery or world.streaming(node) or node.received:
        return failed()
    return passed(replay_lsn=lsn(len(node.rows)), loss_ms=1000.0)


def accepted_loss(world: World, call: Caller) -> Body:
    yield
    node, wanted = world.nodes[call.node], int(str(call.params["lsn"]).partition("/")[2], 16)
    if not node.up or not node.recovery or world.streaming(node) or len(node.rows) < wanted:
        return failed()
    world.accepted[call.run_id] = wanted
    return passed()


BODIES: dict[str, Callable[[World, Caller], Body]] = {
    "postgres.fence": fence,
    "postgres.unfence": unfence,
    "postgres.promote": promote,
    "postgres.follow": follow,
    "switch.haproxy": redirect,
    "switch.http": ask,
    "switch.command": command,
    "postgres.check-fenced": check_fenced,
    "postgres.caught-up": caught_up,
    "postgres.replication-lag": replication_lag,
    "postgres.check-writable": check_writable,
    "check.http": check_http,
    "postgres.cut-off": cut_off,
    "postgres.check-cut-off": check_cut_off,
    "postgres.measure-loss": measure_loss,
    "postgres.accepted-loss": accepted_loss,
}
