"""The shipped policy for nine tasks: what it says of itself, and that it acts on each screen."""

import pytest

from bcannot_core.episodes.generate import GenerateSpec, generate_episode
from bcannot_core.evaluation.teacher_forced import evaluate_teacher_forced
from bcannot_core.policy.averaging import main_recipe
from bcannot_core.policy.checkpoint import policy_folders, read_config
from bcannot_core.policy.policy import Policy
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task

NINE = (
    "animal_behavior_tracking",
    "animal_limb_tracking",
    "cell_lineage",
    "colored_dot_tracking",
    "exploration_3d",
    "multichannel_alignment",
    "neuron_tracking",
    "road_network",
    "spectral_plume",
)


def test_it_fits_into_the_wheel_and_names_what_it_learned():
    folder = policy_folders()["tasks"]
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8 * 2**20
    learned = main_recipe(read_config(folder)["training"])["data"]["tasks"]
    assert sorted(learned) == list(NINE)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "BSD-3-Clause" in card
    assert all(task in card for task in NINE)


@pytest.mark.slow
@pytest.mark.parametrize("task", NINE)
def test_it_acts_in_worlds_that_nobody_saw(task):
    session = Session(make_task(task, seed=987_654))
    policy = Policy.load("tasks", device="cpu")
    policy.reset()
    did = []
    while len(did) < 12 and not session.terminated:
        did.append(session.apply(policy.act(session.frame()), "policy").action)
    assert sum(action != "none" for action in did) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "placed", "right"),
    [
        ("neuron_tracking", 0.75, 0.75),
        ("cell_lineage", 0.6, 0.8),
        ("colored_dot_tracking", 0.8, 0.8),
    ],
)
def test_on_recorded_history_it_places_where_annotators_do(task, placed, right):
    episodes = [generate_episode(GenerateSpec(task=task), seed) for seed in range(987_000, 987_004)]
    found = evaluate_teacher_forced(Policy.load("tasks", device="cpu"), episodes)
    assert found["placement_at_5px"] > placed
    assert found["action_accuracy"] > right
