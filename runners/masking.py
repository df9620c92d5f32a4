"""Blots secret values out of whatever is told: plain, escaped, encoded, or cut in two; the one place that does so."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

MASK = "***"
SHORTEST = 6
"""Characters. A shorter value can't be told from an ordinary word, so none is given out (`runners.secrets`).

A shorter password *inside* a connection string is masked where it stands as a word of its own.
"""
_MIXED = 256
"""Characters: in a longer value, such as a private key, only whole forms are looked for, not mixtures of escapes."""
_LARGE = 4 * 1024 * 1024
"""Bytes: the same in a larger file."""
_WRAP = r"(?:\r?\n[ \t]*|\\r\\n|\\n)?"
"""Where a line was wrapped, or one value was cut over two pieces of output."""
_OURS = re.compile(
    r"wsl_[A-Za-z0-9_-]{8,}"  # our own tokens and links
    r"|(?<=://)[^/\s:@\"']*:[^/\s@\"']+(?=@)"  # name and password in any address
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
_SHORT = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class Masks:
    """The secret values that this process knows, and how to blot them out of what it tells.

    `thorough`: mixtures of escapes and wrapped lines are found too. That is for the few values of one step; a process
    that knows all values of a site looks for their usual whole forms, for each of its lines would else take half a
    millisecond.
    """

    def __init__(self, values: Iterable[str] = (), *, thorough: bool = True) -> None:
        self._thorough = thorough
        self._known: set[str] = set()
        self._parts: dict[str, bool] = {}
        """What to look for, and whether mixtures of escapes are looked for too."""
        self._stale = False
        self._patterns: tuple[str, ...] = ()
        self._text: re.Pattern[str] | None = None
        self._bytes: re.Pattern[bytes] | None = None
        self._whole: tuple[bytes, ...] = ()
        self._forms: tuple[str, ...] = ()
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """From now on mask `value`, and the password inside it where it is a connection string."""
        if value in self._known:
            return
        self._known.add(value)
        lines = value.strip().splitlines() if len(value) > _MIXED else []
        # A private key is often shown line by line.
        self._parts |= dict.fromkeys((line.strip() for line in lines if len(line.strip()) >= 16), False)
        self._parts |= {part: self._thorough and len(part) <= _MIXED for part in _parts(value) if part}
        self._text, self._bytes, self._stale = None, None, True

    def mask(self, text: str) -> str:
        """`text` with every known value, in every form, replaced by ``***``; so is what is a secret by its form."""
        if self._refreshed():
            for form in () if self._thorough else self._forms:
                if form in text:
                    text = text.replace(form, MASK)
            self._text = self._text or re.compile("|".join(self._patterns) or "(?!)")
            text = self._text.sub(MASK, text)
        return _OURS.sub(MASK, text)

    def mask_bytes(self, content: bytes) -> bytes:
        """The known values blotted out of the content of a file, text or not."""
        if not self._refreshed():
            return content
        if self._thorough and len(content) <= _LARGE:
            if self._bytes is None:
                self._bytes = re.compile(b"|".join([*map(_in_bytes, self._patterns), *map(re.escape, self._wide())]))
            return self._bytes.sub(MASK.encode(), content)
        for form in (*self._whole, *self._wide()):
            if form in content:
                content = content.replace(form, MASK.encode())
        return content

    def mask_all(self, value: Any) -> Any:
        """The same for every text inside a JSON value."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list | tuple):
            return [self.mask_all(each) for each in value]
        if isinstance(value, Mapping):
            return {self.mask(name) if isinstance(name, str) else name: self.mask_all(at) for name, at in value.items()}
        return value

    def goes_on(self, text: str) -> bool:
        """Whether `text` may end in the middle of a known value, of which the rest is still to come."""
        self._refreshed()
        end = text[-SHORTEST:].encode(errors="replace")
        return len(end) >= SHORTEST and any(0 <= form.find(end) < len(form) - len(end) for form in self._whole)

    def _wide(self) -> list[bytes]:
        """As a program of two bytes a character writes them."""
        long = [part for part in self._parts if len(part) >= SHORTEST]
        return [part.encode(code, errors="replace") for part in long for code in ("utf-16-le", "utf-16-be")]

    def _refreshed(self) -> bool:
        """Make the patterns where a value came; whether there is anything to look for."""
        if self._stale:
            self._stale = False
            parts = sorted(self._parts, key=len, reverse=True)
            patterned = parts if self._thorough else [part for part in parts if len(part) < SHORTEST]
            self._patterns = tuple(pattern for part in patterned for pattern in _patterns(part, self._parts[part]))
            forms = {form for part in parts if len(part) >= SHORTEST for form in _forms(part)}
            self._forms = tuple(sorted(forms, key=len, reverse=True))
            self._whole = tuple(form.encode(errors="replace") for form in self._forms)
        return bool(self._parts)


