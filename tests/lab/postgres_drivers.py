"""Calls the postgres drivers on a lab pair, as a runner host would."""

from datetime import timedelta
from pathlib import Path

from runners.contract import Observation, Outcome, Runner, Side
from runners.postgres.cut_off import CutOff
from runners.postgres.cut_off_check import CheckCutOff
from runners.postgres.fence import CheckFenced, Fence, Unfence
from runners.postgres.follow import Follow
from runners.postgres.lag import CaughtUp, ReplicationLag
from runners.postgres.listing import CheckListed, ListDivergence
from runners.postgres.loss import AcceptedLoss, MeasureLoss
from runners.postgres.promote import Promote
from runners.postgres.rebuild import Rebuild
from runners.postgres.rejoin import Rejoin
from runners.postgres.writable import CheckWritable
from runners.switch.haproxy import Haproxy
from tests.lab.pair import LabPair
from tests.unit.runners.fake_context import FakeContext, figures

PRIMARY, FALLBACK = Side.PRIMARY, Side.FALLBACK


class Drivers:
    """The drivers, with one context whose connections are kept as in a run."""

    def __init__(self, lab: LabPair, evidence: Path) -> None:
        self.lab = lab
        self.context = FakeContext(evidence, lab.secrets)

    def run(self, runner: Runner, seconds: float = 20, **params: object) -> Outcome:
        checked = runner.Params.model_validate({"pair": self.lab.environment, **params})
        return runner.run(checked, self.context.give(seconds))

    def observe(self, runner: Runner, **params: object) -> Observation:
        checked = runner.Params.model_validate({"pair": self.lab.environment, **params})
        return runner.observe(checked, self.context.give(20))

    def lag(self, source: Side, to: Side, at_most: float = 5, seconds: float = 20) -> Outcome:
        limit = timedelta(seconds=at_most)
        return self.run(ReplicationLag(), seconds, **{"from": source, "to": to, "at_most": limit})

    def fence(self, node: Side, seconds: float = 20) -> Outcome:
        return self.run(Fence(), seconds, node=node)

    def unfence(self, node: Side) -> Outcome:
        return self.run(Unfence(), node=node)

    def check_fenced(self, node: Side) -> Outcome:
        return self.run(CheckFenced(), node=node)

    def caught_up(self, node: Side, lsn: str, seconds: float = 20) -> Outcome:
        return self.run(CaughtUp(), seconds, node=node, lsn=lsn)

    def promote(self, node: Side) -> Outcome:
        return self.run(Promote(), node=node)

    def check_writable(self, node: Side, canary: str | None = None) -> Outcome:
        return self.run(CheckWritable(), node=node, canary=canary)

    def redirect(self, to: Side, seconds: float = 20) -> Outcome:
        return self.run(Haproxy(), seconds, to=to)

    def follow(self, node: Side, upstream: Side, rewind: bool = False) -> Outcome:
        return self.run(Follow(), node=node, upstream=upstream, rewind=rewind)

    def fence_returned(self, node: Side) -> Outcome:
        return self.run(Fence(), node=node, returned=True)

    def divergence(self, node: Side, seconds: float = 60, **more: object) -> Outcome:
        return self.run(ListDivergence(), seconds, node=node, **more)

    def check_listed(self, node: Side) -> Outcome:
        return self.run(CheckListed(), node=node)

    def rejoin(self, node: Side, upstream: Side) -> Outcome:
        return self.run(Rejoin(), 60, node=node, upstream=upstream)

    def rebuild(self, node: Side, upstream: Side) -> Outcome:
        return self.run(Rebuild(), 60, node=node, upstream=upstream)

    def cut_off(self, node: Side, seconds: float = 20) -> Outcome:
        return self.run(CutOff(), seconds, node=node)

    def check_cut_off(self, node: Side, looks: int = 3, **more: object) -> Outcome:
        return self.run(CheckCutOff(), node=node, looks=looks, apart=timedelta(milliseconds=100), **more)

    def measure_loss(self, node: Side, until: str | None = None, seconds: float = 20) -> Outcome:
        return self.run(MeasureLoss(), seconds, node=node, until=until)

    def accepted_loss(self, node: Side, measured: Outcome, until: str) -> Outcome:
        seen = figures(measured)
        return self.run(AcceptedLoss(), node=node, lsn=seen["replay_lsn"], at_most_ms=seen["loss_ms"], until=until)

    def swap(self, old: Side, new: Side) -> list[Outcome]:
        """The steps of the playbook switch-sides, in its order."""
        done = [self.check_writable(old), self.lag(old, new), self.fence(old)]
        stopped = figures(done[-1])
        done += [self.check_fenced(old), self.caught_up(new, stopped["final_lsn"]), self.promote(new)]
        done += [self.check_writable(new, stopped["canary"]), self.redirect(new), self.follow(old, new)]
        return done
