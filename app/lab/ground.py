"""Where the lab stands: as whom it runs, in which data folder, and on which interpreter and code.

PostgreSQL refuses root, and so do we. Started as root, the whole tree (lab, serve, writer) becomes an ordinary user
before anything else happens. That user may be unable to reach what we run on, for a Python or a checkout under a home
with mode 0700 is closed to it; then what is needed is brought along into the data folder. An ordinary user stays
where he is, and nothing is copied.
"""

import contextlib
import grp
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from app.lab.luggage import CHECKOUT, carry_code, carry_packages, carry_python, parts_here

PROBE = """
import ctypes, os, sqlite3, ssl, sys
import alembic, psycopg, pydantic, sqlalchemy
import app.lab.haproxy, app.lab.postgres, runners.registry
app.lab.postgres.binaries(), app.lab.haproxy.binary()
if not os.path.realpath(app.__file__).startswith(os.path.realpath(sys.argv[1]) + os.sep):
    sys.exit("other code than ours: " + app.__file__)
for part in sys.argv[2:]:
    for folder, _, files in os.walk(part, onerror=lambda error: sys.exit(str(error))):
        for name in files:
            if name.endswith((".py", ".yaml", ".html", ".css", ".js", ".mo")):
                open(os.path.join(folder, name), "rb").close()
"""
"""Run as the other user: does our code import, are the servers there, can each file of ours be read?"""


class NoGround(Exception):
    """There is no user, folder or interpreter to run with; the message says what to do."""


