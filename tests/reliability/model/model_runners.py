"""The simulated drivers: named, typed and described as the real ones, and what they see of the simulated world."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runners.check.http import CheckHttp
from runners.contract import Effect, Repeat, Runner, Seen, Text
from runners.postgres.cut_off import CutOff
from runners.postgres.cut_off_check import CheckCutOff
from runners.postgres.fence import CheckFenced, Fence
from runners.postgres.follow import Follow
from runners.postgres.lag import CaughtUp, ReplicationLag
from runners.postgres.listing import CheckListed, ListDivergence
from runners.postgres.loss import AcceptedLoss, MeasureLoss
from runners.postgres.promote import Promote
from runners.postgres.rejoin import Rejoin
from runners.postgres.unfence import Unfence
from runners.postgres.writable import CheckWritable
from runners.switch.command import Command
from runners.switch.haproxy import Haproxy
from runners.switch.http import Http
from tests.reliability.model.model_world import World

START = datetime(2027, 1, 10, 10, tzinfo=UTC)
WORDS = Text(nl="Zo is het.", en="So it is.")


class CommandOnce(Command):
    """`switch.command` as it is with a template that nobody can observe: its effect may never be repeated."""

    repeat = Repeat.NEVER


REAL: tuple[type[Runner], ...] = (
    AcceptedLoss,
    CheckCutOff,
    CheckListed,
    CutOff,
    ListDivergence,
    MeasureLoss,
    Rejoin,
    CheckFenced,
    CheckHttp,
    CheckWritable,
    CaughtUp,
    CommandOnce,
    Fence,
    Follow,
    Haproxy,
    Http,
    Promote,
    ReplicationLag,
    Unfence,
)
REGISTRY: dict[str, Runner] = {kind.name: kind() for kind in REAL}


def what(params: Mapping[str, Any]) -> str:
    """The part of the other target that an address names."""
    return str(params["url"]).split("/")[3]


def observe(name: str, world: World, params: dict[str, Any]) -> Seen:
    """What the real driver's `observe` would see."""
    side = str(params.get("node", params.get("to", "")))
    match name:
        case "postgres.fence":
            node = world.nodes[side]
            return Seen.DONE if not node.up and node.signal else Seen.NOT_DONE
        case "postgres.promote" | "postgres.unfence":
            return Seen.DONE if world.nodes[side].writable else Seen.NOT_DONE
        case "postgres.follow":
            upstream = str(params["upstream"])
            if not world.reach(side, upstream):
                return Seen.UNKNOWN
            follows = world.streaming(world.nodes[side]) and world.nodes[side].upstream == upstream
            return Seen.DONE if follows else Seen.NOT_DONE
        case "postgres.cut-off":
            return Seen.DONE if side in world.shut else Seen.NOT_DONE
        case "switch.haproxy":
            return Seen.DONE if world.proxy == side else Seen.NOT_DONE
        case "switch.http":
            if params.get("observe_url") is None:
                return Seen.UNKNOWN
            return Seen.DONE if world.asked.get(what(params)) else Seen.NOT_DONE
        case "switch.command":
            return Seen.UNKNOWN
    return Seen.NOT_DONE


ACTING = frozenset(name for name, each in REGISTRY.items() if each.effect is not Effect.OBSERVES)
