"""Keeps the stylesheets and the vendored files to the rules of the house."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "app" / "static"
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b(?!\s*\{)|\brgba?\(|\bhsla?\(|\boklch\(")


def read(name: str) -> str:
    return re.sub(r"/\*.*?\*/", "", (STATIC / name).read_text(), flags=re.DOTALL)


def test_the_look_reads_only_basis_tokens() -> None:
    assert set(re.findall(r"var\(--(?!basis-)([a-z0-9-]+)", read("wissel.css"))) == set()
    assert COLOUR.findall(read("wissel.css")) == []


def test_every_token_that_the_look_reads_has_a_value_in_our_theme() -> None:
    used = set(re.findall(r"var\((--basis-[a-z0-9-]+)", read("wissel.css")))
    given = set(re.findall(r"^\s*(--basis-[a-z0-9-]+):", read("theme.css"), flags=re.MULTILINE))
    assert used - given == set()


def test_the_committed_files_of_others_are_those_that_were_noted() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / ".ci" / "vendor.py", "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "vendor/lucide/icons.svg").read_text()))
    sources = [path.read_text() for path in (ROOT / "app" / "templates").rglob("*.html")]
    named = {name for text in sources for name in re.findall(r'icon\("([a-z0-9-]+)"|symbol="([a-z0-9-]+)"', text)}
    assert {one or other for one, other in named} - drawn == set()
    status = (ROOT / "app/templates/core/status.html").read_text()
    tones = r'"(?:neutral|info|positive|warning|negative|live)", "([a-z0-9-]+)"'
    assert set(re.findall(tones, status)) - drawn == set()
