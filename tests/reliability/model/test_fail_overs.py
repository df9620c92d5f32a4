"""Many fail-overs in a simulated world with writers at both sites, with crashes, cuts and wrong clocks by chance."""

from tests.reliability.figures import times, told
from tests.reliability.model.model_fail_overs import Tally, fail_over
from tests.reliability.model.model_ground import playbook_files


def test_no_instant_has_two_writable_databases_in_many_fail_overs_with_crashes_and_cuts() -> None:
    tally, names, seed = Tally(), sorted(playbook_files()), 0
    while tally.fail_overs < times(30, 1000):
        fail_over(names[seed % len(names)], seed, tally)
        seed += 1
    assert tally.two_writable == 0
    assert tally.promoted > tally.fail_overs / 4, "most of the chaos stopped them too early to show anything"
    told(
        "never two writable sites",
        f"{tally.fail_overs} fail-overs, {tally.instants} instants, {tally.two_writable} with two writable databases"
        f" ({tally.alone} more with a lost side that wrote on behind the cut)",
    )
