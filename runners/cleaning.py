"""Makes the output of foreign programs fit to show: no control or terminal codes, bounded, no secret values in it."""

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"
SHORTEST = 4
"""A shorter value is not masked: it would blot out ordinary words and tell more than it hides."""
LINE_LENGTH = 2_000
LINES = 2_000

_TERMINAL = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def plain(text: str, limit: int = LINE_LENGTH) -> str:
    """`text` as one line without control, terminal and direction codes, cut to `limit` characters."""
    shown = _TERMINAL.sub("", text[: limit * 8])
    kept = "".join(" " if c in "\t\n" else c for c in shown if c in "\t\n" or not _hidden(c))
    return kept if len(kept) <= limit and len(text) <= limit * 8 else kept[: limit - 1] + "…"


def _hidden(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in ("Cc", "Cs")


class Secrets:
    """The secret values that this process knows, and how to blot them out of what it tells."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._text: re.Pattern[str] | None = None
        self._bytes: re.Pattern[bytes] | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """From now on mask `value`, the password inside it where it is a connection string, and its escaped forms."""
        before = len(self._forms)
        for part in _parts(value):
            self._forms.update(form for form in _forms(part) if len(form) >= SHORTEST)
        if len(self._forms) > before:
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._text = re.compile("|".join(map(re.escape, longest_first)))
            self._bytes = re.compile(b"|".join(re.escape(form.encode(errors="replace")) for form in longest_first))

    def mask(self, text: str) -> str:
        """`text` with every known value, in every form, replaced by ``***``."""
        return self._text.sub(MASK, text) if self._text else text

    def mask_bytes(self, content: bytes) -> bytes:
        """The same for the content of a file."""
        return self._bytes.sub(MASK.encode(), content) if self._bytes else content

    def mask_all(self, value: Any) -> Any:
        """The same for every text inside a JSON value, which also loses control and terminal codes."""
        if isinstance(value, str):
            return plain(self.mask(value), LINE_LENGTH)
        if isinstance(value, list):
            return [self.mask_all(each) for each in value]
        if isinstance(value, Mapping):
            return {key: self.mask_all(each) for key, each in value.items()}
        return value


def _parts(value: str) -> Iterable[str]:
    yield value
    stripped = value.strip()
    yield stripped
    if "\n" in stripped:
        # A private key is often shown line by line.
        yield from (line.strip() for line in stripped.splitlines() if len(line.strip()) >= 16)
    yield from (found.replace("\\'", "'") for found in re.findall(r"password\s*=\s*'((?:[^'\\]|\\.)*)'", value))
    yield from re.findall(r"password\s*=\s*([^'\s&]+)", value)
    if "://" in stripped:
        yield from _in_url(stripped)


def _in_url(value: str) -> Iterable[str]:
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _forms(value: str) -> Iterable[str]:
    yield value
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
    raw = value.encode(errors="replace")
    yield raw.hex()
    if len(raw) >= SHORTEST:
        yield from _in_base64(raw)


def _in_base64(raw: bytes) -> Iterable[str]:
    """The characters that stay the same wherever `raw` stands in a longer text, at each of the three alignments."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # The first characters mix with what stands before, the last one with what follows.
        begin = -(-shift * 8 // 6)
        certain = whole[begin : (shift + len(raw)) * 8 // 6]
        yield certain
        yield certain.replace("+", "-").replace("/", "_")


class Log:
    """Lines of one call: cleaned, masked, and cut off when there are too many, which the last line then says."""

    def __init__(self, secrets: Secrets, send: Callable[[str], None], *, limit: int = LINES) -> None:
        self._secrets, self._send, self._limit = secrets, send, limit
        self._sent = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        """Add one or more lines."""
        if self._sent >= self._limit:
            self._dropped += text.count("\n") + 1
            return
        for line in text.splitlines() or [""]:
            if self._sent >= self._limit:
                self._dropped += 1
                continue
            self._sent += 1
            # Masked on both sides of the cleaning: a colour code inside a value must not save it. What is cut off
            # here is far beyond what is shown.
            self._send(self._secrets.mask(plain(self._secrets.mask(line[: LINE_LENGTH * 50]))))

    def close(self) -> None:
        """Tell how many lines were dropped, if any."""
        if self._dropped:
            self._send(f"… {self._dropped} lines dropped")
            self._dropped = 0
