"""What a playbook may say about a lost side: what is passed over, what exists only then, and what rests on neither."""

# ruff: noqa: E501 - a row of a table stays on one line

import pytest

from app.playbooks.rules import Mode
from tests.unit.playbooks.written import SOUND, read, refused

FOLLOW = '  - {id: follow, uses: postgres.follow, with: {pair: "${pair}", node: "${from}", upstream: "${to}"}, timeout: PT9M, needs: [serve], irreversible: true, lost: skip, debt: {nl: Laat volgen., en: Let it follow.}}\n'
CHECK_LINE = '  - {id: fenced, uses: postgres.check-fenced, with: {pair: "${pair}", node: "${from}"}, timeout: PT30S, needs: [fence]}\n'
SIGNED = '  - {id: signed, ask: {nl: Staat hij stil?, en: Is it stopped?}, role: operator, lost: only, signs: {fact: manually-fenced, pair: "${pair}", node: "${from}"}, needs: [fence]}\n'


def codes(text):
    return {(step, code) for _, step, _, code in refused(text)}


def with_key(step_line: str, more: str) -> str:
    assert step_line in SOUND
    return SOUND.replace(step_line, step_line.rstrip("\n").removesuffix("}") + f", {more}}}\n" if step_line.rstrip().endswith("}") else step_line + f"    {more}\n", 1)  # fmt: skip


def test_what_reprotects_may_be_passed_over_and_leaves_a_debt():
    assert codes(SOUND + FOLLOW) == set()
    step = read(SOUND + FOLLOW).step("follow")
    assert step.debt is not None
    assert step.debt.en == "Let it follow."


@pytest.mark.parametrize(
    ("place", "more", "expected"),
    [
        (CHECK_LINE, "lost: skip", {("fenced", "lost-skips-fact"), ("fenced", "lost-skips-proof")}),
        ("    point_of_no_return: true\n", "lost: skip", {("promote", "lost-skips-switch")}),
        ("    needs: [promote]\n", "lost: skip", {("serve", "lost-skips-proof")}),
        ("    needs: [promote]\n", "ends_outage: true\n    lost: skip", {("serve", "lost-skips-switch"), ("serve", "lost-skips-proof")}),
        ("    needs: [go]\n", "lost: skip", {("final", "lost-value-missing")}),
        ("    needs: [go]\n", "debt: {nl: Later., en: Later.}", {("fence", "debt-without-skip")}),
        ("    needs: [go]\n", "lost: sometimes", {("fence", "unknown-word")}),
    ],
)  # fmt: skip
def test_what_the_switch_rests_on_is_never_passed_over(place, more, expected):
    assert codes(with_key(place, more)) >= expected


def test_a_decision_is_never_passed_over():
    text = SOUND.replace("timeout: PT5M, on_timeout: no}", "timeout: PT5M, on_timeout: no, lost: skip}")
    assert ("go", "key-does-not-fit") in codes(text)


def test_a_fact_that_only_a_lost_side_gives_does_not_carry_a_drill():
    only = SOUND.replace(CHECK_LINE, SIGNED).replace("needs: [fenced]", "needs: [signed]").replace("[fenced, serve]", "[serve]")  # fmt: skip
    assert ("promote", "promote-without-fence") in codes(only)


def test_a_signature_for_a_lost_side_stands_beside_the_probe_of_a_drill():
    both = SOUND.replace(CHECK_LINE, CHECK_LINE + SIGNED).replace("needs: [fenced]", "needs: [fenced, signed]")
    assert codes(both) == set()


def test_what_is_for_a_lost_side_is_left_out_of_a_drill_and_its_needs_pass_on():
    text = SOUND.replace("modes: [live]", "modes: [live, tabletop]")
    playbook = read(text.replace(CHECK_LINE, CHECK_LINE + SIGNED).replace("needs: [fenced]", "needs: [fenced, signed]"))
    assert playbook.for_mode(Mode.LIVE).step("final").needs == ("fenced", "fence")
    assert "signed" not in {step.id for step in playbook.for_mode(Mode.LIVE).steps}
    assert "signed" in {step.id for step in playbook.for_mode(Mode.LIVE, lost=True).steps}
    assert "signed" in {step.id for step in playbook.for_mode(Mode.TABLETOP).steps}
