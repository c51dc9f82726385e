"""The second stage: rendered episodes, windows of them, and going on from a state."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.generate import GenerateSpec, Source, generate_episodes
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import DatasetError
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.glance import GlanceNet, GlanceOutput
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from bcannot_core.training import rendering
from bcannot_core.training.recipe import OptimizerRecipe, StepsRecipe
from bcannot_core.training.rendering import RenderedEpisode, render, render_all, roll_out
from bcannot_core.training.steps_stage import StepsStage, _spread

torch.set_num_threads(1)

ARRAYS = ("coarse", "patch", "summary", "clicks", "rects", "near", "wanted")


@pytest.fixture(scope="module")
def episodes(labelled_npz, tmp_path_factory):
    folder = tmp_path_factory.mktemp("episodes")
    spec = GenerateSpec(
        config={"sections": 6},
        sources=(Source(str(labelled_npz), str(labelled_npz)),),
        min_sections=4,
    )
    generate_episodes(spec, 3, 1, folder)
    return open_dataset(folder)


def make_net(context=6, seed=0, size=32):
    torch.manual_seed(seed)
    glance = GlanceConfig(size=size, channels=(8, 8, 8))
    config = PolicyConfig(
        canvas_xywh=(16, 73, 256, 256),
        width=32,
        layers=1,
        heads=2,
        context=context,
        glance=glance,
    )
    return PolicyNet(config).eval()


def make_stage(episodes, updates=6, seed=2, **recipe):
    values = {"windows": 2, "optimizer": OptimizerRecipe(rate=3e-3, warm_up=1)}
    return StepsStage(
        make_net(), episodes, StepsRecipe(updates=updates, **(values | recipe)), seed, 0
    )


def losses_of(stage):
    entries = []
    assert stage.run(entries.append)
    return entries


# -- rendering -----------------------------------------------------------------------------------


def test_a_rendered_episode_is_what_a_watching_policy_sees(episodes):
    net, episode = make_net(), episodes[0]
    rendered = render(episode, net, torch.device("cpu"))
    assert len(rendered) == len(episode)
    assert rendered.actions == tuple(click.action for click in episode.clicks)
    assert rendered.clicks.tolist() == [[click.x, click.y] for click in episode.clicks]
    policy = GlancePolicy(make_net(), device="cpu")
    for t, (frame, click, _) in enumerate(replay(episode)):
        sight = policy._eye.look(frame)
        assert (rendered.coarse[t] == sight.coarse).all()
        assert (rendered.patch[t] == sight.patch).all()
        assert (rendered.summary[t] == sight.summary).all()
        policy._eye.click((click.x, click.y))


def test_near_means_a_placement_within_the_glance(episodes):
    rendered = [render(episode, make_net(), torch.device("cpu")) for episode in episodes]
    near = np.concatenate([r.near for r in rendered])
    actions = np.array([a for r in rendered for a in r.actions])
    assert (actions[near] == "place").all()
    assert near[actions == "place"].mean() > 0.5
    first = rendered[0]
    if first.actions[0] == "place":
        x, y = first.clicks[0] - (16 + 128, 73 + 128)
        assert first.near[0] == (-16 <= x < 16 and -16 <= y < 16)


@pytest.mark.slow
def test_workers_render_the_same(episodes, tmp_path):
    policy = GlancePolicy(make_net(), device="cpu")
    for parameter in policy.net.parameters():
        parameter.data = parameter.data.half().float()
    policy.save(tmp_path / "p")
    here = list(render_all(episodes, policy.net, 0))
    there = list(render_all(episodes, policy.net, 2))
    for a, b in zip(here, there, strict=True):
        assert a.actions == b.actions
        assert (a.summary == b.summary).all()


class SeesBright(GlanceNet):
    """Stands for a glance network that knows the neurite: what is bright, nearest to its middle."""

    def forward(self, inputs):
        line = torch.arange(inputs.shape[-1], dtype=torch.float32) - inputs.shape[-1] // 2
        near = -(line[:, None] ** 2 + line[None] ** 2) / 50
        belief = 9 * inputs[:, 0].float()
        judged = torch.ones(len(inputs))
        return GlanceOutput(belief, near.expand_as(belief), judged, judged, belief[:, None])


class ClicksAside(SeesBright):
    def forward(self, inputs):
        output = super().forward(inputs)
        heat = torch.full_like(output.heat, -1e6)
        heat[:, 8, 8] = 0
        return output._replace(heat=heat, belief=torch.ones_like(heat))


def test_a_roll_out_clicks_where_the_glance_does_and_aims_where_the_annotator_would(
    episodes, monkeypatch
):
    monkeypatch.setattr(rendering, "_ERRING", rendering._ERRING.with_mistakes(0))
    net = make_net()
    net.glance = SeesBright(net.config.glance).eval()
    for episode in episodes:
        rolled = roll_out(episode, net, torch.device("cpu"))
        assert rolled.wanted.all()
        placed = np.array([action == "place" for action in rolled.actions])
        assert rolled.actions[0] == "place"
        assert rolled.near[placed].all()
        own, wish = rolled.clicks[placed], rolled.rects[placed][:, :2]
        assert (own != wish).any(), "the nodes are the policy's own"
        buttons = {"next_section", "done"} & set(rolled.actions)
        assert buttons
        inside = rolled.rects[~placed]
        x, y = rolled.clicks[~placed].T
        assert (inside[:, 0] <= x).all()
        assert (x < inside[:, 2]).all()
        assert (inside[:, 1] <= y).all()
        assert (y < inside[:, 3]).all()


def test_what_goes_wrong_on_purpose_in_a_roll_out_is_taken_back(episodes, monkeypatch):
    erring = replace(rendering._ERRING.with_mistakes(0.5), notice_late=0.0)
    monkeypatch.setattr(rendering, "_ERRING", erring)
    net = make_net()
    net.glance = SeesBright(net.config.glance).eval()
    answers = []
    for episode in episodes:
        rolled = roll_out(episode, net, torch.device("cpu"))
        for t in np.flatnonzero(~rolled.wanted):
            assert rolled.actions[t] == "place", "a mistake is seen, not imitated"
            answers += [(rolled.actions[t + 1], rolled.wanted[t + 1])]
    assert len(answers) >= 3
    assert set(answers) == {("undo", True)}


def test_a_roll_out_ends_where_a_node_lies_off_target(episodes):
    net = make_net(size=96)
    net.glance = ClicksAside(net.config.glance).eval()
    rolled = [roll_out(episode, net, torch.device("cpu")) for episode in episodes]
    astray = [r for r in rolled if "done" not in r.actions]
    assert astray
    for r in astray:
        assert r.actions[-1] == "place"
        assert np.abs(r.clicks[-1] - r.rects[-1, :2]).max() > 10


def test_roll_outs_are_learnt_from_along_with_the_episodes(episodes):
    without, extra = make_stage(episodes), make_stage(episodes, rollouts=2)
    assert len(extra.episodes) == len(without.episodes) + 2


# -- windows -------------------------------------------------------------------------------------


def test_windows_lie_in_their_episode_and_often_begin_with_it(episodes):
    stage = make_stage(episodes)
    rng = np.random.default_rng(0)
    windows = [stage._window(rng) for _ in range(200)]
    assert all(first >= 0 and first + n <= len(e) for e, first, n in windows)
    assert all(4 < n <= 12 for _, _, n in windows), "two contexts at most, never blind throughout"
    assert 20 < sum(first == 0 for _, first, _ in windows) < 180


def test_the_end_of_an_episode_comes_at_any_place_in_a_window(episodes):
    stage = make_stage(episodes)
    whole = replace_length(stage.episodes[0], 40)
    stage.episodes = [whole]
    rng = np.random.default_rng(0)
    ends = Counter(n for _, first, n in map(stage._window, [rng] * 2000) if first + n == len(whole))
    assert sorted(ends) == list(range(5, 13)), "Done is learnt wherever it stands"
    assert max(ends.values()) < 2 * min(ends.values())


def replace_length(episode, length):
    """Repeat an episode's steps up to a length."""
    many = np.resize(np.arange(len(episode)), length)
    arrays = {name: getattr(episode, name)[many] for name in ARRAYS}
    return RenderedEpisode(**arrays, actions=tuple(episode.actions[i] for i in many))


