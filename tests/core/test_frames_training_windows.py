"""Windows: the same ones for a seed, whoever makes them; targets, weights, other interfaces."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import GenerateSpec, Mixture, generate_episodes
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.screen import VARIANTS
from bcannot_core.session.clicks import ClickToken
from bcannot_core.tasks.registry import list_tasks
from bcannot_core.training.frames.cutting import Cutter, action_weights, numbered
from bcannot_core.training.frames.opened import ORACLE, open_live, open_recorded
from bcannot_core.training.frames.recipe import DataRecipe
from bcannot_core.training.frames.retarget import retarget
from bcannot_core.training.frames.schedule import first_steps
from bcannot_core.training.frames.sources import LiveEpisodes, MixedEpisodes, RecordedEpisodes
from bcannot_core.training.frames.windows import WindowSource
from bcannot_core.training.imitation import imitated

MISTAKE, CORRECTION, VERIFY, OVERSHOOT = 1, 2, 4, 8
QUICK = ("exploration_3d", "colored_dot_tracking", "road_network")


def cutter(source=None, context=5, seed=3, weights=None, lanes=4, **data):
    recipe = DataRecipe(**{"tasks": dict.fromkeys(QUICK, 1.0), **data})
    source = source or LiveEpisodes(recipe)
    return Cutter(source, recipe, context, (426, 436), seed, lanes, weights or {})


def windows_of(made, updates, windows=4, workers=0):
    numbers = [numbered(u, windows, 0, 1) for u in updates]
    with WindowSource(made, windows, workers) as source:
        for batch in source.batches(numbers):
            arrays = batch.arrays
            yield [
                arrays.frames.copy(),
                arrays.clicks.copy(),
                arrays.rects.copy(),
                arrays.weights.copy(),
                batch.rows,
            ]


def same(one, other):
    assert one[4] == other[4]
    for a, b in zip(one[:4], other[:4], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    parts = tuple(GenerateSpec(task, behaviours=("hasty",)) for task in QUICK)
    generate_episodes(Mixture(parts), 9, 5, folder)
    return folder


# -- numbers -------------------------------------------------------------------------------------


def test_a_window_follows_from_its_number_alone():
    in_order = list(windows_of(cutter(), range(8)))
    for update in (6, 2):
        [alone] = windows_of(cutter(), [update])
        same(alone, in_order[update])
    [other] = windows_of(cutter(seed=4), [0])
    assert not np.array_equal(other[1], in_order[0][1])


@pytest.mark.slow
def test_workers_make_the_same_windows():
    here = list(windows_of(cutter(), range(7)))
    there = list(windows_of(cutter(), range(7), workers=2))
    for one, other in zip(here, there, strict=True):
        same(one, other)


@pytest.mark.slow
def test_a_worker_that_fails_says_which_episode(sessions):
    broken = cutter(LiveEpisodes(DataRecipe(tasks={"road_network": 1.0}, behaviours=("odd",))))
    with pytest.raises(UsageError, match="odd") as caught, WindowSource(broken, 2, 1) as source:
        next(source.batches([range(2)]))
    assert any("road_network" in note for note in caught.value.__notes__)


def test_parts_of_an_update_make_up_the_whole():
    whole = list(numbered(3, 12, 0, 1))
    assert [i for part in range(3) for i in numbered(3, 12, part, 3)] == whole
    assert whole == list(range(36, 48))


def test_an_episode_is_opened_once_for_its_windows(monkeypatch):
    opened = []
    real = LiveEpisodes.open

    def count(self, pick):
        opened.append(pick)
        return real(self, pick)

    monkeypatch.setattr(LiveEpisodes, "open", count)
    made = cutter(tasks={"colored_dot_tracking": 1.0}, per_episode=4)
    assert len(list(windows_of(made, range(16)))) == 16
    assert len(opened) == len(set(opened))
    assert len(opened) <= 64 // 4 + 4  # a visit that was joined half way for each lane


@given(
    st.integers(1, 300), st.integers(1, 30), st.integers(0, 99), st.integers(1, 40), st.booleans()
)
def test_windows_lie_in_the_episode(steps, context, seed, most, overlap):
    firsts = first_steps(steps, context, np.random.default_rng(seed), most, overlap)
    assert 1 <= len(firsts) <= most
    assert len(set(firsts)) == len(firsts)
    assert all(0 <= first < steps for first in firsts)
    if not overlap and most == 40 and steps < 300:
        seen = {t for first in firsts for t in range(first, min(first + context, steps))}
        assert seen == set(range(steps)) or len(firsts) == most


@pytest.mark.parametrize("overlap", [False, True])
def test_the_end_of_an_episode_comes_at_any_place_in_a_window(overlap):
    drawn = [first_steps(95, 20, np.random.default_rng(i), 40, overlap) for i in range(2000)]
    ends = np.bincount([95 - first for firsts in drawn for first in firsts if first >= 75])
    assert len(ends) == 21 and not ends[0], "the last step comes first, or last, or between"
    assert ends[1:].max() < 1.6 * ends[1:].min()


# -- what is in them -----------------------------------------------------------------------------


def test_windows_show_what_replay_shows(sessions):
    dataset = open_dataset(sessions)
    made = cutter(RecordedEpisodes([sessions], DataRecipe()))
    schedule = made.schedule()
    arrays = made.empty(1)
    for number in range(4):
        cut = schedule.window(number)
        row = made.write(cut, arrays, 0)
        clicks = cut.episode.clicks.tolist()
        [episode] = [e for e in dataset if [[c.x, c.y] for c in e.clicks] == clicks]
        steps = list(replay(episode))[cut.first : cut.first + cut.length]
        assert row.actions == tuple(step.outcome.action for step in steps)
        for t, step in enumerate(steps):
            np.testing.assert_array_equal(arrays.frames[0, t], step.frame)
            assert tuple(arrays.clicks[0, t]) == step.click[:2]
        assert not arrays.frames[0, cut.length :].any()
        assert not arrays.weights[0, cut.length :].any()


def test_targets_are_buttons_or_single_pixels():
    episode = open_live("colored_dot_tracking", 4, ["original"], ["default"])
    layout = episode._screen.layout
    for (x, y), (left, top, right, bottom), action in zip(
        episode.clicks, episode.rects, episode.actions, strict=True
    ):
        assert left <= x < right and top <= y < bottom
        if action == "place":
            assert (right - left, bottom - top) == (1, 1)
        else:
            button = layout.buttons["mip" if action == "toggle" else action]
            assert (left, top, right, bottom) == (button.x, button.y, button.right, button.bottom)


def test_first_steps_without_a_past_do_not_count():
    made = cutter(tasks={"colored_dot_tracking": 1.0}, blind=2, behaviours=("flawless",))
    schedule, arrays = made.schedule(), made.empty(1)
    seen = set()
    for number in range(12):
        cut = schedule.window(number)
        made.write(cut, arrays, 0)
        inside = cut.first > 0
        seen.add(inside)
        assert (arrays.weights[0, :2] == 0).all() == inside
        assert (arrays.weights[0, 2 : cut.length] > 0).all()
    assert seen == {True, False}


def test_frames_must_fit():
    made = replace(cutter(), frame_wh=(300, 300))
    with pytest.raises(DatasetError, match="426×436"):
        made.write(made.schedule().window(0), made.empty(1), 0)
    larger = replace(cutter(), frame_wh=(450, 440))
    arrays = larger.empty(1)
    larger.write(larger.schedule().window(0), arrays, 0)
    assert arrays.frames[0, 0, :436, :426].any()
    assert not arrays.frames[0, 0, 436:].any() and not arrays.frames[0, 0, :, 426:].any()


# -- what is imitated ----------------------------------------------------------------------------


def clicks(*flags, action="place"):
    return [ClickToken(0, 0, "annotator", flag, 0, action) for flag in flags]


def test_mistakes_and_beginnings_of_detours_are_not_imitated():
    flags = [0, MISTAKE, MISTAKE, CORRECTION, 0, VERIFY, VERIFY, 0, OVERSHOOT, CORRECTION, VERIFY]
    wanted = [1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0]
    assert imitated("colored_dot_tracking", clicks(*flags)).tolist() == [bool(w) for w in wanted]


def test_tracing_goes_back_unwanted_and_forward_wanted():
    back = clicks(VERIFY, VERIFY, action="previous_section")
    forward = clicks(VERIFY, VERIFY, OVERSHOOT, action="next_section")
    assert imitated("neuron_tracing", [*back, *forward]).tolist() == [False] * 2 + [True] * 2 + [
        False
    ]


def test_hasty_annotators_are_imitated_without_their_mistakes():
    made = cutter(tasks={"colored_dot_tracking": 1.0}, behaviours=("hasty",), context=200)
    cut = made.schedule().window(0)
    arrays = made.empty(1)
    made.write(cut, arrays, 0)
    unwanted = np.flatnonzero(arrays.weights[0, : cut.length] == 0)
    assert 0 < len(unwanted) < cut.length // 2
    assert set(unwanted) == set(np.flatnonzero(~cut.episode.wanted))


def test_rare_actions_weigh_more():
    recipe = DataRecipe(tasks={"colored_dot_tracking": 1.0}, sample=4, weights={"toggle": 0.5})
    weights = action_weights(LiveEpisodes(recipe), recipe, 0)
    by_action = {action: weight for (_, action), weight in weights.items()}
    assert by_action["next_section"] == 1.0
    assert by_action["done"] == 1.0 < 1.5 < by_action["place"] < by_action["undo"] <= 8.0
    assert by_action["toggle"] == 0.5
    assert action_weights(LiveEpisodes(recipe), recipe, 0) == weights
    even = replace(recipe, rarest=1.0, weights={})
    assert set(action_weights(LiveEpisodes(even), even, 0).values()) == {1.0}


def test_the_oracle_labels_what_a_policy_did(sessions):
    recorded = next(e for e in open_dataset(sessions) if e.task == "colored_dot_tracking")
    plain = open_recorded(recorded)
    asked = open_recorded(replace(recorded, meta={"labels": ORACLE}))
    np.testing.assert_array_equal(asked.clicks, plain.clicks)
    right, made = np.array(asked.actions) == "undo", np.array(plain.actions) == "undo"
    left = np.append(False, right[:-1] & ~made[:-1])
    np.testing.assert_array_equal(asked.wanted, ~(right & left))
    mistakes = [c.flags & MISTAKE and c.action == "place" for c in recorded.clicks]
    after = [t + 1 for t, wrong in enumerate(mistakes) if wrong and not mistakes[t + 1]]
    assert after
    assert all(asked.actions[t] == "undo" for t in after)


# -- sources -------------------------------------------------------------------------------------


def test_tasks_are_drawn_by_their_weights(sessions):
    recipe = DataRecipe(tasks={"exploration_3d": 3.0, "road_network": 1.0, "shape_matching": 0.0})
    rng = np.random.default_rng(0)
    source = LiveEpisodes(recipe)
    drawn = Counter(source.pick(rng).task for _ in range(400))
    assert set(drawn) == {"exploration_3d", "road_network"}
    assert 260 < drawn["exploration_3d"] < 340
    recorded = RecordedEpisodes([sessions], replace(recipe, tasks={"road_network": 1.0}))
    assert {recorded.pick(rng).task for _ in range(9)} == {"road_network"}
    mixed = MixedEpisodes([source, recorded], [1.0, 3.0])
    parts = Counter(mixed.pick(rng).part for _ in range(400))
    assert 260 < parts[1] < 340
    assert mixed.open(mixed.pick(rng, "exploration_3d")).task_id == "exploration_3d"


def test_a_task_that_is_nowhere_is_refused(sessions):
    with pytest.raises(UsageError, match="spectral_plume"):
        RecordedEpisodes([sessions], DataRecipe(tasks={"spectral_plume": 1.0}))
    with pytest.raises(UsageError, match="datasets"):
        LiveEpisodes(DataRecipe())


# -- other interfaces ----------------------------------------------------------------------------


@pytest.mark.parametrize("task", [t for t in list_tasks() if t != "neuron_tracing"])
def test_an_episode_goes_over_to_any_interface(task):
    episode = GenerateSpec(task).episode(7)
    for variant in ("top_toolbar", "minimal_left", "left:light:pill:icon:glow:top"):
        there = retarget(episode, variant)
        assert there.variant == variant
        actions = [step.outcome.action for step in replay(there, copy=False)]
        assert actions == [click.action for click in episode.clicks]
        again = retarget(there, episode.variant)
        assert [c.action for c in again.clicks] == [c.action for c in episode.clicks]


def test_clicks_stay_at_their_place_in_canvas_and_button():
    episode = GenerateSpec("colored_dot_tracking").episode(1)
    plain, there = open_recorded(episode), open_recorded(episode, "retro")
    assert retarget(episode, episode.variant).clicks == episode.clicks
    old, new = plain._screen.layout.canvas, there._screen.layout.canvas
    places = [t for t, action in enumerate(plain.actions) if action == "place"]
    for t in places:
        assert tuple(plain.clicks[t] - old[:2]) == tuple(there.clicks[t] - new[:2])
    assert plain.actions == there.actions
    assert not np.array_equal(plain.frame(0), there.frame(0))


def test_a_click_beside_everything_stays_there():
    episode = GenerateSpec("colored_dot_tracking").episode(1)
    nothing = ClickToken(425, 435, "person", 0, 0, "none")
    episode = replace(episode, clicks=(nothing, *episode.clicks))
    for variant in VARIANTS:
        first = next(replay(retarget(episode, variant), copy=False))
        assert first.outcome.action == "none"


def test_augmented_windows_have_other_interfaces():
    recipe = DataRecipe(tasks={"exploration_3d": 1.0}, augment=0.5)
    rng = np.random.default_rng(1)
    drawn = [LiveEpisodes(recipe).pick(rng).variant for _ in range(60)]
    shown = [variant for variant in drawn if variant is not None]
    assert 15 < len(shown) < 45 and len(set(shown)) > 10
