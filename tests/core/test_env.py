"""Environments and the task registry."""

from functools import cache
from importlib import metadata

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import bcannot_core as bc
from bcannot_core.errors import ClickError, TaskError, UsageError
from bcannot_core.screen import VARIANTS
from bcannot_core.tasks import registry
from bcannot_core.tasks.env import AnnotationEnv
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.volumes import Contrast, Volume


@cache
def make_world():
    """Two neurites side by side, in a volume smaller than the canvas."""
    rng = np.random.default_rng(5)
    grey = rng.integers(0, 256, (6, 120, 140), dtype=np.uint8)
    labels = np.zeros(grey.shape, np.uint32)
    labels[:, 40:60, 40:60] = 4
    labels[:, 70:90, 90:110] = 5
    volume = Volume.from_array(grey, voxel_nm=(10, 10, 10), contrast=Contrast(0, 255))
    return {
        "volume": volume,
        "labels": Volume.from_array(labels, voxel_nm=(10, 10, 10), labels=True),
    }


def make_env(variant="original", **options):
    return bc.make("neuron_tracing", variant, **make_world(), **options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_passes_the_checks_of_gymnasium(variant):
    check_env(make_env(variant))


def test_the_spaces_are_those_of_the_window():
    env = make_env()
    assert env.action_space.nvec.tolist() == [426, 436]
    frame, info = env.reset(seed=1)
    assert frame.shape == env.observation_space.shape == (436, 426, 3)
    assert info["action"] == "none"


def test_the_same_seed_gives_the_same_world_and_others_follow():
    env, other = make_env(), make_env()
    first, _ = env.reset(seed=7)
    again, _ = other.reset(seed=7)
    assert (first == again).all()
    starts = {env.reset()[0].tobytes() for _ in range(8)}
    assert len(starts) == 2
    assert (other.reset()[0] == other.render()).all()


def test_an_episode_from_first_click_to_reward():
    env = make_env(sections=3)
    env.reset(seed=0)
    session, path = env.session, env.task.path
    rewards = []
    for yx in path.points_yx:
        for click in (session.click_at(yx), session.click_for("next_section")):
            frame, reward, terminated, truncated, info = env.step(np.array(click))
            rewards.append(reward)
            assert not terminated
            assert not truncated
            assert (frame == env.render()).all()
    assert info["action"] == "none"
    _, reward, terminated, _, info = env.step(session.click_for("done"))
    assert rewards == [0.0] * 6
    assert (reward, terminated, info["action"]) == (1.0, True, "done")
    assert env.score()["success"] is True
    _, reward, terminated, _, info = env.step(session.click_for("done"))
    assert (reward, terminated, info["action"]) == (0.0, True, "none")


def test_a_failed_episode_earns_nothing():
    env = make_env()
    env.reset(seed=0)
    _, reward, terminated, _, _ = env.step(env.session.click_for("done"))
    assert (reward, terminated) == (0.0, True)


def test_clicks_are_kept_with_their_actor():
    env = make_env()
    env.reset(seed=0)
    env.step(env.session.click_for((128, 128)))
    env.step_as(env.session.click_for("undo"), "annotator", flags=2, ms=40)
    actors = [(token.actor, token.flags, token.ms) for token in env.session.clicks]
    assert actors == [("policy", 0, 0), ("annotator", 2, 40)]


def test_episodes_are_truncated_after_so_many_clicks():
    env = make_env(max_steps=3)
    env.reset(seed=0)
    assert [env.step((0, 0))[3] for _ in range(3)] == [False, False, True]
    env.reset(seed=0)
    assert env.step((0, 0))[3] is False


def test_frames_are_copies_unless_views_are_asked_for():
    env = make_env()
    first, _ = env.reset(seed=0)
    kept = first.copy()
    env.step(env.session.click_for((128, 128)))
    assert (first == kept).all()
    first[:] = 0
    viewing = AnnotationEnv(NeuronTracing, make_world(), copy_frames=False)
    view, _ = viewing.reset(seed=0)
    assert (view == kept).all()
    viewing.step(viewing.session.click_for((128, 128)))
    assert (view != kept).any()
    assert not view.flags.writeable


def test_a_reset_may_change_options():
    env = make_env()
    env.reset(seed=0, options={"sections": 2, "start_zyx": (1, 50, 50)})
    assert env.task.sections == 2
    assert env.task.world.start_zyx == (1, 50, 50)
    env.reset(seed=0)
    assert env.task.sections == 6


def test_layers_follow_the_annotation():
    env = make_env()
    env.reset(seed=0, options={"start_zyx": (1, 50, 50)})
    env.step(env.session.click_for((128, 128)))
    assert env.layers()[-1][0].tolist() == [[1, 50, 50]]


def test_clicks_outside_the_frame_are_refused():
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(ClickError):
        env.step((426, 0))


def test_there_is_no_session_before_the_first_reset():
    with pytest.raises(TaskError, match="reset"):
        make_env().step((0, 0))


def test_without_a_render_mode_nothing_is_rendered():
    env = make_env(render_mode=None)
    env.reset(seed=0)
    assert env.render() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "neon"}, "'neon'"),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"render_mode": "human"}, "'human'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(change, message):
    with pytest.raises(UsageError, match=message):
        make_env(**change)


def test_unknown_options_name_the_known_ones():
    with pytest.raises(UsageError, match=r"'colour'.*nm_per_px"):
        make_env(colour=3).reset()


def test_tasks_are_listed_and_unknown_ones_answered_with_the_nearest():
    assert "neuron_tracing" in bc.list_tasks()
    with pytest.raises(
        UsageError, match=r"unknown task 'neuron_tracin': did you mean 'neuron_tracing'"
    ):
        bc.make("neuron_tracin")
    with pytest.raises(UsageError, match="choose one of"):
        bc.make("xyz")


def test_others_can_publish_tasks(monkeypatch):
    points = {
        "theirs": metadata.EntryPoint("theirs", f"{NeuronTracing.__module__}:NeuronTracing", "g"),
        "broken": metadata.EntryPoint("broken", "no_such_module:Task", "g"),
        "wrong": metadata.EntryPoint("wrong", "bcannot_core.errors:TaskError", "g"),
    }
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    assert registry.list_tasks() == ["broken", "theirs", "wrong"]
    assert registry.task_class("theirs") is NeuronTracing
    with pytest.raises(TaskError, match="cannot be loaded"):
        registry.task_class("broken")
    with pytest.raises(TaskError, match="not a subclass"):
        registry.task_class("wrong")


def test_a_task_can_be_made_without_an_environment():
    task = registry.make_task("neuron_tracing", seed=3, sections=4, **make_world())
    again = registry.make_task("neuron_tracing", seed=3, sections=4, **make_world())
    assert task.world.start_zyx == again.world.start_zyx
    assert task.sections == 4


def test_the_package_knows_its_names():
    assert set(bc.__all__) <= set(dir(bc))
    assert all(callable(getattr(bc, name)) for name in bc.__all__)
    assert bc.make is registry.make
    with pytest.raises(AttributeError, match="nothing_here"):
        bc.nothing_here  # noqa: B018


@pytest.mark.slow
def test_the_default_world_is_generated_tissue():
    env = bc.make("neuron_tracing", "retro", sections=30)
    frame, _ = env.reset(seed=2)
    canvas = frame[env.session.screen.layout.canvas.slices]
    assert canvas.std() > 10
    assert len(env.task.path) >= 20
    again, _ = bc.make("neuron_tracing", "retro", sections=30).reset(seed=2)
    assert (frame == again).all()
