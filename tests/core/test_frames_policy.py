"""Frames policies at work: streaming, sessions in lockstep, checkpoints of either family."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import bcannot_core as bc
from bcannot_core.errors import CheckpointError, ClickError, UsageError
from bcannot_core.policy.checkpoint import load_checkpoint, load_glance, save_checkpoint
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.frames.config import EncoderConfig, FramesConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.policy import FramesPolicy
from bcannot_core.policy.frames.stream import FramesStream
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.policy import Policy

torch.set_num_threads(1)

W, H = 70, 60
CONFIG = FramesConfig(
    frame_wh=(W, H),
    encoder=EncoderConfig(channels=(8, 16, 16), blocks=(1, 1, 1)),
    width=32,
    layers=2,
    heads=2,
    context=3,
    tokens_hw=(2, 2),
    features=16,
)
BUTTON = torch.tensor([10, 12, 30, 31])


def make_net(seed=0, **changes):
    torch.manual_seed(seed)
    net = FramesNet(replace(CONFIG, **changes)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return net


def make_policy(seed=0, **changes):
    return FramesPolicy(make_net(seed, **changes), device="cpu", low_precision=False)


def make_frames(count, seed=0, hw=(H, W)):
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 256, (count, *hw, 3), dtype=np.uint8))


def make_clicks(count, seed=0):
    rng = np.random.default_rng(seed)
    return [(int(x), int(y)) for x, y in rng.integers(0, (W, H), (count, 2))]


# -- streaming -----------------------------------------------------------------------------------


def whole_window(net, frames, clicks):
    """Log probabilities of hitting a button and of every step's place, over the whole window."""
    with torch.inference_mode():
        click = net(torch.from_numpy(np.stack(frames))[None], torch.tensor(clicks)[None])
        return click.hit_log_prob(BUTTON.expand(1, len(frames), 4))[0]


def streamed(net, frames, clicks, **options):
    stream = FramesStream(net, low_precision=False, **options)
    found = []
    for frame, click in zip(frames, clicks, strict=True):
        step = stream.look(torch.from_numpy(frame)[None])
        found.append(step.hit_log_prob(BUTTON.expand(1, 1, 4))[0, 0])
        stream.click(torch.tensor([click]))
    return torch.stack(found)


@pytest.mark.parametrize("head", ["pointer", "independent"])
@pytest.mark.parametrize(("context", "layers"), [(1, 2), (2, 1), (3, 2), (20, 2)])
def test_streaming_equals_the_whole_window_far_past_the_context(head, context, layers):
    net = make_net(head=head, context=context, layers=layers)
    frames, clicks = make_frames(11), make_clicks(11)
    whole = whole_window(net, frames, clicks)
    assert torch.allclose(streamed(net, frames, clicks), whole, atol=1e-4)
    assert whole.std() > 0.01


def test_streaming_in_bfloat16_is_close():
    net = make_net()
    frames, clicks = make_frames(6), make_clicks(6)
    stream = FramesStream(net, low_precision=True)
    for frame, click, wanted in zip(frames, clicks, whole_window(net, frames, clicks), strict=True):
        found = stream.look(torch.from_numpy(frame)[None]).hit_log_prob(BUTTON.expand(1, 1, 4))
        stream.click(torch.tensor([click]))
        assert float(found) == pytest.approx(float(wanted), abs=0.1)


def test_a_step_costs_the_same_however_long_the_session():
    net = make_net()
    stream = FramesStream(net)
    for frame, click in zip(make_frames(12), make_clicks(12), strict=True):
        stream.look(torch.from_numpy(frame)[None])
        stream.click(torch.tensor([click]))
    assert {k.shape[2] for k in stream._keys} == {4 * CONFIG.tokens_per_step}


def test_a_frame_without_a_click_is_taken_back_by_the_next():
    net = make_net()
    frames, clicks = make_frames(4), make_clicks(4)
    wanted = streamed(net, frames, clicks)
    stream = FramesStream(net, low_precision=False)
    for i, (frame, click) in enumerate(zip(frames, clicks, strict=True)):
        stream.look(torch.from_numpy(make_frames(1, seed=50 + i)[0])[None])
        found = stream.look(torch.from_numpy(frame)[None])
        stream.click(torch.tensor([click]))
        rect = BUTTON.expand(1, 1, 4)
        assert float(found.hit_log_prob(rect)) == pytest.approx(float(wanted[i]), abs=1e-4)


