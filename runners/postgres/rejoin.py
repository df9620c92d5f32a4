"""Takes a side that was lost back in, once what it wrote on its own is listed."""

from runners.contract import Context, EnvironmentPair, Fact, Frozen, Observation, Outcome, Preview, Side
from runners.postgres.follow import Follow, FollowParams


class RejoinParams(Frozen):
    """Makes the side that came back the standby of the one that took over; rewinds it where it diverged.

    Proves: what `postgres.follow` proves: it streams on the upstream's timeline and has replayed what was there.
    Cannot see: whether somebody still needs the rows that a rewind throws away; put a decision before it.
    Needs: what `postgres.follow` needs for a rewind, and the list that `postgres.divergence` made of this node.
    Bad input: a node that takes writes, that cannot be rewound, or whose own writes are not listed up to the last one
    is *failed* and left as it is.
    """

    pair: EnvironmentPair
    node: Side
    upstream: Side


class Rejoin(Follow):
    """``postgres.rejoin``: `postgres.follow` with a rewind, never before the lost rows are listed."""

    name = "postgres.rejoin"
    Params = RejoinParams
    requires = (Fact(kind="divergence-listed"),)
    dsns = ("node", "upstream")

    def preview(self, params: RejoinParams | FollowParams, context: Context) -> Preview:
        """The same calls as `postgres.follow`."""
        return super().preview(_with_rewind(params), context)

    def observe(self, params: RejoinParams | FollowParams, context: Context) -> Observation:
        """Done when this node streams from the upstream on the upstream's timeline."""
        return super().observe(_with_rewind(params), context)

    def run(self, params: RejoinParams | FollowParams, context: Context) -> Outcome:
        """Look first, then rewind where it must, then follow."""
        return super().run(_with_rewind(params), context)


def _with_rewind(params: RejoinParams | FollowParams) -> FollowParams:
    return FollowParams(pair=params.pair, node=params.node, upstream=params.upstream, rewind=True)
