"""A question that is passed over because a side is lost, and the workers that read the steps still to come."""

import copy
from pathlib import Path

from app.runs import activations
from app.runs.activation_shapes import ActivationIn
from tests.flow.activation_world import FAIL_OVER, answer, publish, ready, told
from tests.flow.runs_world import ME, build


def test_a_question_to_the_lost_side_keeps_no_worker_from_taking_a_step(tmp_path: Path) -> None:
    world, text = ready(build(tmp_path)), copy.deepcopy(FAIL_OVER)
    text["playbook"] = "test-fail-over-asking"
    text["steps"].append(
        {"id": "discard", "ask": {"nl": "Weg?", "en": "Discard?"}, "lost": "skip", "timeout": 60, "needs": ["compare"]}
    )
    with world.database.transaction() as session:
        publish(session, text)
        data: ActivationIn = told(world, playbook="test-fail-over-asking")
        run_id = activations.start(session, data, actor=world.actor("operator"), now=world.now).run.id
    answer(world, run_id, "go", "go")
    assert world.begin(ME).soon[:2] == ("test.cut", "test.promote")
