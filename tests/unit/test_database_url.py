"""The address of the orchestrator's own database: one server, or several of which the writable one is used."""

import pytest
from sqlalchemy import make_url

from app.core.settings import Settings


def arguments(given: str) -> dict[str, object]:
    """What the driver is asked for."""
    url = make_url(Settings(database_url=given).url)  # type: ignore[arg-type]
    return url.get_dialect()().create_connect_args(url)[1]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgresql://w:p%40ss@one/db", {"host": "one", "user": "w", "password": "p@ss", "dbname": "db"}),
        ("postgres://w@one:5433/db?sslmode=require", {"host": "one", "port": 5433, "sslmode": "require"}),
        (
            "postgresql://w:p%40ss@one:5432,two:5433/db",
            {"host": "one,two", "port": "5432,5433", "password": "p@ss", "target_session_attrs": "read-write"},
        ),
        (
            "postgresql+psycopg://w@one,two/db?target_session_attrs=any&sslmode=require",
            {"host": "one,two", "target_session_attrs": "any", "sslmode": "require"},
        ),
    ],
)
def test_what_people_write_is_what_the_driver_is_asked_for(given, wanted):
    found = arguments(given)
    assert {name: found.get(name) for name in wanted} == wanted


def test_sqlite_stays_as_it_is():
    assert Settings(database_url="sqlite:////tmp/a,b.db").url == "sqlite:////tmp/a,b.db"  # type: ignore[arg-type]
