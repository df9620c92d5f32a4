"""Each driver says what it proves, cannot see, needs and does with bad input, and previews without touching a thing."""

import socket
from importlib.metadata import entry_points
from typing import Any

import pytest
from pydantic import ValidationError

from runners.check.sql import CheckSqlParams
from runners.contract import Effect, EnvironmentPair, Node, Proxy, Repeat, Runner
from runners.postgres.connection import endpoints
from runners.postgres.divergence import position
from runners.postgres.folder import NoFolder, folder
from tests.unit.runners.fake_context import FakeContext

FAMILIES = ("postgres", "switch", "check", "notify")
OURS = [each for each in entry_points(group="wissel.runners") if each.name.split(".")[0] in FAMILIES]
PAIR = EnvironmentPair(
    name="permits",
    primary=Node(site="a", dsn="secret://a", data_directory="/data/a", slot="a"),
    fallback=Node(site="b", dsn="secret://b", data_directory="/data/b", slot="b"),
    proxy=Proxy(socket="/run/haproxy.sock", backend="db", primary="one", fallback="two"),
)
MOMENT = "2026-11-23T16:00:00+00:00"
PARAMS: dict[str, dict[str, Any]] = {
    "check.http": {"url": "http://192.0.2.7/"},
    "check.sql": {"dsn": "secret://a", "query": "select 1"},
    "check.tcp": {"address": "192.0.2.7:80"},
    "check.tls": {"address": "192.0.2.7:443"},
    "notify.webhook": {"url": "http://192.0.2.7/", "secret": "secret://hook"},
    "postgres.accepted-loss": {"node": "fallback", "lsn": "0/3000060", "at_most_ms": 5, "until": MOMENT},
    "postgres.caught-up": {"node": "fallback", "lsn": "0/3000060"},
    "postgres.check-cut-off": {"node": "primary", "witness": "192.0.2.7:80"},
    "postgres.check-fenced": {"node": "primary"},
    "postgres.check-writable": {"node": "primary", "canary": "x@2026-01-01T00:00:00+00:00"},
    "postgres.check-listed": {"node": "primary"},
    "postgres.cut-off": {"node": "primary", "command": "close-the-line"},
    "postgres.divergence": {"node": "primary"},
    "postgres.fence": {"node": "primary"},
    "postgres.follow": {"node": "primary", "upstream": "fallback"},
    "postgres.measure-loss": {"node": "fallback", "until": MOMENT},
    "postgres.promote": {"node": "fallback"},
    "postgres.rebuild": {"node": "primary", "upstream": "fallback"},
    "postgres.rejoin": {"node": "primary", "upstream": "fallback"},
    "postgres.replication-lag": {"from": "primary", "to": "fallback", "at_most": "PT5S"},
    "postgres.unfence": {"node": "primary"},
    "switch.command": {"command": "tool"},
    "switch.haproxy": {"to": "fallback"},
    "switch.http": {"url": "http://192.0.2.7/"},
}


def _params(kind: type[Runner]) -> Any:
    given = PARAMS[kind.name]
    return kind.Params.model_validate({"pair": PAIR, **given} if "pair" in kind.Params.model_fields else given)


