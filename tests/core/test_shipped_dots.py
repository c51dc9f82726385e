"""The shipped policy for colored dots: what it says of itself, and that it finishes sessions."""

import pytest

from bcannot_core.episodes.generate import GenerateSpec, generate_episode
from bcannot_core.evaluation.participants import open_actors
from bcannot_core.evaluation.tasks import TaskEvaluation, evaluate_task
from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced
from bcannot_core.policy.checkpoint import policy_folders, read_config
from bcannot_core.policy.policy import Policy

TASK = "colored_dot_tracking"


def test_it_fits_into_the_wheel_and_names_what_it_learned():
    folder = policy_folders()["dots"]
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8 * 2**20
    assert list(read_config(folder)["training"]["recipe"]["data"]["tasks"]) == [TASK]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "BSD-3-Clause" in card
    assert TASK in card


@pytest.mark.slow
def test_it_finds_the_dots_of_new_worlds_and_presses_done():
    actors = open_actors("dots", TASK, device="cpu", temperature=0.5, seed=31)
    options = TaskEvaluation(TASK, episodes=12, forced=0, seed=986_000, annotator=False)
    found = evaluate_task(actors, options)
    assert found["done_rate"] > 0.8
    assert found["f1"] > 0.85


@pytest.mark.slow
def test_on_recorded_history_it_places_where_annotators_do():
    episodes = [generate_episode(GenerateSpec(task=TASK), seed) for seed in range(985_000, 985_008)]
    found = evaluate_teacher_forced(Policy.load("dots", device="cpu"), episodes)
    assert found["placement_at_5px"] > 0.88
    assert found["action_accuracy"] > 0.8
