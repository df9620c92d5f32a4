"""A server, good backups of it in every kind, and a host that looks at them: fixtures that test files import by name.

Not in a conftest: the other tests of this folder have a looker and a ground of their own. Each fixture's function has
another name than the fixture, so that importing it does not clash with the parameters that ask for it.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runners.backup import content
from tests.lab.backup_source import ROWS, Source, serving
from tests.reliability.damage import Looker, ground
from tests.reliability.damaged import FORMS


@pytest.fixture(scope="module", name="source")
def a_source() -> Iterator[Source]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module", name="checksum")
def a_checksum(source: Source) -> str:
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        content.prepare(connection, 30)
        return content.checksum(connection, "permit")


@pytest.fixture(scope="module", name="made")
def good_backups(source: Source) -> dict[str, Path]:
    """A good backup of every kind."""
    found = {form: source.path(form) for form in (*FORMS, "base", "open")}
    for form in FORMS:
        source.tool("pg_dump", "-d", source.dsn, f"--format={form}", "-f", found[form])
    source.tool("pg_dump", "-d", source.dsn, "-Fc", "-Z0", "-f", found["open"])
    source.tool("pg_basebackup", "-d", source.dsn, "-D", found["base"], "-X", "stream", "-c", "fast")
    return found


@pytest.fixture(scope="module", name="looker")
def a_looker() -> Iterator[Looker]:
    with ground() as at:
        looking = Looker(at)
        yield looking
        looking.close()


@pytest.fixture(autouse=True, name="fresh")
def a_fresh_ground(looker: Looker) -> Iterator[None]:
    yield
    for path in looker.ground.given.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != "canary":
            path.unlink()


@pytest.fixture(name="table")
def a_table(checksum: str) -> dict[str, Any]:
    return {"name": "permit", "rows": ROWS, "newest": "filed_at", "text": "applicant", "checksum": checksum}
