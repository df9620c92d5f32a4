"""Whatever way a program writes a secret down, it is not told: plain, escaped, encoded, wrapped, cut in two."""

import base64
import html
import json
import textwrap
from urllib.parse import quote, quote_plus

import pytest

from runners.cleaning import Log, cleaned
from runners.masking import MASK, SHORTEST, Masks

SECRET = 'Zéér/Gehe+im "42" & co=\\x'
PLAIN = "S3cretWordOfTheDay"
DSN = "host=db user=wissel password='Kort\\'Maar+Lang' dbname=x"


def encoded(secret: str) -> dict[str, str]:
    """Every way in which a secret may stand in output."""
    raw = secret.encode()
    found = {
        "plain": secret,
        "percent": quote(secret, safe=""),
        "percent in small letters": "".join(f"%{b:02x}" for b in raw),
        "percent in capitals": "".join(f"%{b:02X}" for b in raw),
        "percent, twice": quote(quote(secret, safe=""), safe=""),
        "plus": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON as it is": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "JSON with escaped slashes": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "JSON, all escaped": "".join(f"\\u{ord(c):04x}" for c in secret),
        "JSON, all escaped in capitals": "".join(f"\\u{ord(c):04X}" for c in secret),
        "JSON, half escaped": "".join(
            f"\\u{ord(c):04x}" if n % 2 else json.dumps(c)[1:-1] for n, c in enumerate(secret)
        ),
        "Python bytes": repr(raw)[2:-1],
        "Python text": repr(secret)[1:-1],
        "HTML": html.escape(secret),
        "hexadecimal": raw.hex(),
        "hexadecimal in capitals": raw.hex().upper(),
        "hexadecimal with colons": raw.hex(":"),
        "hexadecimal with blanks": raw.hex(" "),
        "over two lines": f"{secret[:7]}\n{secret[7:]}",
        "wrapped base64": "\n".join(textwrap.wrap(base64.b64encode(b"x" * 50 + raw * 2).decode(), 76)),
    }
    for shift in range(3):
        whole = b"u:" + b"-" * shift + raw + b"!" * shift
        found[f"base64 after {shift}"] = base64.b64encode(whole).decode()
        found[f"base64 for URLs after {shift}"] = base64.urlsafe_b64encode(whole).decode()
    return found


@pytest.mark.parametrize("way", encoded(PLAIN))
@pytest.mark.parametrize("secret", [PLAIN, SECRET], ids=["word", "odd"])
def test_no_way_of_writing_a_secret_passes(secret, way):
    written = encoded(secret)[way]
    told = Masks([secret]).mask(f"before {written} after")
    assert MASK in told
    assert secret[2:-2] not in told
    assert written[5:-5].strip() not in told
    assert told.startswith("before ")
    assert told.endswith(" after")


@pytest.mark.parametrize("way", encoded(PLAIN))
@pytest.mark.parametrize("secret", [PLAIN, SECRET], ids=["word", "odd"])
def test_nor_does_it_in_a_file_of_bytes(secret, way):
    written = encoded(secret)[way].encode()
    content = b"\xff\x00\xfe" + written + b"\x00\x80end"
    told = Masks([secret]).mask_bytes(content)
    assert written[5:-5].strip() not in told
    assert told.startswith(b"\xff\x00\xfe")
    assert told.endswith(b"\x00\x80end")


def test_two_bytes_a_character_and_large_files_are_searched_too():
    masks = Masks([PLAIN])
    filler = b"\x00\x01" * (3 * 1024 * 1024)
    for form in (PLAIN.encode("utf-16-le"), PLAIN.encode("utf-16-be"), base64.b64encode(PLAIN.encode())):
        assert form not in masks.mask_bytes(b"ab" + form + b"cd")
        assert form not in masks.mask_bytes(filler + form + filler)


@pytest.mark.parametrize("way", ["plain", "percent", "plus", "JSON", "base64 after 1", "hexadecimal"])
def test_a_process_that_knows_all_of_a_site_finds_the_usual_forms(way):
    written = encoded(PLAIN)[way]
    masks = Masks((f"{PLAIN}{number}" for number in range(50)), thorough=False)
    masks.add(PLAIN)
    assert written[4:-6] not in masks.mask(f"<{written}>")
    assert MASK.encode() in masks.mask_bytes(written.encode())


@pytest.mark.parametrize(
    "dsn",
    [
        DSN,
        "postgresql://wissel:Kort%27Maar%2BLang@db/x",
        "host=db password = 'Kort\\'Maar+Lang'",
        "postgresql://db/x?user=me&password=Kort%27Maar%2BLang",
        "amqp://wissel:Kort'Maar+Lang@mq",
    ],
)
@pytest.mark.parametrize("way", ["plain", "percent", "JSON", "base64 after 2", "hexadecimal"])
def test_the_password_in_a_connection_string_is_masked_on_its_own(dsn, way):
    written = encoded("Kort'Maar+Lang")[way]
    assert written[4:-4] not in Masks([dsn]).mask(f"login failed for {written}!")


def test_a_short_password_in_a_connection_string_is_masked_as_a_word():
    masks = Masks(["postgresql://wissel:geit@db/x"])
    assert masks.mask("password 'geit' refused") == "password '***' refused"
    assert masks.mask("de geiten staan op stal") == "de geiten staan op stal"


def test_a_private_key_is_masked_line_by_line_and_in_base64():
    lines = [base64.b64encode(bytes([n]) * 48).decode() for n in range(20)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    masks = Masks([key])
    assert all(line not in masks.mask(f"line 7: {line}") for line in lines)
    wrapped = textwrap.wrap(base64.b64encode(key.encode()).decode(), 76)
    assert all(masks.mask(line) == MASK for line in wrapped[:-1])
    assert lines[3] not in masks.mask_bytes(("x" * 9_000_000 + key).encode()).decode()


def test_what_is_a_secret_by_its_form_is_masked_though_nobody_named_it():
    told = Masks().mask("wsl_0123456789abcdef to https://me:hunter2hunter2@host/x and postgresql://u:p@h")
    assert told == "*** to https://***@host/x and postgresql://***@h"


def test_ordinary_text_stays():
    text = "De wissel van 02:30 duurde 41 s; node=noord, 100 % klaar, 3 + 4 = 7, path /srv/pg\\n"
    assert Masks([PLAIN, SECRET, DSN]).mask(text) == text
    assert Masks().mask(text) == text


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_a_secret_over_two_lines_of_a_log_is_masked(cut):
    sent: list[str] = []
    log = Log(Masks([PLAIN]), sent.append)
    log.add(f"begin {PLAIN[:cut]}")
    log.add(f"{PLAIN[cut:]} end")
    log.add("further")
    log.close()
    told = "\n".join(sent)
    assert told.endswith("further")
    if min(cut, len(PLAIN) - cut) >= SHORTEST:  # of a piece of five characters nobody can tell that it is one
        assert sent[0] == "begin *** end"


def test_lines_that_are_held_back_come_in_their_order_and_count():
    sent: list[str] = []
    log = Log(Masks([PLAIN]), sent.append, limit=4)
    for line in ("a", PLAIN[:8], "b", PLAIN[:9], "c", "d"):
        log.add(line)
    log.close()
    assert sent == ["a", PLAIN[:8], "b", PLAIN[:9], "… 2 lines dropped"]


def test_colour_codes_inside_a_value_do_not_save_it():
    coloured = "".join(c + "\x1b[0m" for c in PLAIN)
    assert cleaned({"reason": [f"x {coloured}"]}, Masks([PLAIN]).mask) == {"reason": ["x ***"]}
