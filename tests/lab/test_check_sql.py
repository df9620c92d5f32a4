"""check.sql on a real PostgreSQL: it reads one number and can do nothing else."""

from runners.check.sql import CheckSql
from runners.contract import Verdict
from tests.lab.pair import LabPair
from tests.lab.postgres_drivers import Drivers
from tests.unit.runners.fake_context import figures


def test_a_question_is_answered_and_nothing_is_changed(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.sql("insert into written select generate_series(1, 20)")
    pair.primary.sql("create function sneak() returns int language sql as 'delete from written returning 1'")
    cases = {
        "select count(*) from written": Verdict.PASSED,
        "select count(*) filter (where n < 3) from written": Verdict.FAILED,
        "select 7.5::numeric": Verdict.FAILED,
        "select 10.5::numeric": Verdict.PASSED,
        "select n from written where n < 0": Verdict.FAILED,
        "select true": Verdict.FAILED,
        "select null": Verdict.FAILED,
        "select 'NaN'::float8": Verdict.FAILED,
        "select '20'": Verdict.FAILED,
        "select nosuch": Verdict.FAILED,
        "with gone as (delete from written returning n) select count(*) from gone": Verdict.FAILED,
        "select 20; delete from written": Verdict.FAILED,
        "select 20; commit; delete from written": Verdict.FAILED,
        "select sneak()": Verdict.FAILED,
        "select set_config('transaction_read_only', 'off', false), sneak()": Verdict.FAILED,
        "select count(*) from written where '100%s' = '100%s'": Verdict.PASSED,
    }
    for query, expected in cases.items():
        params = CheckSql.Params.model_validate({"dsn": "secret://lab.primary", "query": query, "at_least": 10})
        outcome = CheckSql().run(params, drivers.context.give(10))
        assert outcome.verdict is expected, (query, outcome.reason.en)
    assert pair.primary.sql("select count(*) from written") == [(20,)]


def test_the_number_bears_the_name_it_was_given(drivers: Drivers) -> None:
    given = {"dsn": "secret://lab.primary", "query": "select 3", "measure": "mbco", "unit": "permits", "at_most": 3}
    outcome = CheckSql().run(CheckSql.Params.model_validate(given), drivers.context.give(10))
    assert (outcome.verdict, figures(outcome)) == (Verdict.PASSED, {"mbco": 3})


def test_a_query_that_takes_too_long_ends_before_the_deadline(drivers: Drivers) -> None:
    given = {"dsn": "secret://lab.primary", "query": "select 1 from pg_sleep(60)"}
    context = drivers.context.give(1.5)
    assert CheckSql().run(CheckSql.Params.model_validate(given), context).verdict is Verdict.FAILED
    assert context.remaining() > 0


def test_no_database_and_no_secret_are_not_looked_at(pair: LabPair, drivers: Drivers) -> None:
    pair.primary.stop()
    for dsn in ("secret://lab.primary", "secret://none"):
        params = CheckSql.Params.model_validate({"dsn": dsn, "query": "select 1"})
        assert CheckSql().run(params, drivers.context.give(5)).verdict is Verdict.UNKNOWN
