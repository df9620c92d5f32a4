"""Packs a kit as a ZIP: the page, the PDF, the playbooks as they were published, a manifest and the hashes of all."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from app.core import formats, i18n
from app.core.i18n import gettext as _
from app.reports.kit.contents import Kit
from app.reports.kit.print import Pdf

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"


def pack(kit: Kit, page: str, pdf: Pdf, *, language: str, digest: str, version: str, head: str, now: datetime) -> bytes:
    """The ZIP. `SHA256SUMS` is read by ``sha256sum -c``; the manifest says what, when, and why no PDF."""
    with i18n.speaking(language):
        files: dict[str, bytes] = {_("README") + ".txt": _readme(kit, pdf, now=now).encode()}
        files[_("emergency-kit") + ".html"] = page.encode()
        if pdf.content is not None:
            files[_("emergency-kit") + ".pdf"] = pdf.content
    for part in kit.plans:
        for each in part.playbooks:
            if each.version is not None:
                files[f"playbooks/{each.name}-{each.version.version}.yaml"] = each.version.text.encode()
    files[MANIFEST] = json.dumps(
        {
            "service": kit.service.ref,
            "name": kit.service.name,
            "language": language,
            "madeAt": formats.iso(now),
            "digest": digest,
            "auditHead": head,
            "wissel": version,
            "withoutInstruction": len(kit.gaps),
            "noPdfBecause": pdf.reason,
            "files": {name: _sha256(content) for name, content in files.items()},
        },
        ensure_ascii=False,
        indent=2,
    ).encode()
    files[SUMS] = "".join(f"{_sha256(content)}  {name}\n" for name, content in files.items()).encode()
    return _zipped(files, now)


def manifest(path: Path) -> dict[str, Any]:
    """The manifest of a packed kit, without reading the rest of it. Raises ValueError where this is no kit, OSError."""
    try:
        with zipfile.ZipFile(path) as parcel:
            found = json.loads(parcel.read(MANIFEST))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"no kit: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("no kit: its manifest is no object")
    return found


def _readme(kit: Kit, pdf: Pdf, *, now: datetime) -> str:
    told = [
        f"{_('Emergency kit')}: {kit.service.name} ({kit.service.ref})",
        _("Made on {time}.").format(time=formats.moment(now, "long")),
        "",
        _("Print the PDF, or open the page in any browser and print it. Neither needs Wissel, a network or a sign-in."),
        _("Keep one copy on paper at each site, and one file outside your own network."),
        _("Check that nothing was changed: sha256sum -c SHA256SUMS"),
    ]
    if pdf.content is None:
        told.append(_("There is no PDF in this kit: {reason}. Print the page instead.").format(reason=pdf.reason))
    return "\n".join(told) + "\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _zipped(files: Mapping[str, bytes], now: datetime) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parcel:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, now.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            parcel.writestr(entry, content)
    return packed.getvalue()