def test_the_first_steps_of_a_window_inside_an_episode_do_not_count(episodes):
    stage = make_stage(episodes)
    episode = stage.episodes[0]
    windows = [(episode, 0, 6), (episode, 3, 6)]
    with torch.inference_mode():
        logits = stage.net.steps(stage._inputs(windows))
        _, weights = stage._losses(logits, windows)
    wanted = episode.wanted.tolist()
    assert sum(wanted) > 0.5 * len(wanted)
    assert (weights[0] > 0).tolist() == wanted[:6] + [False] * 6
    assert (weights[1] > 0).tolist() == [False] * 4 + wanted[7:9] + [False] * 6


def test_short_episodes_are_filled_up_and_what_fills_does_not_count(episodes):
    stage = make_stage(episodes)
    episode = stage.episodes[0]
    windows = [(episode, len(episode) - 2, 2), (episode, 0, 6)]
    inputs = stage._inputs(windows)
    assert inputs.coarse.shape[:2] == (2, 12)
    assert not inputs.coarse[0, 2:].any()
    width, height = episode.clicks[0] / (426, 436)
    assert inputs.clicks[1, 0].tolist() == pytest.approx([width, height])
    with torch.inference_mode():
        _, weights = stage._losses(stage.net.steps(inputs), windows)
    assert not weights[0, 2:].any()


