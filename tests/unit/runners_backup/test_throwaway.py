"""Throwaway folders: gone at the end, and swept up when their owner was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runners.scratch import throwaway

OWNER = """
import sys, tempfile
from runners.scratch import throwaway
tempfile.tempdir = sys.argv[1]
with throwaway("test") as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def broken_off() -> None:
    with throwaway("test") as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a").chmod(0)
        raise ValueError("inside")


def test_the_folder_is_gone_afterwards_whatever_is_in_it(place):
    with pytest.raises(ValueError, match="inside"):
        broken_off()
    assert list(place.iterdir()) == []


def test_a_folder_of_a_killed_owner_is_swept_up_and_one_of_a_living_owner_is_not(place):
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    folders = [Path(owner.stdout.readline().strip()) for owner in owners]
    os.kill(owners[0].pid, signal.SIGKILL)
    owners[0].wait()
    with throwaway("test"):
        assert not folders[0].exists()
        assert folders[1].exists()
    owners[1].communicate("")
    owners[0].communicate()
    assert list(place.iterdir()) == []


def test_folders_of_another_purpose_are_left_alone(place):
    (place / "wissel-other-1").mkdir()
    with throwaway("test"):
        pass
    assert (place / "wissel-other-1").is_dir()


def test_a_link_with_such_a_name_is_not_followed(place):
    (place / "precious").mkdir()
    (place / "precious" / "owner.lock").touch()
    (place / "wissel-test-x").symlink_to(place / "precious")
    with throwaway("test"):
        pass
    assert (place / "precious").is_dir()
