"""What a hostile driver says reaches nobody with its codes: through a real runner host, by its log or past it."""

import json
import os
import textwrap
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core import sheets
from app.core.shapes import Name, Prose
from runners.cleaning import cleaned, hidden, plain
from runners.host_client import RunnerHost, inherited
from runners.host_protocol import Call, HostRequest
from tests.bad_inputs.output import STRINGS

DRIVER = """
import json, os
from pathlib import Path
from pydantic import BaseModel
from runners.contract import *

STRINGS = json.loads(Path(__file__).with_name("strings.json").read_text())

class Params(BaseModel):
    past: bool = False

class Hostile(Runner):
    name, Params, effect, repeat = "test.hostile", Params, Effect.OBSERVES, Repeat.KEYED
    def preview(self, params, context):
        return Preview(calls=tuple(STRINGS), changes=Text(nl=STRINGS[0], en=STRINGS[0]))
    def observe(self, params, context):
        return Observation(seen=Seen.DONE, reason=Text(nl="".join(STRINGS), en="".join(STRINGS)))
    def run(self, params, context):
        for each in STRINGS:
            context.log(each)
            print(each)
            context.progress(1, 2, each)
            if params.past:
                for pipe in self.pipes():
                    try:
                        os.write(pipe, json.dumps({"id": "1", "log": each}).encode() + b"\\n")
                    except OSError:
                        pass
        return failed("".join(STRINGS), "".join(STRINGS), Measurement(name="x", value="".join(STRINGS)))
    def pipes(self):
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink("/proc/self/fd/" + name).startswith("pipe:") and int(name) > 2:
                    yield int(name)
            except OSError:
                pass
"""


@pytest.fixture
def host(tmp_path: Path):
    library = tmp_path / "lib"
    (library / "hostile-1.dist-info").mkdir(parents=True)
    (library / "hostile-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1")
    entry = "[wissel.runners]\ntest.hostile = hostile:Hostile\n"
    (library / "hostile-1.dist-info" / "entry_points.txt").write_text(entry)
    (library / "hostile.py").write_text(textwrap.dedent(DRIVER))
    (library / "strings.json").write_text(json.dumps(list(STRINGS.values())))
    path = os.pathsep.join([str(library), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    with RunnerHost(drop_to=None, environment=inherited() | {"PYTHONPATH": path}) as running:
        yield running


def request(tmp_path: Path, call: Call, **params: bool) -> HostRequest:
    (tmp_path / "evidence").mkdir(exist_ok=True)
    return HostRequest(
        id="1",
        call=call,
        runner="test.hostile",
        params=params,
        effect_key="run:step:1",
        fencing_token=1,
        deadline=datetime.now(UTC) + timedelta(seconds=30),
        evidence=str(tmp_path / "evidence"),
    )


def deceiving(text: str) -> list[str]:
    return [f"U+{ord(c):04X}" for c in text if hidden(c) or unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


@pytest.mark.parametrize("past", [False, True], ids=["by its log", "past its host"])
def test_nothing_that_a_driver_says_holds_codes_or_what_cannot_be_seen(host, tmp_path, past):
    lines, told = [], []
    reply = host.call(
        request(tmp_path, Call.RUN, past=past), on_log=lines.append, on_progress=lambda each: told.append(each.text)
    )
    assert len(lines) >= len(STRINGS) * (2 if not past else 3) - 10
    assert [each for line in [*lines, *told] for each in deceiving(line)] == []
    assert deceiving(reply.model_dump_json().replace("\n", "")) == []
    assert any("<script>" in line for line in lines)


@pytest.mark.parametrize("call", [Call.PREVIEW, Call.OBSERVE])
def test_what_it_would_do_and_what_it_saw_hold_none_either(host, tmp_path, call):
    reply = host.call(request(tmp_path, call))
    texts = json.dumps(reply.model_dump(mode="json"), ensure_ascii=False)
    assert deceiving(texts) == []


@pytest.mark.parametrize("name", STRINGS)
def test_a_cleaned_text_stays_as_it_is(name):
    once = plain(STRINGS[name])
    assert deceiving(once) == []
    assert plain(once) == once
    assert cleaned({STRINGS[name]: [STRINGS[name]]}) == {once: [once]}


def test_every_character_is_shown_or_taken_out():
    kept = "".join(chr(code) for code in range(0x110000) if not hidden(chr(code)))
    assert not set("\u202e\u200b\ufeff\u2066\u00ad\u3164\U000e0041\x1b\x00\ud800") & set(kept)
    for ordinary in "aéñĳ€ß—“…中文🙂\u0301":
        assert ordinary in kept


@pytest.mark.parametrize("text", ["a\u200bb", "a\ufeffb", "a\u3164b", "a\U000e0041b", "a\u2060b", "a\u00adb"])
def test_of_a_text_only_what_can_be_seen_is_kept(text):
    for kind in (Name, Prose):
        assert TypeAdapter(kind).validate_python(text) == "ab"


@pytest.mark.parametrize("text", ["\u3164", "\u200b", "a\u202eb", "a\x1bb", "a\x00b", "a\u2066b"])
def test_a_name_that_shows_nothing_or_turns_or_controls_is_refused(text):
    for kind in (Name, Prose) if "b" in text else (Name,):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["👩‍👩‍👧 team", "می‌خواهم", "☎️ balie", "Ĳsselmeer", "Zoë"])
def test_languages_and_emoji_that_need_a_joiner_keep_it(text):
    assert TypeAdapter(Name).validate_python(text) == text


@pytest.mark.parametrize("name", [each for each in STRINGS if each.startswith("formula")])
def test_no_cell_of_a_sheet_is_a_formula(name):
    assert sheets.cell(STRINGS[name]).startswith("'")
    assert sheets.cell([STRINGS[name], "x"]).startswith("'")
    assert sheets.cell({"ref": STRINGS[name]}).startswith("'")


def test_a_number_below_zero_stays_a_number():
    assert (sheets.cell(-2.5), sheets.cell(-3), sheets.cell("plain")) == ("-2.5", "-3", "plain")
