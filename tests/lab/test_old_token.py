"""An old fencing token is refused at the target itself: by each database, and by HAProxy; on real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runners import registry
from runners.contract import Effect, Fencing, Runner, Seen, Side, Verdict
from runners.postgres import token
from runners.switch.haproxy import Haproxy
from tests.lab.pair import LabPair, lab_pair
from tests.lab.postgres_drivers import Drivers
from tests.reliability.figures import told

PRIMARY, FALLBACK = Side.PRIMARY, Side.FALLBACK


@pytest.fixture(scope="module")
def lab() -> Iterator[LabPair]:
    with lab_pair() as pair:
        yield pair


@pytest.fixture
def drivers(lab: LabPair, tmp_path: Path) -> Iterator[Drivers]:
    made = Drivers(lab, tmp_path)
    yield made
    made.context.close()


def as_asked_by(drivers: Drivers, number: int) -> Drivers:
    """From here on steps bear this token."""
    drivers.context.fencing_token = number
    return drivers


def test_an_old_token_undoes_and_redoes_nothing_of_what_was_done_under_a_new_one(
    drivers: Drivers, lab: LabPair
) -> None:
    as_asked_by(drivers, 12)
    assert drivers.redirect(PRIMARY).verdict is Verdict.PASSED
    assert drivers.fence(PRIMARY).verdict is Verdict.PASSED
    as_asked_by(drivers, 11)
    for refused in (drivers.unfence(PRIMARY), drivers.redirect(FALLBACK)):
        assert refused.verdict is Verdict.FAILED
        assert "token 12, this step has 11" in refused.reason.en, refused.reason.en
    assert lab.primary.processes() == []
    assert drivers.observe(Haproxy(), to=FALLBACK).seen is Seen.NOT_DONE
    as_asked_by(drivers, 12)
    assert drivers.promote(FALLBACK).verdict is Verdict.PASSED
    as_asked_by(drivers, 11)
    refused = drivers.fence(FALLBACK)
    assert (refused.verdict, "token 12" in refused.reason.en) == (Verdict.FAILED, True)
    lab.fallback.sql("insert into written values (1)")
    as_asked_by(drivers, 13)
    assert drivers.redirect(FALLBACK).verdict is Verdict.PASSED
    told("old token at the database and at HAProxy (real servers)", "4 of 4 changes refused, 0 effects")


@pytest.mark.parametrize("side", [PRIMARY, FALLBACK])
def test_the_file_of_a_node_only_ever_grows_and_survives_its_data_directory(
    drivers: Drivers, lab: LabPair, side: Side
) -> None:
    node, place = lab.environment.node(side), token.beside(lab.server(side).data)
    for number, expected in ((20, None), (20, None), (19, "20"), (21, None), (3, "21")):
        as_asked_by(drivers, number)
        found = token.refused(node, drivers.context.give(20))
        assert (found is None) if expected is None else (found is not None and expected in found.reason.en)
    assert place.read_text() == "21"
    assert place.parent == lab.server(side).data.parent
    assert place.stat().st_mode & 0o077 == 0


def test_every_runner_that_changes_something_says_what_refuses_an_old_token() -> None:
    changing = {name: runner for name, runner in registry.load().items() if runner.effect is Effect.CHANGES}
    said = {name for name, runner in changing.items() if any("fencing" in vars(each) for each in _own(type(runner)))}
    assert said == set(changing)
    assert {changing[name].fencing for name in ("postgres.promote", "switch.haproxy")} == {Fencing.TARGET}


def _own(kind: type) -> list[type]:
    """The class and those it is made from, up to the contract, which says it for those that say nothing."""
    return [each for each in kind.__mro__ if each.__module__ != Runner.__module__]
