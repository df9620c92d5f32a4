"""Brings the browser assets of vendor.toml into app/static/vendor; with --check it only compares, without network.

    python .ci/vendor.py            fetch the packages with `npm pack`, verify their sha512, write the mapped files
    python .ci/vendor.py --check    fail when a committed file differs, is missing, or is not in vendor.toml
    python .ci/vendor.py --lock     fetch, write the files and note their sha512 (after a change of version or map)

npm is needed to fetch only: pip, Docker and closed networks use the committed files.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "app" / "static" / "vendor"
NOTE = FOLDER / "vendor.toml"


def sha512(content: bytes) -> str:
    """The hash as vendor.toml notes it."""
    return hashlib.sha512(content).hexdigest()


def committed() -> set[str]:
    """Every file below the vendor folder, but the note itself."""
    return {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file() and path != NOTE}


def differences(packages: dict[str, dict]) -> list[str]:
    """What a reader of the repository could not trust: changed, missing and unlisted files."""
    listed = {name: digest for package in packages.values() for name, digest in package["sha512_of"].items()}
    found = committed()
    wrong = [f"missing: {name}" for name in sorted(listed.keys() - found)]
    wrong += [f"not in vendor.toml: {name}" for name in sorted(found - listed.keys())]
    both = sorted(listed.keys() & found)
    return wrong + [f"changed: {name}" for name in both if sha512((FOLDER / name).read_bytes()) != listed[name]]


def fetched(name: str, package: dict, folder: Path) -> tarfile.TarFile:
    """The package as the registry gives it, refused when its sha512 is not the noted one."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{name}@{package['version']}"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    archive = next(folder.glob("*.tgz"))
    if sha512(archive.read_bytes()) != package["sha512"]:
        raise SystemExit(f"{name}: the archive's sha512 is not the one in {NOTE}")
    return tarfile.open(archive)


def member(archive: tarfile.TarFile, path: str) -> bytes:
    """The content of one file of a package."""
    content = archive.extractfile(f"package/{path}")
    if content is None:
        raise SystemExit(f"no file {path} in the package")
    return content.read()


def sprite(archive: tarfile.TarFile, icons: list[str]) -> bytes:
    """One SVG with a symbol for each icon that we use, so that a page needs one request."""
    symbols = []
    for icon in sorted(icons):
        source = member(archive, f"icons/{icon}.svg").decode()
        drawn = source[source.index(">", source.index("<svg")) + 1 : source.rindex("</svg>")]
        inner = re.sub(r"\s+", " ", drawn).strip()
        symbols.append(f'<symbol id="{icon}" viewBox="0 0 24 24">{inner}</symbol>')
    joined = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n<!-- Lucide, ISC: see LICENSE -->\n{joined}\n</svg>\n'.encode()


def write(packages: dict[str, dict]) -> dict[str, str]:
    """Fetch each package and write its mapped files; tells the sha512 of each file written."""
    digests: dict[str, str] = {}
    for name, package in packages.items():
        with tempfile.TemporaryDirectory() as folder, fetched(name, package, Path(folder)) as archive:
            files = {target: member(archive, source) for source, target in package["files"].items()}
            if "icons" in package:
                files[package["sprite"]] = sprite(archive, package["icons"])
        for target, content in files.items():
            path = FOLDER / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            digests[target] = sha512(content)
    return digests


def lock(digests: dict[str, str]) -> None:
    """Note the sha512 of each file in place, keeping the rest of vendor.toml as people wrote it."""
    text = NOTE.read_text()
    for name, digest in digests.items():
        text, found = re.subn(rf'^"{re.escape(name)}" = ".*"$', f'"{name}" = "{digest}"', text, flags=re.MULTILINE)
        if not found:
            raise SystemExit(f'add a line "{name}" = "" under sha512_of in {NOTE}')
    NOTE.write_text(text)


def main() -> int:
    """Fetch, lock or check; the exit status says whether what is committed is what vendor.toml notes."""
    packages = tomllib.loads(NOTE.read_text())["package"]
    if "--check" not in sys.argv:
        digests = write(packages)
        if "--lock" in sys.argv:
            lock(digests)
        packages = tomllib.loads(NOTE.read_text())["package"]
    wrong = differences(packages)
    sys.stdout.write("\n".join(wrong or ["vendored files are as vendor.toml notes them"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