@pytest.mark.parametrize("entry", OURS, ids=lambda each: each.name)
def test_a_driver_describes_itself(entry: Any, context: FakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = entry.load()
    assert kind.name == entry.name
    for word in ("Proves:", "Cannot see:", "Needs:", "Bad input:"):
        assert word in (kind.Params.__doc__ or ""), word
    assert entry.name in (kind.__doc__ or "")
    monkeypatch.setattr(socket, "socket", None)  # a preview touches nothing outside
    shown = kind().preview(_params(kind), context)
    assert shown.changes.nl
    assert shown.changes.en
    assert shown.changes.nl != shown.changes.en
    assert shown.calls


@pytest.mark.parametrize("entry", OURS, ids=lambda each: each.name)
def test_its_parameters_survive_the_way_to_the_runner_host(entry: Any) -> None:
    params = _params(entry.load())
    for alias in (True, False):
        assert type(params).model_validate_json(params.model_dump_json(by_alias=alias)) == params
    with pytest.raises(ValidationError):
        type(params).model_validate({**params.model_dump(by_alias=True), "surplus": 1})


def test_only_looking_drivers_are_probes_and_only_acting_ones_change() -> None:
    kinds = {each.name: each.load() for each in OURS}
    changing = {name for name, kind in kinds.items() if kind.effect is Effect.CHANGES}
    assert changing == {
        "postgres.cut-off",
        "postgres.fence",
        "postgres.unfence",
        "postgres.promote",
        "postgres.follow",
        "postgres.rebuild",
        "postgres.rejoin",
        "switch.command",
        "switch.haproxy",
        "switch.http",
    }
    assert {name for name, kind in kinds.items() if kind.probe} == {
        "postgres.check-cut-off",
        "postgres.check-fenced",
        "postgres.check-writable",
        "check.http",
    }
    assert all(kind.repeat is not Repeat.NEVER for kind in kinds.values())


def test_promotion_requires_the_other_side_fenced_and_this_side_caught_up() -> None:
    kinds = {each.name: each.load() for each in OURS}
    required = [(fact.kind, fact.node, fact.opposite) for fact in kinds["postgres.promote"].requires]
    assert required == [("fenced", "node", True), ("caught-up", "node", False)]
    for name in ("postgres.check-fenced", "postgres.check-cut-off"):
        assert [fact.kind for fact in kinds[name].provides] == ["fenced"]
    for name in ("postgres.caught-up", "postgres.accepted-loss"):
        assert [fact.kind for fact in kinds[name].provides] == ["caught-up"]


def test_a_step_runs_at_the_site_of_the_node_it_names() -> None:
    kinds = {each.name: each.load() for each in OURS}
    fence, lag = kinds["postgres.fence"], kinds["postgres.replication-lag"]
    assert fence().site(_params(fence)) == "a"
    assert lag().site(_params(lag)) == "b"
    for name in ("postgres.cut-off", "postgres.check-cut-off"):
        assert kinds[name]().site(_params(kinds[name])) == "b"  # the lost side cannot be asked for anything


@pytest.mark.parametrize("lsn", ["", "0/", "x/1", "0/300006000000", "0/1; select 1", "0-1"])
def test_a_text_that_is_no_lsn_is_refused(lsn: str) -> None:
    kind = next(each for each in OURS if each.name == "postgres.caught-up").load()
    with pytest.raises(ValidationError, match="LSN"):
        kind.Params(pair=PAIR, node="primary", lsn=lsn)


@pytest.mark.parametrize(
    "query", ["delete from x", "copy x to program 'id'", "set role x", "", "-- x\nselect 1", "do $$ $$", "selector"]
)
def test_a_query_that_does_not_begin_as_a_question_is_refused(query: str) -> None:
    with pytest.raises(ValidationError):
        CheckSqlParams(dsn="secret://a", query=query)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("host=a port=1", [("a", 1)]),
        ("host=a", [("a", 5432)]),
        ("postgresql://u:p@a:7,b:8/x", [("a", 7), ("b", 8)]),
        ("host=a,b port=9", [("a", 9), ("b", 9)]),
        ("host=a hostaddr=192.0.2.1", [("192.0.2.1", 5432)]),
        ("host=/run/postgresql", [("/run/postgresql", 5432)]),
        ("dbname=x", []),
    ],
)
def test_every_address_in_a_dsn_is_found(dsn: str, expected: list[tuple[str, int]]) -> None:
    assert endpoints(dsn) == expected


def test_positions_in_the_log_are_numbers_and_not_texts() -> None:
    assert position("0/10") > position("0/F")
    assert position("1/0") > position("0/FFFFFFFF")


def test_a_data_directory_that_is_none_is_not_looked_at(tmp_path: Any) -> None:
    for node in (Node(site="a"), Node(site="a", data_directory=str(tmp_path))):
        with pytest.raises(NoFolder):
            folder(node)
    (tmp_path / "PG_VERSION").write_text("18\n")
    with pytest.raises(NoFolder, match="pg_ctl"):
        folder(Node(site="a", data_directory=str(tmp_path), binaries="/nowhere"))