@dataclass(frozen=True)
class User:
    """An ordinary user of this machine."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Ground:
    """An interpreter that the user can run, with everything importable, and the environment that it needs."""

    user: User
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def is_root() -> bool:
    """Whether this process is root, so that it must first become someone else."""
    return os.geteuid() == 0


def ordinary_user() -> User:
    """Who to become: whoever called sudo, else `nobody`, else the first other ordinary user. Raises `NoGround`."""
    names = [os.environ.get("SUDO_USER", ""), "nobody", *(entry.pw_name for entry in pwd.getpwall())]
    for name in filter(None, names):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            own = name == os.environ.get("SUDO_USER")
            groups = tuple(group.gr_gid for group in grp.getgrall() if name in group.gr_mem) if own else ()
            return User(name, entry.pw_uid, entry.pw_gid, groups)
    raise NoGround("this machine has no user besides root: make one (useradd wissel) and start again")


def data_folder(requested: Path | None, *, now: datetime) -> Path:
    """Make the folder that holds all that the lab leaves behind: `requested`, else a new one with the time in its name.

    It belongs to the user that the lab will run as and is closed to others. Raises `NoGround` where that user cannot
    reach it, or it is not empty.
    """
    user = ordinary_user() if is_root() else None
    if requested is not None:
        folder = requested.absolute()
        if folder.exists() and any(folder.iterdir()):
            raise NoGround(f"{folder} is not empty: name a new folder with --data, or empty this one")
        return _give(folder, user)
    ours = Path.cwd() / "wissel-data"
    try:
        return _give(ours / f"demo-{now:%Y%m%d-%H%M%S}-{os.getpid()}", user)
    except (NoGround, OSError):
        with contextlib.suppress(OSError):
            ours.rmdir()  # only where it is empty
        return _give(Path(tempfile.mkdtemp(prefix="wissel-demo-", dir="/var/tmp")), user)


def _give(folder: Path, user: User | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
        if not _reachable(folder, user):
            folder.rmdir()
            raise NoGround(f"user {user.name} cannot reach {folder}: name a folder with --data that it can reach")
    elif not os.access(folder, os.W_OK | os.X_OK):
        raise NoGround(f"{folder} cannot be written to: name another folder with --data")
    return folder


def _reachable(folder: Path, user: User) -> bool:
    child = os.fork()
    if child == 0:
        try:
            _become(user)
            os._exit(0 if os.access(folder, os.W_OK | os.X_OK) else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def prepare(folder: Path, user: User) -> Ground:
    """Find what `user` can run; bring along into `folder`/ground what it cannot reach. Raises `NoGround`."""
    here = Ground(user, Path(sys.executable))
    if not problem(here, CHECKOUT):
        return here
    target = folder / "ground"
    target.mkdir(mode=0o755, exist_ok=True)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if not _runs(base, user):
        base = carry_python(base, target / "python")
    code = CHECKOUT
    if not _code_is_readable(user):
        code = carry_code(target / "code")
    python = carry_packages(base, code, target / "venv")
    _give_folders(target, user)
    return _checked(Ground(user, python), code, target)


def _checked(ground: Ground, code: Path, target: Path) -> Ground:
    reason = problem(ground, code)
    if reason and (target / "python").exists():
        # A Python that looks for its own library where it was built.
        ground = Ground(ground.user, ground.python, {"LD_LIBRARY_PATH": str(target / "python" / "lib")})
        reason = problem(ground, code)
    if reason:
        raise NoGround(f"user {ground.user.name} cannot run Python and our code, not even from {target}: {reason}")
    return ground


def problem(ground: Ground, code: Path) -> str:
    """Why the user cannot run with this ground; empty if it can."""
    parts = [str(code / part) for part in parts_here()]
    return _try(ground.user, [str(ground.python), "-c", PROBE, str(code), *parts], ground.environment)


def _runs(python: Path, user: User) -> bool:
    return not _try(user, [str(python), "-I", "-c", "import ssl, sqlite3, ctypes"], {})


def _code_is_readable(user: User) -> bool:
    shell = 'for part in "$@"; do test -z "$(find "$part" ! -readable -print -quit 2>&1)" || exit 1; done'
    parts = [str(CHECKOUT / part) for part in parts_here()]
    return not _try(user, ["/bin/sh", "-c", shell, "sh", *parts], {})


def _try(user: User, argv: Sequence[str], environment: Mapping[str, str]) -> str:
    names = [name for name in os.environ if name.startswith("WISSEL_LAB_")]
    settings = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **{name: os.environ[name] for name in names}, **environment}
    try:
        done = subprocess.run(
            list(argv),
            user=user.uid,
            group=user.gid,
            extra_groups=user.groups,
            cwd="/",
            env=settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    words = done.stderr.decode(errors="replace").strip().splitlines()
    return (words[-1] if words else f"status {done.returncode}") if done.returncode else ""


def _give_folders(target: Path, user: User) -> None:
    # The files may be links to those of the original and keep their owner; who owns the folders can clear them away.
    for folder, _, _ in os.walk(target):
        os.chown(folder, user.uid, user.gid)


def _become(user: User) -> None:
    os.setgroups(user.groups)
    os.setgid(user.gid)
    os.setuid(user.uid)


def environment(ground: Ground, home: Path) -> dict[str, str]:
    """The environment for the user: ours, without what belongs to root's session."""
    dropped = ("SUDO_", "XDG_", "PYTHON", "VIRTUAL_ENV", "TMPDIR", "PYENV", "LD_LIBRARY_PATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    who = {"HOME": str(home), "USER": ground.user.name, "LOGNAME": ground.user.name}
    return {**kept, **who, **ground.environment}


def drop(ground: Ground, folder: Path, arguments: Sequence[str]) -> NoReturn:
    """Become the user for good and run the interpreter with `arguments` in `folder`; does not return.

    Raises `NoGround` where this root may not become another user (a container with one user).
    """
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, ground.user.uid, ground.user.gid)
    settings = environment(ground, home)
    os.umask(0o022)
    os.chdir(folder)
    try:
        _become(ground.user)
    except OSError as error:
        raise NoGround(f"root cannot become {ground.user.name} here ({error}): start as an ordinary user") from error
    sys.stdout.flush()
    os.execve(ground.python, [str(ground.python), *arguments], settings)  # noqa: S606 - becoming it is the point
