"""Small deposits for the tests: a pure-Python service that is built with zipapp and answers on loopback."""

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runners.contract import Deposit, SitePolicy

SERVICE = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

class Desk(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "ok", "version": "1.4.0", "extra": [1]}).encode()
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", 8080), Desk).serve_forever()
"""
RECIPE: dict[str, Any] = {
    "build": [["mkdir", "-p", "dist"], ["python3", "-m", "zipapp", "source/desk", "-o", "dist/desk.pyz"]],
    "artefacts": ["dist/desk.pyz"],
    "smoke": {
        "start": ["python3", "dist/desk.pyz"],
        "ask": {"path": "/healthz", "port": 8080, "expect_status": 200, "expect_json": {"status": "ok"}},
        "within_seconds": 20,
    },
}
WHEEL = "wheelhouse/Tiny_Thing-2.0-py3-none-any.whl"
SBOM: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {"component": {"type": "application", "name": "desk", "version": "1.4.0"}},
    "components": [
        {
            "type": "library",
            "name": "tiny-thing",
            "version": "2.0",
            "purl": "pkg:pypi/tiny-thing@2.0",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b"wheel").hexdigest()}],
        }
    ],
}
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


def good_files() -> dict[str, bytes]:
    """The files of a good deposit."""
    return {
        "LICENSE": b"EUPL-1.2",
        "source/desk/__main__.py": SERVICE.encode(),
        WHEEL: b"wheel",
        "recipe.json": json.dumps(RECIPE).encode(),
        "sbom.json": json.dumps(SBOM).encode(),
    }


def with_manifest(files: dict[str, bytes], /, **changes: Any) -> dict[str, bytes]:
    """The same files with a manifest that fits, but for `changes`."""
    listed = [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in files.items()
    ]
    manifest = {
        "format": "wissel-deposit/1",
        "name": "desk",
        "version": "1.4.0",
        "made_at": "2026-01-05T09:00:00Z",
        "files": listed,
        **changes,
    }
    return {"manifest.json": json.dumps(manifest).encode(), **files}


def packed(files: dict[str, bytes], kind: str = "gz") -> bytes:
    """The bytes of an archive: kind gz, xz, bz2, zip or an empty text for a plain tar."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def deposited(folder: Path, content: bytes, **changes: Any) -> Deposit:
    """Write an archive with its signature and describe it."""
    (folder / "deposit").write_bytes(content)
    (folder / "deposit.sig").write_bytes(KEY.sign(content))
    fields = {"archive": str(folder / "deposit"), "signature": str(folder / "deposit.sig"), "public_key": PUBLIC_KEY}
    return Deposit(**(fields | changes))


def good(folder: Path, **changes: Any) -> Deposit:
    """A deposit that passes everything; `changes` replace parts of the recipe."""
    files = good_files()
    files["recipe.json"] = json.dumps(RECIPE | changes).encode()
    return deposited(folder, packed(with_manifest(files)))


@dataclass
class Bench:
    """A `Context` for calling a driver without a host."""

    evidence: Path
    seconds: float = 60
    lines: list[str] = field(default_factory=list)
    effect_key: str = "run:step:1"
    fencing_token: int = 1
    policy: SitePolicy = field(default_factory=SitePolicy)

    def __post_init__(self) -> None:
        self.evidence.mkdir(exist_ok=True)
        self.deadline = datetime.now(UTC) + timedelta(seconds=self.seconds)

    def remaining(self) -> float:
        return max(0.0, (self.deadline - datetime.now(UTC)).total_seconds())

    def secret(self, reference: str) -> str:
        raise AssertionError(f"no driver here asks for {reference}")

    def progress(self, done: int, total: int, text: str) -> None:
        assert 0 <= done <= total

    def log(self, line: str) -> None:
        self.lines.append(line)

    def keep(self, key, make):
        return make()

    def forget(self, key: str) -> None:
        pass
