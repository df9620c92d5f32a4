"""Hostile and poor escrow deposits, through a real runner host: refused for the true reason, and nothing is touched."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.contract import Verdict
from runners.escrow.archive import unpack
from runners.escrow.naming import ArchiveRefused
from tests.reliability.damage import Looker, cut, flipped, ground
from tests.reliability.figures import times, told
from tests.reliability.hostile_archives import HOSTILE, harmless
from tests.unit.runners_escrow.deposits import deposited, good_files, packed, with_manifest
from tests.unit.runners_escrow.test_archive import HOSTILE as KNOWN

LEVEL_ONE = ("escrow.integrity", "escrow.completeness")


@pytest.fixture(scope="module")
def looker() -> Iterator[Looker]:
    with ground() as at:
        made = Looker(at)
        yield made
        made.close()


@pytest.fixture(autouse=True)
def empty(looker: Looker) -> Iterator[None]:
    yield
    for path in looker.ground.given.iterdir():
        if path.name != "canary":
            path.unlink()


def looked(looker: Looker, runner: str, content: bytes, **changes: object):
    deposit = deposited(looker.ground.given, content, **changes)
    return looker.look(runner, deposit=deposit.model_dump())


EVERY = {**{name: (content, reason) for name, (content, _, reason) in KNOWN.items()}, **HOSTILE}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_for_its_reason(case: str, looker: Looker) -> None:
    content, reason = HOSTILE[case]
    outcome = looked(looker, "escrow.integrity", content)
    assert outcome.verdict is Verdict.FAILED, outcome.reason.en
    assert reason in outcome.reason.en
    assert outcome.reason.nl.startswith("Het archief is geweigerd")


def test_every_driver_of_a_deposit_refuses_every_hostile_archive(looker: Looker) -> None:
    for content, _ in EVERY.values():
        for runner in ("escrow.completeness", "escrow.build", "escrow.smoke"):
            outcome = looked(looker, runner, content)
            assert outcome.verdict is Verdict.FAILED, outcome.reason.en
    told("hostile archives refused, by each of four drivers", f"{len(EVERY)} of {len(EVERY)}, peak {looker.peak()} MiB")
    assert looker.peak() < 200


@pytest.mark.parametrize("case", harmless())
def test_what_ordinary_writers_make_is_taken(case: str, tmp_path: Path) -> None:
    unpack(io.BytesIO(harmless()[case]), tmp_path)
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zip"])
def test_an_archive_that_was_cut_or_changed_anywhere_is_refused_or_yields_exactly_its_files(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = with_manifest(good_files()) | {"noise": os.urandom(2000)}
    whole = packed(files, kind)
    counted = {"refused": 0, "the same": 0, "other": 0}

    @settings(max_examples=times(150, 3000), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(part=st.floats(0, 0.9999), bit=st.integers(-1, 7))
    def attempt(part: float, bit: int) -> None:
        content = cut(whole, part) if bit < 0 else flipped(whole, part, bit)
        into = tmp_path_factory.mktemp("out")
        try:
            unpack(io.BytesIO(content), into)
        except ArchiveRefused:
            counted["refused"] += 1
            return
        found = {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}
        counted["the same" if found == files else "other"] += 1
        # A plain tar has no checksum over its content: there the manifest and the signature see it.
        assert found == files or kind == ""

    attempt()
    assert counted["refused"] > counted["the same"] + counted["other"] or kind == ""
    told(f"cut or flipped archives ({kind or 'tar'})", str(counted))
