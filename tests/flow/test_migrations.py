"""The schema comes from the migrations alone: from nothing, twice, by two at once, and as the models say."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import SQLModel

from app.core import migrations
from app.core.db import Database
from app.main import create_app
from app.tables import METADATA
from tests.flow.whole import settings_in


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """An empty database of each kind."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        cluster = request.getfixturevalue("postgres")
        made = Database(settings_in(tmp_path, database_url=cluster.empty()).url)
    yield made
    made.dispose()


def differences(database, metadata):
    with database.engine.connect() as connection:
        options = {"compare_type": True, "target_metadata": metadata}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def test_the_migrations_make_exactly_what_the_models_say(empty):
    migrations.upgrade(empty)
    found = [each for each in differences(empty, METADATA) if "alembic_version" not in str(each)]
    assert found == [], "renew or add a migration: alembic revision --autogenerate -m 'what changed'"


def test_a_model_without_its_migration_is_noticed(empty):
    from sqlalchemy import Column, Integer, MetaData, Table

    migrations.upgrade(empty)
    more = MetaData()
    Table("forgotten", more, Column("id", Integer, primary_key=True))
    assert any("forgotten" in str(each) for each in differences(empty, more))


def test_migrating_twice_is_harmless_and_says_that_it_is_current(empty):
    assert not migrations.is_current(empty)
    migrations.upgrade(empty)
    before = set(inspect(empty.engine).get_table_names())
    migrations.upgrade(empty)
    assert migrations.is_current(empty)
    assert set(inspect(empty.engine).get_table_names()) == before >= set(SQLModel.metadata.tables)


def test_two_instances_that_start_at_once_migrate_once(empty):
    instances = [empty, Database(empty.engine.url.render_as_string(hide_password=False))]
    ready, failed = threading.Barrier(2), []

    def start(database):
        ready.wait()
        try:
            migrations.upgrade(database)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=start, args=(each,)) for each in instances]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    instances[1].dispose()
    assert failed == []
    assert migrations.is_current(empty)


def test_the_application_serves_on_what_the_migrations_made(empty, tmp_path):
    from tests.flow.whole import Whole, fill, populate

    whole = Whole(create_app(settings_in(tmp_path), database=empty), settings_in(tmp_path))
    populate(whole, fill(empty))
    made = whole.service(name="Zürich & Łódź 門")
    assert whole.ok("GET", f"/services/{made['ref']}", by="viewer")["name"] == "Zürich & Łódź 門"
