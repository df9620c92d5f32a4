"""A real HAProxy moves users, or the driver says why not, soon."""

import time

import pytest

from runners.contract import Proxy, Seen, Verdict
from runners.switch import haproxy_socket
from runners.switch.haproxy import Haproxy
from tests.lab.conftest import Writer
from tests.lab.pair import LabPair
from tests.lab.postgres_drivers import FALLBACK, PRIMARY, Drivers


def _with(pair: LabPair, **changed: str) -> dict[str, object]:
    proxy = pair.environment.proxy
    assert isinstance(proxy, Proxy)
    return {"pair": pair.environment.model_copy(update={"proxy": proxy.model_copy(update=changed)}), "to": FALLBACK}


def test_a_socket_that_is_gone_fails_at_once_with_that_reason(pair: LabPair, drivers: Drivers, writer: Writer) -> None:
    params = Haproxy.Params.model_validate(_with(pair, socket="/nowhere/haproxy.sock"))
    started = time.monotonic()
    outcome = Haproxy().run(params, drivers.context.give(20))
    assert time.monotonic() - started < 2
    assert outcome.verdict is Verdict.FAILED
    assert "/nowhere/haproxy.sock" in outcome.reason.en
    assert Haproxy().observe(params, drivers.context.give(5)).seen is Seen.UNKNOWN
    writer.wait_for(5)  # users stay where they were


def test_a_killed_haproxy_fails_at_once(pair: LabPair, drivers: Drivers) -> None:
    pair.proxy.end()
    assert drivers.redirect(FALLBACK).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "changed",
    [{"backend": "nosuch"}, {"fallback": "three"}, {"primary": "nil"}, {"backend": "db; disable server db/one"}],
    ids=str,
)
def test_a_wrong_name_moves_nobody(pair: LabPair, drivers: Drivers, changed: dict[str, str]) -> None:
    params = Haproxy.Params.model_validate(_with(pair, **changed))
    assert Haproxy().run(params, drivers.context.give(5)).verdict is Verdict.FAILED
    assert drivers.observe(Haproxy(), to=FALLBACK).seen is Seen.NOT_DONE


def test_the_undo_moves_users_back(drivers: Drivers) -> None:
    assert drivers.redirect(FALLBACK).verdict is Verdict.PASSED
    params = Haproxy.Params.model_validate({"pair": drivers.lab.environment, "to": FALLBACK})
    assert Haproxy().undo(params, drivers.context.give(20)).verdict is Verdict.PASSED
    assert drivers.observe(Haproxy(), to=PRIMARY).seen is Seen.DONE


def test_the_token_only_ever_rises_whoever_comes_last(drivers: Drivers) -> None:
    proxy = drivers.lab.environment.proxy
    assert proxy is not None
    for mine, highest in ((5, 5), (3, 5), (217_641_612, 217_641_612), (9, 217_641_612)):
        drivers.context.fencing_token = mine
        assert haproxy_socket._raised_token(proxy, drivers.context.give(5)) == highest
        old = haproxy_socket.overtaken(proxy, drivers.context.give(5))
        assert (old is not None) is (mine < highest)
