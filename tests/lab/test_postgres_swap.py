"""A whole planned switch and the way back on real servers, under load."""

from runners.contract import Seen, Verdict
from runners.postgres.fence import Fence, Unfence
from runners.postgres.follow import Follow
from runners.postgres.promote import Promote
from runners.switch.haproxy import Haproxy
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair, until
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers
from tests.unit.runners.fake_context import figures


def test_a_swap_and_the_swap_back_lose_no_acknowledged_write(pair: LabPair, drivers: Drivers, writer: Writer) -> None:
    for old, new in ((PRIMARY, FALLBACK), (FALLBACK, PRIMARY)):
        for outcome in drivers.swap(old, new):
            assert outcome.verdict is Verdict.PASSED, outcome.reason.en
        writer.wait_for(20)
    writer.__exit__()
    held = {row[0] for row in pair.primary.sql("select n from written")}
    assert set(writer.acknowledged) <= held
    until(lambda: {row[0] for row in pair.fallback.sql("select n from written")} == held)
    print(f"client outage {writer.outage_ms():.0f} ms, {len(writer.acknowledged)} writes, 0 lost")


def test_each_effect_of_a_swap_is_seen_by_a_fresh_look(drivers: Drivers) -> None:
    before = [drivers.observe(kind(), node=PRIMARY) for kind in (Fence,)]
    before += [drivers.observe(Promote(), node=FALLBACK), drivers.observe(Haproxy(), to=FALLBACK)]
    assert [each.seen for each in before] == [Seen.NOT_DONE] * 3
    stopped = drivers.fence(PRIMARY)
    drivers.context.close()  # as after a crash: nothing is remembered
    seen = drivers.observe(Fence(), node=PRIMARY)
    assert seen.seen is Seen.DONE
    assert figures(seen)["final_lsn"] == figures(stopped)["final_lsn"]
    assert figures(seen)["canary"] == figures(stopped)["canary"]
    drivers.promote(FALLBACK)
    assert drivers.observe(Promote(), node=FALLBACK).seen is Seen.DONE
    drivers.redirect(FALLBACK)
    assert drivers.observe(Haproxy(), to=FALLBACK).seen is Seen.DONE
    assert drivers.observe(Haproxy(), to=PRIMARY).seen is Seen.NOT_DONE
    assert drivers.observe(Follow(), node=PRIMARY, upstream=FALLBACK).seen is Seen.NOT_DONE
    drivers.follow(PRIMARY, FALLBACK)
    assert drivers.observe(Follow(), node=PRIMARY, upstream=FALLBACK).seen is Seen.DONE
    assert drivers.observe(Fence(), node=PRIMARY).seen is Seen.NOT_DONE


def test_the_old_side_keeps_no_slot_that_would_fill_its_disk(pair: LabPair, drivers: Drivers) -> None:
    drivers.swap(PRIMARY, FALLBACK)
    assert pair.primary.sql("select slot_name from pg_replication_slots") == []
    assert pair.fallback.sql("select slot_name, active from pg_replication_slots") == [("primary", True)]


def test_a_fence_is_undone_while_the_other_is_standby(pair: LabPair, drivers: Drivers, writer: Writer) -> None:
    assert drivers.fence(PRIMARY).verdict is Verdict.PASSED
    outcome = drivers.unfence(PRIMARY)
    assert outcome.verdict is Verdict.PASSED, outcome.reason.en
    assert drivers.observe(Unfence(), node=PRIMARY).seen is Seen.DONE
    writer.wait_for(20)
    assert not (pair.primary.data / "standby.signal").exists()
    assert not (pair.primary.data / "wissel-fence.json").exists()
    until(lambda: drivers.lag(PRIMARY, FALLBACK).verdict is Verdict.PASSED)
