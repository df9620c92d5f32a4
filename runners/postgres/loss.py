"""Measures what a promotion would lose, and holds the promotion to what was accepted."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg
from pydantic import AwareDatetime, Field

from runners.contract import (
    Context,
    EnvironmentPair,
    Fact,
    Frozen,
    Measurement,
    Outcome,
    Preview,
    Side,
    Text,
    could_not_look,
    failed,
    passed,
)
from runners.looking import SIDE_NAMES, Looking
from runners.postgres.connection import Connection, NotReached, connection, shown
from runners.postgres.divergence import position
from runners.postgres.lag import Lsn
from runners.postgres.recovery import STATE, settled
from runners.postgres.standing import one_line

_TIMES = "select pg_last_xact_replay_timestamp(), (select checkpoint_time from pg_control_checkpoint())"
_CANARY = "select max(written_at) from wissel_canary"


class MeasureLossParams(Frozen):
    """Measures on the standby that stays what a promotion would lose at most.

    Proves: the standby has replayed all that it has and receives nothing more; when the newest write of the old side
    that it holds was made (`canary_at`: a commit, a canary or a checkpoint, the latest of them). What is lost was
    committed after that and before `until`, so `loss_ms` is the most that can be lost of what came in by our own way.
    Cannot see: which rows are lost, for they are on the lost side: `postgres.divergence` lists them when it is back.
    What clients at the lost side write after `until`. Two clocks that differ add their difference to the figure.
    Needs: the dsn of the standby, with the right to see other sessions (pg_monitor).
    Bad input: a side that is no standby, still receives or does not come to rest is *failed*; one that cannot be
    asked is *could not look*: an unknown loss is never no loss.
    """

    pair: EnvironmentPair
    node: Side
    """The side that stays."""
    until: AwareDatetime | None = None
    """When the way to the lost side was shut (`cut_at` of `postgres.cut-off`); default: now."""


class MeasureLoss(Looking):
    """``postgres.measure-loss``: the loss that people are asked to accept."""

    name = "postgres.measure-loss"
    Params = MeasureLossParams
    dsns = ("node",)

    def preview(self, params: MeasureLossParams, context: Context) -> Preview:
        """The looks at the standby."""
        return _preview(params.pair, params.node)

    def run(self, params: MeasureLossParams, context: Context) -> Outcome:
        """Wait until it has replayed all that it has, then reckon."""
        return _looked(params.pair, params.node, params.until, context, _told)


class AcceptedLossParams(Frozen):
    """Looks once more, right before the promotion, whether the loss is no more than what people accepted.

    Proves: the standby has replayed all that it has, is at `lsn` or beyond, and loses at most `at_most_ms`.
    Cannot see: whether somebody accepted that; put the decision between the measurement and this step.
    Needs: what `postgres.measure-loss` needs, and its measurements.
    Bad input: a loss above `at_most_ms` or a position before `lsn` is *failed*; what cannot be asked *could not look*.
    """

    pair: EnvironmentPair
    node: Side
    lsn: Lsn
    """`replay_lsn` of the measurement that was accepted."""
    at_most_ms: float = Field(ge=0)
    """`loss_ms` of the measurement that was accepted."""
    until: AwareDatetime
    """As it was measured with."""


class AcceptedLoss(Looking):
    """``postgres.accepted-loss``: provides ``caught-up``, which `postgres.promote` requires, by an accepted loss."""

    name = "postgres.accepted-loss"
    Params = AcceptedLossParams
    provides = (Fact(kind="caught-up"),)
    dsns = ("node",)

    def preview(self, params: AcceptedLossParams, context: Context) -> Preview:
        """The looks at the standby."""
        return _preview(params.pair, params.node)

    def run(self, params: AcceptedLossParams, context: Context) -> Outcome:
        """Measure again and compare with what was accepted."""

        def judge(seen: _Loss) -> Outcome:
            if position(seen.replayed) < position(params.lsn):
                nl = f"De standby staat op {seen.replayed}, voor de plaats die is geaccepteerd ({params.lsn})."
                en = f"The standby is at {seen.replayed}, before the place that was accepted ({params.lsn})."
                return failed(nl, en, *seen.figures)
            if seen.milliseconds > params.at_most_ms:
                nl = f"Er kan {seen.milliseconds:.0f} ms weg zijn; geaccepteerd is {params.at_most_ms:.0f} ms."
                en = f"Up to {seen.milliseconds:.0f} ms may be lost; {params.at_most_ms:.0f} ms was accepted."
                return failed(nl, en, *seen.figures)
            nl = f"Het verlies is hoogstens {seen.milliseconds:.0f} ms, zoals geaccepteerd."
            en = f"The loss is at most {seen.milliseconds:.0f} ms, as accepted."
            return passed(nl, en, *seen.figures)

        return _looked(params.pair, params.node, params.until, context, judge)


class _Loss(NamedTuple):
    milliseconds: float
    newest: datetime
    replayed: str
    figures: tuple[Measurement, ...]


_Judge = Callable[[_Loss], Outcome]


def _preview(pair: EnvironmentPair, node: Side) -> Preview:
    queries = ("SELECT pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()", "SELECT max(written_at) FROM …")
    calls = tuple(shown(pair.node(node), query) for query in queries)
    return Preview(calls=calls, changes=Text(nl="Verandert niets.", en="Changes nothing."))


def _told(seen: _Loss) -> Outcome:
    moment = seen.newest.isoformat(timespec="milliseconds")
    nl = f"Hoogstens {seen.milliseconds:.0f} ms aan wijzigingen is weg; de laatste die er is, is van {moment}."
    en = f"At most {seen.milliseconds:.0f} ms of changes is lost; the newest that is there is of {moment}."
    return passed(nl, en, *seen.figures)


def _looked(pair: EnvironmentPair, side: Side, until: datetime | None, context: Context, judge: _Judge) -> Outcome:
    name = SIDE_NAMES[side]
    try:
        link = connection(pair.node(side), context)
        trouble = settled(link, context)
        if trouble is not None:
            nl, en = f"{name.nl.capitalize()} {trouble.nl}", f"{name.en.capitalize()} {trouble.en}"
            return failed(nl, en)
        return judge(_reckoned(link, until))
    except NotReached as error:
        return could_not_look(error.text.nl, error.text.en)
    except psycopg.Error as error:
        nl, en = "Het verlies is niet te meten", "The loss cannot be measured"
        return could_not_look(f"{nl}: {one_line(error)}", f"{en}: {one_line(error)}")


def _reckoned(link: Connection, until: datetime | None) -> _Loss:
    row = link.execute(_TIMES).fetchone()
    commit, checkpoint = row if row is not None else (None, None)
    canary = _newest_canary(link)
    known = [each for each in (commit, checkpoint, canary) if each is not None]
    newest = max(known).astimezone(UTC)
    lost = max(timedelta(0), (until or datetime.now(UTC)) - newest)
    milliseconds = math.ceil(lost.total_seconds() * 10_000) / 10  # what is accepted and what is found round alike
    state = link.execute(STATE).fetchone()
    replayed, received = (str(state[1]), str(state[5])) if state is not None else ("", "")
    figures = (
        Measurement(name="loss_ms", value=milliseconds, unit="ms"),
        Measurement(name="canary_at", value=newest.isoformat()),
        Measurement(name="replay_lsn", value=replayed),
        Measurement(name="received_lsn", value=received),
    )
    return _Loss(milliseconds, newest, replayed, figures)


def _newest_canary(link: Connection) -> datetime | None:
    if link.execute("select to_regclass('wissel_canary')").fetchone() == (None,):
        return None
    row = link.execute(_CANARY).fetchone()
    found: datetime | None = row[0] if row else None
    return found
