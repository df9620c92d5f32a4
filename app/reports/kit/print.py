"""Renders a kit as one HTML page that needs nothing else, and as a PDF (PDF/UA-1) where Pango is installed."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import app.catalog.labels
import app.findings.labels
import app.plans.labels  # noqa: F401 - the words in the kit
from app.core import i18n
from app.core.web import APP, environment
from app.playbooks.portrait import parameters
from app.reports.kit.contents import Kit

HEAD = "AUDIT-LOG-HEAD"
"""Stands in the page until the head of the audit log does."""
PDF_SECONDS = 120


@dataclass(frozen=True)
class Pdf:
    """The PDF, or the reason why there is none."""

    content: bytes | None
    reason: str = ""


def html(kit: Kit, *, language: str, organisation: str) -> str:
    """The kit as a page. It names no present moment: the same facts give the same text."""
    style = (APP / "templates" / "reports" / "kit.css").read_text("utf-8")
    with i18n.speaking(language):
        return (
            environment()
            .get_template("reports/kit.html")
            .render(
                kit=kit,
                digests=list(digests(kit)),
                head=HEAD,
                parameters=parameters,
                style=style,
                language=language,
                organisation=organisation,
            )
        )


def digests(kit: Kit) -> Iterator[tuple[str, str]]:
    """What the kit was made from, with the SHA-256 of each text and of the files of each last proof."""
    for part in kit.plans:
        if part.version is not None:
            text = part.content.model_dump_json(by_alias=True)
            yield f"{part.plan.ref} {part.version.number}", hashlib.sha256(text.encode()).hexdigest()
        for each in part.playbooks:
            if each.version is not None:
                yield f"{each.name} {each.version.version}", each.version.sha256
        for claim, run, files in part.proven_by:
            for file in files:
                yield f"{run} {claim}: {file.title or file.media_type}", file.sha256


def pdf(page: str) -> Pdf:
    """The page on A4. In a process of its own: what lays out pages is large, and must not slow down a switch."""
    command = [sys.executable, "-m", "app.reports.kit.paper"]
    try:
        done = subprocess.run(command, input=page.encode(), capture_output=True, timeout=PDF_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Pdf(None, f"it took longer than {PDF_SECONDS} s")
    except OSError as error:  # no memory or no process left, or a Python that this user cannot run
        return Pdf(None, f"the printing process did not start: {error.strerror}")
    told = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == 0:
        return Pdf(done.stdout)
    return Pdf(None, told[-1] if told else f"the printing process ended with {done.returncode}")