# -- sessions in lockstep ------------------------------------------------------------------------


def test_rows_that_begin_at_different_times_act_as_if_alone():
    policy = make_policy()
    batch = policy.batch(3)
    sessions = {0: [(0, 9)], 1: [(0, 3), (3, 9)], 2: [(2, 7)]}
    frames = [make_frames(9, seed=row) for row in range(3)]
    single = {}
    for row, spans in sessions.items():
        for first, end in spans:
            policy.reset()
            for t in range(first, end):
                single[row, t] = policy.act(frames[row][t])
    for t in range(9):
        alive = [any(a <= t < b for a, b in sessions[row]) for row in range(3)]
        for row, spans in sessions.items():
            if any(a == t for a, _ in spans):
                batch.reset(row)
        clicks = batch.act([frames[row][t] for row in range(3)], alive)
        for row in range(3):
            if alive[row]:
                assert clicks[row] == single[row, t], (row, t)


def test_a_row_that_sat_out_begins_anew_or_is_refused():
    batch = make_policy().batch(2)
    frames = make_frames(2, seed=0)
    batch.act(frames)
    batch.act(frames, [True, False])
    with pytest.raises(UsageError, match="row 1 sat out"):
        batch.act(frames)
    batch.reset(1)
    fresh = make_policy().batch(2)
    assert batch.act(frames)[1] == fresh.act(frames)[1]


def test_observing_in_a_batch_is_what_acting_does():
    policy = make_policy()
    actors, watchers = policy.batch(2), policy.batch(2)
    for t in range(4):
        frames = make_frames(2, seed=t)
        clicks = actors.act(frames)
        if t % 2:
            watchers.propose(make_frames(2, seed=99))  # of no consequence
            assert watchers.propose(frames) == clicks
        watchers.observe(frames, clicks)
    assert watchers.propose(frames) == actors.propose(frames)


def test_a_batch_says_what_it_cannot_do():
    batch = make_policy().batch(2)
    with pytest.raises(UsageError, match="give one a row"):
        batch.act(make_frames(3))
    with pytest.raises(UsageError, match="several sizes"):
        batch.act([*make_frames(1), *make_frames(1, hw=(40, 40))])
    with pytest.raises(UsageError, match="no row is alive"):
        batch.act(make_frames(2), [False, False])
    with pytest.raises(UsageError, match="at least 1"):
        make_policy().batch(0)


# -- one session ---------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["pointer", "independent"])
def test_a_click_lies_in_the_frame_and_is_reproducible(head):
    frames = make_frames(5)
    a, b = make_policy(head=head), make_policy(head=head)
    clicks = [a.act(frame) for frame in frames]
    assert clicks == [b.act(frame) for frame in frames]
    assert all(0 <= x < W and 0 <= y < H for x, y in clicks)
    assert all(type(c) is int for click in clicks for c in click)
    assert 0 < a.confidence <= 1


def test_reset_forgets_everything():
    policy = make_policy()
    frames = make_frames(3)
    first = [(policy.act(frame), policy.confidence) for frame in frames]
    assert [(policy.act(frame), policy.confidence) for frame in frames] != first
    policy.reset()
    assert policy.confidence == 0
    assert policy.heatmap().shape == (H, W)
    assert not policy.heatmap().any()
    assert [(policy.act(frame), policy.confidence) for frame in frames] == first


def test_a_proposal_counts_only_once_it_is_acted():
    policy, other = make_policy(), make_policy()
    frames = make_frames(2)
    for _ in range(3):
        proposed = policy.propose(frames[0])
    assert policy.act(frames[0]) == proposed.click_xy == other.act(frames[0])
    policy.propose(frames[1])
    other.propose(frames[1])
    assert np.array_equal(policy.heatmap(), other.heatmap())


def test_observing_its_own_click_is_the_same_as_acting():
    actor, watcher = make_policy(), make_policy()
    for frame in make_frames(3):
        watcher.observe(frame, actor.act(frame))
    last = make_frames(1, seed=9)[0]
    assert actor.propose(last) == watcher.propose(last)
    other = make_policy()
    for frame in make_frames(3):
        other.observe(frame, (0, 0))
    other.propose(last)
    assert not np.array_equal(other.heatmap(), actor.heatmap())


