"""No path of a playbook reaches a promotion without a proven fence and a standby that caught up."""

# ruff: noqa: E501 - a row of a table stays on one line

import pytest

from tests.unit.playbooks.written import SOUND, changed, read, refused

CHECK_LINE = '  - {id: fenced, uses: postgres.check-fenced, with: {pair: "${pair}", node: "${from}"}, timeout: PT30S, needs: [fence]}\n'
SIGNED = '  - {id: fenced, ask: {nl: Staat hij stil?, en: Is it stopped?}, role: operator, signs: {fact: manually-fenced, pair: "${pair}", node: "${from}"}, needs: [fence]}\n'
UNFENCE = '  - {id: again, uses: postgres.unfence, with: {pair: "${pair}", node: "${from}"}, timeout: PT1M, needs: [fenced], irreversible: true}\n'


def codes(text):
    return {(step, code) for _, step, _, code in refused(text)}


def test_a_fence_alone_is_not_its_own_proof():
    text = (
        SOUND.replace(CHECK_LINE, "").replace("needs: [fenced]", "needs: [fence]").replace("[fenced, serve]", "[serve]")
    )
    assert codes(text) == {("promote", "promote-without-fence")}


def test_a_named_person_can_sign_for_the_fence():
    assert codes(SOUND.replace(CHECK_LINE, SIGNED)) == set()


def test_a_signature_cannot_be_given_without_people():
    text = SOUND.replace(CHECK_LINE, SIGNED.replace("needs: [fence]}", "needs: [fence], unattended: skip}"))
    assert ("fenced", "signature-skipped") in codes(text)


def test_a_proof_of_the_wrong_side_is_no_proof():
    assert codes(changed('check-fenced, with: {pair: "${pair}", node: "${from}"}', 'check-fenced, with: {pair: "${pair}", node: "${to}"}')) == {("promote", "promote-without-fence")}  # fmt: skip


def test_a_proof_beside_the_path_is_no_proof():
    text = SOUND.replace("    needs: [fenced]\n", "    needs: [fence]\n")
    assert codes(text) == {("promote", "promote-without-fence")}


def test_a_standby_that_did_not_catch_up_is_not_promoted():
    text = changed("    needs: [final]\n    point", "    needs: [fenced]\n    point")
    assert codes(text) == {("promote", "caught-up-missing")}


FENCE_OF_THE_OLD_SIDE = '  - {id: twice, uses: postgres.fence, with: {pair: "${pair}", node: "${from}"}, timeout: PT1M, needs: [final], irreversible: true}\n'
CHECK_AGAIN = CHECK_LINE.replace("id: fenced", "id: still").replace("[fence]", "[twice]")


MEASURED = '"${steps.fence.measurements.final_lsn}"'


@pytest.mark.parametrize(
    ("proof", "position", "before"),
    [
        (CHECK_LINE, '"0/3000060"', "go"),
        (CHECK_LINE, '"0/3000060"', "fence"),
        (CHECK_LINE, MEASURED, "fence"),
        (SIGNED, '"0/3000060"', "go"),
        (SIGNED, MEASURED, "fence"),
    ],
)
def test_what_the_standby_has_is_measured_after_the_proof_of_the_fence(proof, position, before):
    text = SOUND.replace(CHECK_LINE, proof).replace(MEASURED, position)
    assert codes(text) == set()
    early = text.replace("    needs: [fenced]\n", f"    needs: [{before}]\n").replace("[final]", "[final, fenced]")
    assert codes(early) == {("promote", "caught-up-missing")}


def test_what_the_standby_had_before_a_second_fence_counts_no_more():
    text = SOUND.replace("  - id: promote\n", FENCE_OF_THE_OLD_SIDE + CHECK_AGAIN + "  - id: promote\n")
    assert ("promote", "caught-up-missing") in codes(
        text.replace("needs: [final]\n    point", "needs: [still]\n    point")
    )


def test_a_fence_taken_away_after_its_proof_counts_no_more():
    text = SOUND.replace(CHECK_LINE, CHECK_LINE + UNFENCE)
    assert ("promote", "promote-without-fence") in codes(text)


@pytest.mark.parametrize(
    ("target", "refusal"), [("promote", True), ("final", True), ("fenced", False), ("serve", False)]
)
def test_a_jump_may_not_pass_over_the_fence(target, refusal):
    found = codes(changed("no: stop", f"no: goto {target}"))
    assert (("promote", "promote-without-fence") in found) is refusal


def test_a_mode_that_leaves_out_the_proof_is_refused():
    text = SOUND.replace("modes: [live]", "modes: [live, rehearsal]").replace(
        "timeout: PT30S, needs: [fence]}", "timeout: PT30S, needs: [fence], modes: [live]}"
    )
    assert ("promote", "promote-without-fence") in codes(text)


BACK = """\
  - {id: follow, uses: postgres.follow, with: {pair: "${pair}", node: "${from}", upstream: "${to}"}, timeout: PT9M, needs: [serve], irreversible: true}
  - {id: stay, wait: PT72H, needs: [follow]}
  - {id: fence2, uses: postgres.fence, with: {pair: "${pair}", node: "${to}"}, timeout: PT1M, needs: [stay], irreversible: true}
  - {id: fenced2, uses: postgres.check-fenced, with: {pair: "${pair}", node: "${to}"}, timeout: PT1M, needs: [fence2]}
  - {id: final2, uses: postgres.caught-up, with: {pair: "${pair}", node: "${from}", lsn: "${steps.fence2.measurements.final_lsn}"}, timeout: PT1M, needs: [fenced2]}
  - {id: promote2, uses: postgres.promote, with: {pair: "${pair}", node: "${from}"}, timeout: PT1M, needs: [final2], irreversible: true}
"""


def test_a_weekend_test_goes_over_and_back_in_one_run():
    assert codes(SOUND + BACK) == set()


def test_the_way_back_needs_a_fence_of_its_own():
    lines = [line for line in BACK.splitlines() if "fenced2," not in line]
    text = "\n".join(lines).replace("needs: [fenced2]", "needs: [fence2]")
    assert codes(SOUND + text + "\n") == {("promote2", "promote-without-fence")}


def test_a_step_left_out_by_a_mode_is_replaced_by_its_needs():
    from app.playbooks.rules import Mode

    text = SOUND.replace("modes: [live]", "modes: [live, tabletop]").replace(
        "needs: [fence]}", "needs: [fence], modes: [live]}"
    )
    left = read(text).for_mode(Mode.TABLETOP)
    assert [step.id for step in left.steps] == ["go", "fence", "final", "promote", "serve"]
    assert left.step("final").needs == ("fence",)
