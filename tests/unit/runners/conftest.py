"""Fixtures for the drivers' own tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.runners.fake_context import FakeContext


@pytest.fixture
def context(tmp_path: Path) -> Iterator[FakeContext]:
    fake = FakeContext(tmp_path)
    yield fake
    fake.close()