def test_the_heatmap_is_a_distribution_with_its_peak_where_it_clicks():
    policy = make_policy()
    x, y = policy.propose(make_frames(1)[0]).click_xy
    heat = policy.heatmap()
    assert heat.dtype == np.float32
    assert heat.sum() == pytest.approx(1, abs=1e-2)
    near = heat[max(y - 12, 0) : y + 12, max(x - 12, 0) : x + 12]
    assert heat[y, x] == near.max()


def test_draws_differ_and_are_seeded():
    frame = make_frames(1)[0]
    net = make_net()

    def drawn(seed):
        policy = FramesPolicy(net, device="cpu", temperature=1.0, seed=seed)
        return [policy.propose(frame).click_xy for _ in range(6)]

    assert drawn(0) == drawn(0) != drawn(1)
    assert len(set(drawn(0))) > 1


def test_clicks_outside_and_odd_frames_are_refused():
    policy = make_policy()
    with pytest.raises(ClickError):
        policy.observe(make_frames(1)[0], (W, 0))
    with pytest.raises(CheckpointError, match="uint8"):
        policy.act(make_frames(1)[0].astype(float))
    with pytest.raises(CheckpointError, match="too small"):
        policy.act(make_frames(1, hw=(31, 60))[0])
    with pytest.raises(CheckpointError, match="pointer head"):
        make_policy(head="independent").act(make_frames(1, hw=(61, 60))[0])


def test_the_pointer_takes_frames_of_another_size():
    policy = make_policy()
    x, y = policy.act(make_frames(1, hw=(90, 120))[0])
    assert policy.heatmap().shape == (90, 120)
    assert 0 <= x < 120
    assert 0 <= y < 90


# -- checkpoints ---------------------------------------------------------------------------------


def test_a_saved_policy_acts_as_before(tmp_path):
    policy = make_policy()
    policy.net.half().float()  # weights are stored as float16
    policy.save(tmp_path / "mine", card="# mine\n", training={"seed": 1})
    back = bc.Policy.load(tmp_path / "mine", device="cpu")
    assert isinstance(back, FramesPolicy)
    assert (back.name, back.frame_wh, back.config) == ("mine", (W, H), policy.config)
    same = FramesPolicy(load_checkpoint(tmp_path / "mine"), device="cpu", low_precision=False)
    for frame in make_frames(4):
        assert same.act(frame) == policy.act(frame)
        assert np.array_equal(same.heatmap(), policy.heatmap())


def test_each_family_is_loaded_as_what_it_is(tmp_path):
    glance = GlanceConfig(size=16, channels=(8, 8, 8))
    tracing = PolicyNet(PolicyConfig(width=16, layers=1, heads=2, patch=8, glance=glance))
    save_checkpoint(tracing, tmp_path / "tracing", card="", training={})
    save_checkpoint(make_net(), tmp_path / "frames", card="", training={})
    assert isinstance(Policy.load(tmp_path / "tracing", device="cpu"), GlancePolicy)
    assert isinstance(load_glance(tmp_path / "tracing"), PolicyNet)
    with pytest.raises(CheckpointError, match="no GlancePolicy"):
        GlancePolicy.load(tmp_path / "frames", device="cpu")
    with pytest.raises(CheckpointError, match="for tracing"):
        load_glance(tmp_path / "frames")
    path = tmp_path / "tracing" / "config.json"  # as written before there were families
    config = json.loads(path.read_text())
    assert config.pop("family") == "glance"
    path.write_text(json.dumps(config))
    assert isinstance(load_checkpoint(tmp_path / "tracing"), PolicyNet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "other"}, "does not know"),
        ({"family": ["frames"]}, "does not know"),
        ({"family": "glance"}, "configuration"),
        ({"policy": {**CONFIG.to_json(), "width": 64}}, "has shape"),
        ({"policy": {**CONFIG.to_json(), "layers": 3}}, "do not fit"),
        ({"policy": {**CONFIG.to_json(), "width": 8192, "layers": 256}}, "do not fit"),
        ({"policy": {**CONFIG.to_json(), "head": "independent"}}, "do not fit"),
        ({"policy": {**CONFIG.to_json(), "layers": 3.5}}, "layers"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    save_checkpoint(make_net(), tmp_path / "p", card="", training={})
    path = tmp_path / "p" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(tmp_path / "p")
