"""Takes a fence back: the way home before the point of no return, never into two primaries."""

import time
from datetime import UTC, datetime

from runners.contract import (
    Context,
    Effect,
    EnvironmentPair,
    Fencing,
    Frozen,
    Observation,
    Outcome,
    Preview,
    Repeat,
    Runner,
    Seen,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES
from runners.postgres import token
from runners.postgres.connection import shown
from runners.postgres.folder import MARGIN, POLL, RECORD, SIGNAL, Folder, NoFolder, ProgramFailed, folder
from runners.postgres.standing import other_is_no_primary, writable_now


class UnfenceParams(Frozen):
    """Starts the fenced database of one side again as the primary: the way back before the point of no return.

    Proves: the other side takes no writes, and this side does again.
    Cannot see: a third server that was promoted outside this pair.
    Needs: the worker at this node's site runs as the owner of the data directory, and holds both dsns.
    Bad input: when the other side takes writes it is refused (*failed*); when that cannot be seen it is *could not
    look*. In both cases nothing is started.
    """

    pair: EnvironmentPair
    node: Side


class Unfence(Runner):
    """``postgres.unfence``: the inverse of `postgres.fence`; never where there would be two primaries."""

    name = "postgres.unfence"
    Params = UnfenceParams
    effect = Effect.CHANGES
    repeat = Repeat.OBSERVABLE
    fencing = Fencing.TARGET
    dsns = ("node", "other")

    def preview(self, params: UnfenceParams, context: Context) -> Preview:
        """Look at the other side, drop the fence, start."""
        node, other = params.pair.node(params.node), params.pair.node(params.node.other)
        name = SIDE_NAMES[params.node]
        return Preview(
            calls=(
                shown(other, "SELECT pg_is_in_recovery() -- must be true"),
                f"remove {node.data_directory}/{SIGNAL}",
                f"pg_ctl start -D {node.data_directory}",
            ),
            changes=Text(nl=f"Start {name.nl} weer schrijfbaar.", en=f"Starts {name.en} again, writable."),
        )

    def observe(self, params: UnfenceParams, context: Context) -> Observation:
        """Done when this node answers and takes writes."""
        return writable_now(params.pair, params.node, context)

    def run(self, params: UnfenceParams, context: Context) -> Outcome:
        """Start it again, after the other side was seen not to take writes."""
        other = other_is_no_primary(params.pair, params.node, context)
        if other.seen is not Seen.DONE:
            answer = failed if other.seen is Seen.NOT_DONE else could_not_look
            return answer(f"{other.reason.nl} Er is niets gestart.", f"{other.reason.en} Nothing was started.")
        if (old := token.refused(params.pair.node(params.node), context)) is not None:
            return old
        try:
            place = folder(params.pair.node(params.node))
            # Somebody restarted it, read-only as the fence meant it to, or it has not finished stopping.
            halfway = place.running() and place.has(SIGNAL) and self.observe(params, context).seen is not Seen.DONE
            if halfway and not place.stop(context):
                return failed("De database stopt niet.", "The database does not stop.")
            place.remove(SIGNAL)
            place.remove(RECORD)
            if not place.running():
                place.start(context)
        except NoFolder as error:
            return could_not_look(error.text.nl, error.text.en)
        except ProgramFailed as error:
            return failed(f"De database startte niet: {error}", f"The database did not start: {error}")
        return self._wait(params, context, place)

    def _wait(self, params: UnfenceParams, context: Context, place: Folder) -> Outcome:
        seen = self.observe(params, context)
        while seen.seen is not Seen.DONE and context.remaining() > MARGIN:
            time.sleep(10 * POLL)
            seen = self.observe(params, context)
        if seen.seen is Seen.DONE:
            return passed(seen.reason.nl, seen.reason.en, effective_at=datetime.now(UTC))
        said = " ".join(place.said().split())
        return failed(f"{seen.reason.nl} {said}".strip(), f"{seen.reason.en} {said}".strip())
