"""As whom and on what the lab runs: root becomes an ordinary user that can reach Python, packages and code."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.lab import ground
from app.lab.luggage import CHECKOUT, PARTS, bring

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="not run: only root can become another user")

BECOME = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from app.lab import ground
folder = ground.data_folder(Path(sys.argv[1]), now=datetime.now(UTC))
ground.drop(ground.prepare(folder, ground.ordinary_user()), folder, ["-c", sys.argv[2]])
"""
TELL = """
import importlib.metadata, json, os, sys
import app, runners.contract, psycopg
os.close(os.open("written", os.O_CREAT))
try:
    os.setuid(0)
    back = True
except PermissionError:
    back = False
names = [one.name for one in importlib.metadata.entry_points(group="wissel.runners")]
print(json.dumps([os.getuid(), back, os.environ["HOME"], os.getcwd(), app.__file__, "postgres.fence" in names]))
"""


@pytest.fixture
def open_folder():
    """A folder that every user may enter; those of pytest belong to who runs it alone."""
    folder = Path(tempfile.mkdtemp(prefix="wissel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def become(code: Path, data: Path, **environment: str) -> list:
    settings = {**os.environ, "PYTHONPATH": str(code), **environment}
    argv = [sys.executable, "-c", BECOME, str(data), TELL]
    done = subprocess.run(argv, cwd=code, env=settings, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@as_root
def test_root_becomes_an_ordinary_user_for_good_with_a_home_in_the_data_folder(open_folder):
    uid, back, home, folder, _, found = become(CHECKOUT, open_folder / "data")
    assert uid != 0
    assert not back
    assert Path(home).is_relative_to(folder)
    assert folder == str(open_folder / "data")
    assert found


@as_root
def test_a_checkout_under_a_closed_folder_is_brought_along(open_folder):
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    for part in PARTS:
        shutil.copytree(CHECKOUT / part, closed / "checkout" / part)
    shutil.copy(CHECKOUT / "pyproject.toml", closed / "checkout")
    (closed / "checkout" / "app" / "__init__.py").chmod(0o600)
    uid, _, _, folder, used, found = become(closed / "checkout", open_folder / "data")
    assert uid != 0
    assert Path(used).is_relative_to(folder)
    assert found
    assert (closed / "checkout" / "app" / "__init__.py").stat().st_mode & 0o777 == 0o600


@as_root
def test_whoever_called_sudo_owns_what_the_lab_leaves_behind(open_folder):
    caller = next(name for name in ("daemon", "games", "bin") if _is_ordinary(name))
    uid, *_ = become(CHECKOUT, open_folder / "data", SUDO_USER=caller)
    assert uid == (open_folder / "data").stat().st_uid != 0


def _is_ordinary(name: str) -> bool:
    try:
        return pwd.getpwnam(name).pw_uid != 0
    except KeyError:
        return False


def test_sudo_from_root_itself_does_not_lead_back_to_root(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "root")
    assert ground.ordinary_user().uid != 0


def test_a_data_folder_with_something_in_it_is_refused_and_left_alone(open_folder):
    (open_folder / "mine").write_text("precious")
    with pytest.raises(ground.NoGround, match="not empty"):
        ground.data_folder(open_folder, now=NOW)
    assert (open_folder / "mine").read_text() == "precious"


@as_root
def test_a_data_folder_that_the_user_cannot_reach_is_refused(open_folder):
    (open_folder / "closed").mkdir(mode=0o700)
    with pytest.raises(ground.NoGround, match="cannot reach"):
        ground.data_folder(open_folder / "closed" / "data", now=NOW)


def test_without_a_wish_each_start_gets_a_folder_of_its_own_that_others_cannot_read(open_folder, monkeypatch):
    monkeypatch.chdir(open_folder)
    folder = ground.data_folder(None, now=NOW)
    assert folder.parent == open_folder / "wissel-data"
    assert "20260302-120000" in folder.name
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_file_that_only_its_owner_may_read_is_copied_and_the_original_keeps_its_mode(tmp_path):
    (tmp_path / "from" / "inner").mkdir(parents=True)
    (tmp_path / "from" / "inner" / "closed").write_text("a")
    (tmp_path / "from" / "inner" / "closed").chmod(0o600)
    (tmp_path / "from" / "open").write_text("b")
    (tmp_path / "from" / "open").chmod(0o644)
    (tmp_path / "from" / "link").symlink_to("open")
    bring(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "inner" / "closed").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "from" / "inner" / "closed").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "to" / "open").stat().st_ino == (tmp_path / "from" / "open").stat().st_ino
    assert (tmp_path / "to" / "link").readlink() == Path("open")