def _in_bytes(pattern: str) -> bytes:
    """A pattern over text as one over its UTF-8: only plain letters stand outside ASCII, so each is a group."""
    return "".join(c if ord(c) < 128 else f"(?:{c})" for c in pattern).encode(errors="replace")


def _parts(value: str) -> Iterator[str]:
    """What is secret of a value: itself, and the passwords in a connection string or a URL."""
    stripped = value.strip()
    yield from (value, stripped)
    yield from (_unquoted(found) for found in re.findall(r"(?i)password\s*=\s*'((?:[^'\\]|\\.)*)'", value))
    yield from (_unquoted(found) for found in re.findall(r"(?i)password\s*=\s*([^'\s&;][^\s&;]*)", value))
    yield from (unquote(found) for found in re.findall(r"(?i)[?&](?:ssl)?password=([^&#\s]+)", value))
    if "://" in stripped:
        yield from _in_url(stripped)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def _in_url(value: str) -> Iterator[str]:
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password), unquote(password.replace("+", " ")))


def _patterns(part: str, mixed: bool) -> Iterator[str]:
    """Regular expressions that find a secret: each character in any escape, or the whole in base64 or hexadecimals."""
    raw = part.encode(errors="replace")
    if len(part) < SHORTEST:
        yield rf"(?<!\w)(?:{re.escape(part)}|{re.escape(quote(part, safe=''))})(?!\w)"
    elif mixed:
        yield _WRAP.join(_character(c) for c in part)
        yield from (_WRAP.join(map(re.escape, form)) for form in _in_base64(raw))
        yield r"(?:[: ]|0x|\r?\n|\\n)?".join(_digits(bytes([each])) for each in raw)
    else:
        yield from map(re.escape, sorted(_forms(part), key=len, reverse=True))


def _character(c: str) -> str:
    """One character of a secret as it may be written: itself, in a URL, in JSON, in HTML, in Python, in a shell."""
    number, raw = ord(c), c.encode(errors="replace")
    if c.isascii() and c.isalnum():
        return rf"(?:{c}|(?:%(?:25)?|\\+u00|\\+x){_digits(raw)})"
    ways = [re.escape(c), "".join(rf"%(?:25)?{_digits(bytes([each]))}" for each in raw)]
    ways.append("".join(rf"\\+u{_digits(each)}" for each in _pairs(c)))
    ways.append("".join(rf"\\+x{_digits(bytes([each]))}" for each in raw))
    ways += [rf"&#0*{number};", rf"&#[xX]0*{_digits(number.to_bytes(3, 'big').lstrip(bytes(1)))};"]
    ways += [rf"\\+{re.escape(_SHORT[c])}"] if c in _SHORT else [] if c.isalnum() else [rf"\\+{re.escape(c)}"]
    ways += [f"&{_NAMED[c]};"] if c in _NAMED else [r"\+"] if c == " " else []
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def _pairs(c: str) -> list[bytes]:
    wide = c.encode("utf-16-be", errors="replace")
    return [wide[at : at + 2] for at in range(0, len(wide), 2)]


def _digits(raw: bytes) -> str:
    """Hexadecimal digits, in capitals or not."""
    return "".join(each if each.isdigit() else f"[{each}{each.upper()}]" for each in raw.hex())


def _forms(part: str) -> set[str]:
    """The usual whole forms of a secret: for what is too large to look for mixtures in, and for ends that are cut."""
    raw = part.encode(errors="replace")
    text = {*_escaped(part), *_in_base64(raw), raw.hex(), raw.hex().upper()}
    if len(part) > _MIXED:  # as `base64` and PEM wrap it
        whole = base64.b64encode(raw).decode().rstrip("=")
        text |= {whole[at : at + width] for width in (64, 76) for at in range(0, len(whole) - width, width)}
    return text


def _escaped(part: str) -> set[str]:
    found = {part, quote(part, safe=""), quote(part), quote_plus(part)}
    found |= {re.sub("%..", lambda each: each[0].lower(), each) for each in list(found)}
    for escaped in (json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]):
        found |= {escaped, escaped.replace("/", "\\/")}
    return found


def _in_base64(raw: bytes) -> Iterator[str]:
    """The characters that stay the same wherever `raw` stands in a longer text, at each of the three alignments."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        # The first characters mix with what stands before, the last one with what follows.
        begin = -(-shift * 8 // 6)
        certain = whole[begin : (shift + len(raw)) * 8 // 6]
        yield from dict.fromkeys((certain, certain.replace("+", "-").replace("/", "_")))