def test_rare_actions_weigh_more(episodes):
    stage = make_stage(episodes)
    counts = {}
    for episode in stage.episodes:
        for action in episode.actions:
            counts[action] = counts.get(action, 0) + 1
    common, rare = max(counts, key=counts.get), min(counts, key=counts.get)
    assert stage._weights[common] == 1
    assert 1 < stage._weights[rare] <= 8


def test_episodes_are_spread_over_what_there_is():
    assert _spread(3, 10) == [0, 1, 2]
    assert _spread(100, 4) == [0, 33, 66, 99]
    assert _spread(5, 1) == [0]


# -- the stage -----------------------------------------------------------------------------------


def test_the_stage_learns_and_leaves_the_glance_alone(episodes):
    stage = make_stage(episodes, updates=15)
    before = {name: t.clone() for name, t in stage.net.glance.state_dict().items()}
    entries = losses_of(stage)
    totals = [entry["total"] for entry in entries]
    assert np.mean(totals[-4:]) < 0.9 * np.mean(totals[:4])
    assert set().union(*(entry["by_action"] for entry in entries)) >= {"place", "next_section"}
    assert all(torch.equal(t, before[name]) for name, t in stage.net.glance.state_dict().items())


def test_a_restored_stage_goes_on_as_if_nothing_had_happened(episodes):
    expected = losses_of(make_stage(episodes))
    begun = make_stage(episodes)
    begun.recipe = StepsRecipe(updates=3, windows=2)
    entries = losses_of(begun)
    values, tensors = begun.state()
    tensors = {name: t.clone() for name, t in tensors.items()}
    resumed = make_stage(episodes)
    with torch.no_grad():
        for parameter in resumed.net.steps.parameters():
            parameter.add_(1.0)
    resumed.restore(values, tensors)
    assert entries + losses_of(resumed) == expected


def test_without_clicks_there_is_nothing_to_learn(episodes):
    with pytest.raises(DatasetError, match="no clicks"):
        make_stage([])


def test_sessions_without_clicks_are_passed_over(episodes):
    sessions = [replace(episodes[0], clicks=()), episodes[1]]
    stage = make_stage(sessions)
    assert [len(one) for one in stage.episodes] == [len(episodes[1])]
    with pytest.raises(DatasetError, match="no clicks"):
        make_stage(sessions[:1])
