"""Fixtures over the application as a whole: on SQLite, and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.runs import stream
from tests.flow.access_world import Units, make
from tests.flow.whole import Cluster, Template, Whole, cluster, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A database with everybody in it, built once by the migrations."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def whole(template: Template, tmp_path: Path) -> Iterator[Whole]:
    """The application on its own SQLite file."""
    made = template.copy(tmp_path / "data")
    yield made
    made.database.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server for all tests of this session."""
    with cluster() as started:
        yield started


@pytest.fixture
def whole_on_postgres(postgres: Cluster, tmp_path: Path) -> Iterator[Whole]:
    """The application on a PostgreSQL database of its own."""
    made = postgres.whole(tmp_path / "data")
    yield made
    made.database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Whole:
    """The application, once on each database."""
    found: Whole = request.getfixturevalue("whole" if request.param == "sqlite" else "whole_on_postgres")
    return found


@pytest.fixture(scope="module")
def units(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Units]:
    """An organisation with two units; what a request writes is forgotten."""
    patch = pytest.MonkeyPatch()
    patch.setattr(stream, "LONGEST_STREAM", 0)
    made = make(template, tmp_path_factory.mktemp("units") / "data")
    made.whole.database.forgets = True  # type: ignore[attr-defined]
    yield made
    patch.undo()
    made.whole.database.dispose()
