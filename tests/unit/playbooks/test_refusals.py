"""A bad playbook is refused with every reason at once, each with line, step, field and a stable code."""

# ruff: noqa: E501 - a row of a table stays on one line

import time

import pytest

from app.playbooks import locking
from app.playbooks.loader import PlaybookInvalid
from runners import registry
from tests.unit.playbooks.written import SOUND, changed, read, refused


def test_the_sound_playbook_is_accepted():
    assert read(SOUND).name == "move-desk"


REFUSED = {
    "a key twice": (changed("modes: [live]", "modes: [tabletop]\nmodes: [live]"), (4, None, "modes", "duplicate-key")),
    "an unknown key": (SOUND + "locking: [pair]\n", (35, None, "locking", "unknown-key")),
    "an unknown key of a step": (changed("timeout: PT30S, needs", "time_out: PT30S, needs"), (18, "fenced", "time_out", "unknown-key")),
    "an unknown step kind": (SOUND + "  - {id: x, shell: [rm]}\n", (35, "x", "shell", "unknown-key")),
    "a step that does nothing": (SOUND + "  - {id: x, needs: [serve]}\n", (35, "x", "", "unknown-step-kind")),
    "a step of two kinds": (SOUND + "  - {id: x, wait: PT1S, ask: {nl: a, en: b}}\n", (35, "x", "wait", "two-kinds")),
    "an unknown runner": (changed("uses: postgres.fence", "uses: postgres.fense"), (13, "fence", "uses", "unknown-runner")),
    "no time-out": (changed("timeout: PT30S, ", ""), (18, "fenced", "timeout", "timeout-missing")),
    "an undo without time-out": (changed("}, timeout: PT1M}\n  - {id: fenced", "}}\n  - {id: fenced"), (17, "fence", "undo.timeout", "timeout-missing")),
    "a time-out of nothing": (changed("timeout: PT30S", "timeout: PT0S"), (18, "fenced", "timeout", "out-of-range")),
    "a time-out in months": (changed("timeout: PT30S", "timeout: P1M"), (18, "fenced", "timeout", "wrong-value")),
    "a change without undo": (changed('    undo: {uses: postgres.unfence, with: {pair: "${pair}", node: "${from}"}, timeout: PT1M}\n', ""), (12, "fence", "undo", "undo-missing")),
    "an undo that only looks": (changed("postgres.unfence", "postgres.check-fenced"), (17, "fence", "undo.uses", "undo-only-looks")),
    "a mode in capitals": (changed("modes: [live]", "modes: [LIVE]"), (3, None, "modes.0", "unknown-word")),
    "a secret written inline": (changed("stable_for: PT10S", "token: hunter2hunter2"), (32, "serve", "with.token", "secret-inline")),
    "a secret in a text for people": (changed("title:", 'summary: {nl: "wachtwoord = Zomer2026", en: b}\ntitle:'), (2, None, "summary.nl", "secret-inline")),
    "a password in a URL": (changed('"${pair.service}"', "http://me:pw@host/"), (32, "serve", "with.url", "secret-inline")),
    "an address of another scheme": (changed('"${pair.service}"', "ftp://host/"), (32, "serve", "with.url", "url-refused")),
    "an address in disguise": (changed('"${pair.service}"', "http://2130706433/"), (32, "serve", "with.url", "url-refused")),
    "an IPv4 address within IPv6": (changed('"${pair.service}"', "'http://[::ffff:127.0.0.1]/'"), (32, "serve", "with.url", "url-refused")),
    "a secret by its Dutch name": (changed("stable_for: PT10S", "wachtwoord: hunter2hunter2"), (32, "serve", "with.wachtwoord", "secret-inline")),
    "a parameter that looks like an option": (changed("stable_for: PT10S", "value_of: --all"), (32, "serve", "with.value_of", "leading-dash")),
    "argv as one text": (changed("stable_for: PT10S", "argv: rm -rf /"), (32, "serve", "with.argv", "argv-is-text")),
    "a template": (changed('"${pair.service}"', '"{{ pair.service }}"'), (32, "serve", "with.url", "template")),
    "half a reference": (changed('"${pair.service}"', '"${pair.service}/health"'), (32, "serve", "with.url", "reference-not-whole")),
    "an unknown input": (changed('"${pair.service}"', '"${house.service}"'), (32, "serve", "with.url", "unknown-reference")),
    "an unknown field of an input": (changed('"${pair.service}"', '"${pair.address}"'), (32, "serve", "with.url", "unknown-field")),
    "an input of another type": (changed('node: "${to}", lsn', 'node: "${pair}", lsn'), (21, "final", "with.node", "reference-type")),
    "a measurement of a later step": (changed("${steps.fence.measurements.final_lsn}", "${steps.serve.measurements.final_lsn}"), (21, "final", "with.lsn", "later-reference")),
    "a measurement of no step": (changed("${steps.fence.measurements.final_lsn}", "${steps.none.measurements.final_lsn}"), (21, "final", "with.lsn", "unknown-reference")),
    "a parameter that the runner has not": (changed("stable_for: PT10S", "stable: PT10S"), (32, "serve", "with.stable", "unknown-parameter")),
    "a parameter of a wrong type": (changed("stable_for: PT10S", "status: true"), (32, "serve", "with.status", "parameter-value")),
    "a parameter too little": (changed(', lsn: "${steps.fence.measurements.final_lsn}"', ""), (21, "final", "with.lsn", "parameter-missing")),
    "needs in a circle": (changed("needs: [fence]}", "needs: [fence, serve]}"), (18, "fenced", "needs", "cycle")),
    "needs of itself": (changed("needs: [fence]}", "needs: [fence, fenced]}"), (18, "fenced", "needs.1", "needs-itself")),
    "needs of nobody": (changed("needs: [fence]}", "needs: [fence, fense]}"), (18, "fenced", "needs.1", "unknown-step")),
    "two steps of one id": (changed("id: serve", "id: final"), (30, "final", "id", "duplicate-id")),
    "a decision without an end": (changed(", on_timeout: no}", "}"), (11, "go", "on_timeout", "on-timeout-missing")),
    "a decision without options": (changed("options: {yes: continue, no: stop}, ", ""), (11, "go", "options", "options-missing")),
    "a decision that jumps nowhere": (changed("no: stop", "no: goto nowhere"), (11, "go", "options.no", "unknown-step")),
    "an option of no known effect": (changed("no: stop", "no: explode"), (11, "go", "options.no", "wrong-form")),
    "a time-out to no option": (changed("on_timeout: no}", "on_timeout: maybe}"), (11, "go", "on_timeout", "unknown-option")),
    "a lock on what is no pair": (changed("locks: [pair]", "locks: [from]"), (8, None, "locks.0", "unknown-lock")),
    "a lock twice": (changed("locks: [pair]", "locks: [pair, pair]"), (8, None, "locks.1", "duplicate-lock")),
    "true for one": (changed("on_timeout: no}", "on_timeout: no, quorum: true}"), (11, "go", "quorum", "wrong-value")),
    "yes for true": (changed("    timeout: PT5M\n", "    timeout: PT5M\n    ends_outage: yes\n"), (34, "serve", "ends_outage", "wrong-value")),
    "a secret that is a number": (changed("stable_for: PT10S", "token: 12345678"), (32, "serve", "with.token", "secret-inline")),
    "secrets in a list": (changed("stable_for: PT10S", "tokens: [hunter2hunter2]"), (32, "serve", "with.tokens.0", "secret-inline")),
    "a surrogate written as an escape": (changed("title:", 'summary: {nl: "\\ud800", en: b}\ntitle:'), (2, None, "summary.nl", "forbidden-character")),
    "a turned reading direction as an escape": (changed("title:", 'summary: {nl: a, en: "\\u202e"}\ntitle:'), (2, None, "summary.en", "forbidden-character")),
    "a NUL as an escape": (changed("title:", 'summary: {nl: "\\0", en: b}\ntitle:'), (2, None, "summary.nl", "forbidden-character")),
    "steps that are no list": (SOUND.split("steps:")[0] + "steps: {a: b}\n", (10, None, "steps", "not-a-list")),
    "more steps than can be judged": (SOUND.split("steps:")[0] + "steps:\n" + "".join(f"  - {{id: s{n}, wait: PT1S}}\n" for n in range(301)), (10, None, "steps", "too-many-steps")),
    "a proof by no step": (changed("[fenced, serve]", "[fenced, served]"), (9, None, "proves.switchover.1", "unknown-step")),
    "a proof of no known kind": (changed("{switchover:", "{miracle:"), (9, None, "proves.miracle", "unknown-word")),
    "a change repeated blindly": (changed("    needs: [go]\n", "    needs: [go]\n    retries: {times: 3}\n"), (17, "fence", "retries", "retries-on-change")),
    "a key of another kind": (changed("on_timeout: no}", "on_timeout: no, irreversible: true}"), (11, "go", "irreversible", "key-does-not-fit")),
    "an unknown input type": (changed("{type: side}", "{type: seaside}"), (6, None, "inputs.from.type", "unknown-word")),
    "a proof passed over": (changed("needs: [fence]}", "needs: [fence], on_failure: continue}"), (18, "fenced", "on_failure", "fact-ignorable")),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_it_names_line_step_field_and_code(text, expected):
    assert expected in refused(text)


ALONE = sorted(set(REFUSED) - {"needs in a circle", "two steps of one id", "an unknown step kind", "an unknown key of a step", "an unknown input type", "a mode in capitals"})  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_one_fault_is_told_once_and_no_other_is_invented(name):
    text, expected = REFUSED[name]
    assert refused(text) == [expected]


def test_a_pair_that_a_step_changes_is_held_without_being_asked_for():
    unasked = read(SOUND.replace("locks: [pair]\n", ""))
    assert locking.held(unasked, registry.load()) == ("pair",)


def test_a_pair_that_is_only_looked_at_is_held_by_nobody():
    only_looks = read(SOUND.replace("locks: [pair]\n", ""))
    steps = tuple(
        step for step in only_looks.steps if registry.load().get(step.uses or "") is None or step.id == "serve"
    )
    assert locking.held(only_looks.model_copy(update={"steps": steps}), registry.load()) == ()


def test_a_file_of_thousands_of_faults_is_refused_quickly_and_tells_a_hundred():
    began = time.monotonic()
    found = refused("".join(f"k{n}: 1\n" for n in range(4000)))
    assert len(found) == 100
    assert time.monotonic() - began < 10


def test_no_refusal_repeats_a_character_that_no_answer_can_carry():
    for text in (SOUND + '"a\\ud800": 1\n', SOUND + '"\\udfff":\n  x: 1\n'):
        with pytest.raises(PlaybookInvalid) as error:
            read(text)
        str(error.value).encode()


def test_all_faults_are_told_at_once_in_the_order_of_the_file():
    text = (
        SOUND.replace("timeout: PT30S", "timeout: soon").replace("no: stop", "no: explode").replace("PT5M\n", "P1Y\n")
    )
    assert [code for _, _, _, code in refused(text)] == ["wrong-form", "wrong-value", "wrong-value"]
    assert [line for line, _, _, _ in refused(text)] == [11, 18, 33]


def test_a_close_name_is_offered():
    with pytest.raises(Exception, match=r"Did you mean 'postgres\.fence'\?"):
        read(changed("uses: postgres.fence", "uses: postgres.fense"))


GUARD = "guards:\n  - {{id: g, uses: {uses}, with: {{{given}}}, every: PT5S, from: {start}, until: {end}}}\nsteps:"


@pytest.mark.parametrize(
    ("uses", "given", "start", "end", "code"),
    [
        ("check.http", 'url: "${pair.service}"', "fence", "serve", None),
        ("check.http", 'url: "${pair.service}"', "serve", "fence", "guard-ends-first"),
        ("check.http", 'url: "${pair.service}"', "fence", "nowhere", "unknown-step"),
        ("postgres.fence", 'pair: "${pair}", node: primary', "fence", "serve", "guard-acts"),
    ],
)
def test_a_guard_looks_between_two_steps(uses, given, start, end, code):
    text = SOUND.replace("steps:", GUARD.format(uses=uses, given=given, start=start, end=end), 1)
    assert [each[3] for each in refused(text)] == ([code] if code else [])


ASK = "  - {id: owner, ask: {nl: a, en: b}, needs: [serve]%s}\n"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (", unattended: skip", None),
        (", unattended: yes", "unknown-option"),
        (", role: owner, evidence: required", None),
    ],
)
def test_a_question_can_only_be_skipped_without_people(more, code):
    assert [each[3] for each in refused(SOUND + ASK % more)] == ([code] if code else [])


WAIT = "  - {id: stay, wait: %s, needs: [serve]}\n"


@pytest.mark.parametrize(
    ("wait", "code"),
    [
        ("PT72H", None),
        ("2027-01-31T02:00:00+01:00", None),
        ("2027-01-31T02:00:00", "wrong-value"),
        ("tomorrow", "wrong-value"),
        ('"${pair}"', "reference-type"),
        ("-PT1H", "wrong-value"),
    ],
)
def test_a_wait_is_a_duration_or_a_moment_with_its_offset(wait, code):
    assert [each[3] for each in refused(SOUND + WAIT % wait)] == ([code] if code else [])


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ("{type: integer, default: 5}", None),
        ("{type: integer, default: true}", "default-type"),
        ("{type: side, default: left}", "default-type"),
        ("{type: text, default: 'password=geheim'}", "secret-inline"),
        ("{type: text, default: --force}", "leading-dash"),
        ("{type: text, default: secret://name}", None),
    ],
)
def test_a_default_is_of_its_type_and_no_secret(declared, code):
    text = changed("  to: {type: side}", "  to: {type: side}\n  more: " + declared)
    assert [each[3] for each in refused(text)] == ([code] if code else [])
