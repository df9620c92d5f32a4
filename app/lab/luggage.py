"""Brings Python, its packages and our code to a folder that another user can reach.

Files are hard links where they can be (nothing is written, it takes a second), else copies. A file that others may not
read is always copied, for its mode must change and a link shares it with the original.
"""

import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds the packages `app` and `runners`."""
PARTS = ("app", "runners", "playbooks", "migrations")
UNUSED = frozenset({"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "site-packages", "dist-packages"})
"""Folders of the standard library that no program of ours needs."""
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


def parts_here() -> list[str]:
    """Those of our folders that stand beside each other here."""
    return [part for part in PARTS if (CHECKOUT / part).is_dir()]


def bring(source: Path, target: Path, *, leave: Callable[[Path], bool] | None = None) -> None:
    """Link or copy a file, link or folder, readable for everyone; `leave` names what stays behind."""
    if source.is_symlink() and not source.resolve().is_relative_to(source.parent.resolve()):
        source = source.resolve()
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        for entry in source.iterdir():
            if leave is None or not leave(entry):
                bring(entry, target / entry.name, leave=leave)
    elif source.is_file():
        _bring_file(source, target)


def _bring_file(source: Path, target: Path) -> None:
    mode = source.stat().st_mode
    runs = bool(mode & stat.S_IXUSR)
    if mode & stat.S_IROTH and (not runs or mode & stat.S_IXOTH) and not mode & (stat.S_ISUID | stat.S_ISGID):
        try:
            os.link(source, target, follow_symlinks=True)
        except OSError:
            pass  # another file system, or links are not allowed
        else:
            return
    shutil.copy2(source, target)
    target.chmod(0o755 if runs else 0o644)


def carry_python(base: Path, target: Path) -> Path:
    """Bring the standard library and the interpreter `base` along; the new interpreter's path."""
    home = Path(sys.base_prefix)
    library = home / "lib" / VERSION
    (target / "bin").mkdir(mode=0o755, parents=True)
    bring(library, target / "lib" / VERSION, leave=lambda path: _is_unused(path, library))
    if (library / "site-packages" / "pip").is_dir():
        # A bare Python has pip: the clean room for escrow deposits builds with it.
        bring(library / "site-packages" / "pip", target / "lib" / VERSION / "site-packages" / "pip")
    for shared in (home / "lib").glob("*.so*"):
        bring(shared, target / "lib" / shared.name)
    interpreter = target / "bin" / base.name
    shutil.copy2(base.resolve(), interpreter)
    interpreter.chmod(0o755)
    _look_beside_itself(interpreter, {home / "lib", home.resolve() / "lib", Path(sysconfig.get_config_var("LIBDIR"))})
    return interpreter


def _is_unused(path: Path, library: Path) -> bool:
    return path.parent == library and (path.name in UNUSED or path.name.startswith("config-"))


def _look_beside_itself(interpreter: Path, places: set[Path]) -> None:
    """Let an interpreter that was built to find libpython at an absolute path find it beside itself.

    The run path is a string in the program; a shorter one padded with zeros may stand in its place.
    """
    program, beside = interpreter.read_bytes(), b"$ORIGIN/../lib"
    for place in places:
        absolute = b"\0" + os.fsencode(place) + b"\0"
        if len(beside) + 2 <= len(absolute):
            program = program.replace(absolute, b"\0" + beside.ljust(len(absolute) - 1, b"\0"))
    interpreter.write_bytes(program)


def carry_code(target: Path) -> Path:
    """Bring the checkout's running parts along, as copies; their folder."""
    target.mkdir(mode=0o755)
    for part in parts_here():
        shutil.copytree(CHECKOUT / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in CHECKOUT.glob("[!.]*.*"):
        if file.is_file():
            shutil.copy2(file, target / file.name)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            (Path(folder) / name).chmod(0o644)
    return target


def carry_packages(base: Path, code: Path, target: Path) -> Path:
    """Make a virtual environment at `target` on the interpreter `base` with our packages; its interpreter."""
    packages = target / "lib" / VERSION / "site-packages"
    for place in {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}:
        bring(place, packages, leave=lambda path: path.suffix == ".pth" and path.is_file())
        for paths in place.glob("*.pth"):
            # An editable install points to the checkout.
            (packages / paths.name).write_text(paths.read_text().replace(str(CHECKOUT), str(code)))
    if not (packages / "app").exists():
        # Read before any other path file, so that no other checkout goes first.
        (packages / "00-wissel.pth").write_text(f"{code}\n")
    share = Path(sys.prefix) / "share" / "wissel"
    if share.exists():
        bring(share, target / "share" / "wissel")
    (target / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    (target / "bin").mkdir(mode=0o755)
    for name in ("python", "python3", VERSION):
        (target / "bin" / name).symlink_to(base)
    return target / "bin" / "python"
