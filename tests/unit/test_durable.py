"""A file is there whole or not at all, and survives a power cut once it is said to be kept."""

import os
import stat

import pytest

from app.core.durable import half


def test_what_is_kept_is_on_disk_with_its_folder_and_for_its_owner_alone(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), real(handle)))
    with half(tmp_path) as written:
        written.file.write(b"whole")
        assert not (tmp_path / "name").exists()
        written.keep(tmp_path / "name")
    assert ((tmp_path / "name").read_bytes(), [each.name for each in tmp_path.iterdir()]) == (b"whole", ["name"])
    assert synced == [(tmp_path / "name").stat().st_ino, tmp_path.stat().st_ino]
    assert stat.S_IMODE((tmp_path / "name").stat().st_mode) == 0o600


def test_what_is_not_kept_is_gone_and_what_was_there_stays(tmp_path):
    (tmp_path / "name").write_bytes(b"former")
    with pytest.raises(ZeroDivisionError), half(tmp_path) as written:
        written.file.write(b"new" * (1 // 0))
    with pytest.raises(FileExistsError), half(tmp_path) as written:
        written.keep(tmp_path / "name", over=False)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"former"]
