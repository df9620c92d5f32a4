"""A claim that was really carried out, but below the level that it asks, is never called a thing of paper alone."""

import pytest

from app.core import i18n
from app.plans.facts import ProofSource, Verdict
from app.plans.models import Plan, ProofRow
from app.plans.portrait import ClaimPicture, portrait
from tests.flow.runs_world import START, World, build


@pytest.fixture
def world(tmp_path):
    return build(tmp_path)


def shown(world: World, level: int, **more: object) -> ClaimPicture:
    """The claim `stay`, which asks level 5, after a pass at `level`."""
    with world.database.transaction() as session:
        proof = ProofRow(
            plan_id="plan",
            plan_major=1,
            claim_key="stay",
            source=ProofSource.RUN,
            level=level,
            verdict=Verdict.PASS,
            at=START,
            recorded_at=START,
            recorded_by="system",
            **more,
        )
        session.add(proof)
        session.flush()
        found = portrait(session, session.get_one(Plan, "plan"), now=START)
    return next(each for each in found.claims if each.key == "stay")


def told(claim: ClaimPicture, language: str) -> tuple[str, str]:
    with i18n.speaking(language):
        return claim.word, i18n.pick(claim.why)


def test_a_hold_at_level_four_of_five_says_what_was_shown(world):
    claim = shown(world, 4)
    assert told(claim, "en") == (
        "shown at level 4 of 5",
        "Really carried out on 10 jan 2027: that counts for level 4, and level 5 is asked.",
    )
    assert told(claim, "nl")[0] == "getoond op niveau 4 van 5"


@pytest.mark.parametrize(("level", "more"), [(2, {}), (4, {"simulated": True}), (4, {"attested": True})])
def test_what_was_talked_through_simulated_or_told_is_on_paper_only(world, level, more):
    word, why = told(shown(world, level, **more), "en")
    assert word == "on paper only"
    assert why.startswith("Only read or talked through")
