"""Makes the output of foreign programs fit to show: no control or terminal codes, bounded, no secret values in it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from runners.masking import Masks

LINE_LENGTH = 2_000
LINES = 2_000
LONGEST_HELD = 100
"""Lines that are held back at most: a key of 4096 bits in base64 has 70."""

_TERMINAL = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c|$)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)
JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
"""Invisible, and needed to write some languages and emoji."""
_BLANK = frozenset("\u115f\u1160\u17b4\u17b5\u2028\u2029\u2800\u3164\uffa0")
"""Letters and marks without a shape, and separators of lines that are none."""


def plain(text: str, limit: int = LINE_LENGTH) -> str:
    """`text` as one line without control, terminal and direction codes, cut to `limit` characters."""
    shown = _TERMINAL.sub("", text[: limit * 8])
    kept = "".join(" " if c in "\t\n" else c for c in shown if c in "\t\n" or not hidden(c))
    return kept if len(kept) <= limit and len(text) <= limit * 8 else kept[: limit - 1] + "…"


def hidden(character: str) -> bool:
    """Whether a character shows nothing or turns the reading direction: what is read is not what stands there."""
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return False
    selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F
    return selector or character in _BLANK or unicodedata.category(character) in ("Cc", "Cf", "Cs")


def cleaned(value: Any, mask: Callable[[str], str] = str) -> Any:
    """A JSON value whose texts and keys are `plain`; for what a host says, whatever runs in it.

    Masked on both sides of the cleaning: a colour code inside a secret must not save it.
    """
    if isinstance(value, str):
        return mask(plain(mask(value)))
    if isinstance(value, list):
        return [cleaned(each, mask) for each in value]
    if isinstance(value, Mapping):
        return {plain(key): cleaned(each, mask) for key, each in value.items()}
    return value


class Log:
    """Lines of one call: cleaned, masked, and cut off when there are too many, which the last line then says.

    A line that ends in the middle of a secret is held back until the next one shows how it goes on.
    """

    def __init__(self, masks: Masks, send: Callable[[str], None], *, limit: int = LINES) -> None:
        self._masks, self._send, self._limit = masks, send, limit
        self._sent = 0
        self._dropped = 0
        self._held: list[str] = []

    def add(self, text: str) -> None:
        """Add one or more lines."""
        for line in text.splitlines() or [""]:
            if self._sent + len(self._held) >= self._limit:
                self._dropped += 1
                continue
            # What is cut off here is far beyond what is shown.
            self._held.append(line[: LINE_LENGTH * 50])
            if len(self._held) > LONGEST_HELD or not self._masks.goes_on(self._held[-1].rstrip()):
                self._let_go()

    def _let_go(self) -> None:
        lines, self._held = self._masks.mask("\n".join(self._held)).split("\n") if self._held else [], []
        self._sent += len(lines)
        for line in lines:
            self._send(self._masks.mask(plain(line)))

    def close(self) -> None:
        """Send what was held back, and tell how many lines were dropped, if any."""
        self._let_go()
        if self._dropped:
            self._send(f"… {self._dropped} lines dropped")
            self._dropped = 0
