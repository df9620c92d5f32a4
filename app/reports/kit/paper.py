"""Prints a page from standard input as PDF/UA-1 to standard output; a process of its own, see `print.pdf`."""

import os
import sys
from pathlib import Path

from app.core.processes import die_with_parent

FONTS = Path(__file__).resolve().parents[2] / "static" / "vendor" / "inter"
FACES = "".join(
    f'@font-face {{ font-family: Inter; src: url("{name}.woff2") format("woff2"); }}'
    for name in ("inter-latin-ext", "inter-latin")
)
"""Our own font, for a server may have none at all; weasyprint takes no range of weights."""
COULD_NOT = 3


def main() -> int:
    """0: printed; 3: the system's Pango is missing, told in one line on standard error."""
    os.nice(10)  # a running switch goes first
    die_with_parent()  # a service that is stopped leaves nothing that lays out pages for nobody
    try:
        import weasyprint  # here, for it looks for Pango at once
        from weasyprint.text.fonts import FontConfiguration
    except OSError as missing:
        debian = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        sys.stderr.write(f"Pango is not on this machine (Debian: {debian}): {str(missing).splitlines()[0]}\n")
        return COULD_NOT
    ours_alone = weasyprint.URLFetcher(allowed_protocols={"file"}, allow_redirects=False)
    known = FontConfiguration()
    faces = weasyprint.CSS(string=FACES, base_url=f"{FONTS.as_uri()}/", url_fetcher=ours_alone, font_config=known)
    page = weasyprint.HTML(string=sys.stdin.buffer.read().decode(), url_fetcher=ours_alone)
    sys.stdout.buffer.write(page.write_pdf(stylesheets=[faces], font_config=known, pdf_variant="pdf/ua-1"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
