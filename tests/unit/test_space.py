"""The reserve of the data folder: given up when room runs out, laid in again when it is back."""

import errno
import os
from types import SimpleNamespace

import pytest

from app.core.space import MIB, NoSpace, Space, notice

ABORT, OTHER = "/api/v1/runs/RUN-001/cancellations", "/api/v1/services"


@pytest.fixture
def disk(monkeypatch):
    """A disk whose free room the test sets, in mebibytes."""
    found = SimpleNamespace(free=100)
    real = os.statvfs

    def told(path):
        real(path)
        return SimpleNamespace(f_bavail=found.free, f_frsize=MIB)

    monkeypatch.setattr(os, "statvfs", told)
    return found


@pytest.fixture
def space(tmp_path, disk):
    made = Space(tmp_path, 2)
    made.look()
    return made


def test_the_reserve_takes_its_room_beforehand(space, tmp_path):
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2 * MIB
    assert (space.is_short, space.trouble()) == (False, None)


def test_a_full_disk_gives_the_reserve_up_and_only_what_stops_is_taken(space, tmp_path, disk):
    disk.free = 0
    assert notice(space, OSError(errno.ENOSPC, "No space left on device"))
    assert space.is_short
    assert sum(each.stat().st_blocks for each in tmp_path.iterdir()) == 0
    space.require(ABORT)
    with pytest.raises(NoSpace) as refused:
        space.require(OTHER)
    assert (refused.value.status, refused.value.code) == (507, "no-space")


def test_little_room_is_noticed_before_it_is_gone(space, disk):
    disk.free = 1
    assert "1 MiB" in str(space.trouble())
    space.look()
    assert space.is_short


def test_it_goes_on_only_when_there_is_room_for_the_reserve_and_more(space, tmp_path, disk):
    space.give_up()
    disk.free = 4
    space.look()
    assert space.is_short
    disk.free = 6
    space.require(OTHER)
    assert not space.is_short
    assert sorted(each.name for each in tmp_path.iterdir()) == ["reserve"]


def test_another_process_in_the_same_folder_sees_it(space, tmp_path, disk):
    other = Space(tmp_path, 2)
    space.give_up()
    assert other.is_short
    other.look()
    assert not other.is_short
    space.look()
    assert not space.is_short


def test_what_is_no_lack_of_room_gives_nothing_up(space):
    assert not notice(space, OSError(errno.EACCES, "Permission denied"))
    assert not notice(None, ValueError())
    assert not space.is_short


def test_a_folder_that_is_gone_is_told_and_is_no_crash(tmp_path):
    lost = Space(tmp_path / "gone", 2)
    lost.look()
    assert "can't be looked at" in str(lost.trouble())
    lost.give_up()
    assert lost.is_short
