"""Policies: frames in, clicks out, and the memory in between."""

import numpy as np
import pytest
import torch

import bcannot_core as bc
from bcannot_core.errors import CheckpointError, ClickError, UsageError
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.eye import Eye
from bcannot_core.policy.glance import GlanceOutput
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.policy import Policy, choose_device
from bcannot_core.screen import build_layout
from bcannot_core.tasks.neuron_tracing import NeuronTracing

torch.set_num_threads(1)

X, Y, SIZE = 16, 73, 256


def make_policy(seed=0, gate=None, temperature=0.0, draw=0, **config):
    torch.manual_seed(seed)
    glance = GlanceConfig(size=32, channels=(8, 8, 8))
    values = {"canvas_xywh": (X, Y, SIZE, SIZE), "width": 32, "layers": 1, "heads": 2}
    net = PolicyNet(PolicyConfig(**(values | config), glance=glance))
    if gate is not None:
        torch.nn.init.zeros_(net.steps.gate.weight)
        torch.nn.init.constant_(net.steps.gate.bias, gate)
    return GlancePolicy(net, device="cpu", temperature=temperature, seed=draw)


def make_frame(seed=0):
    rng = np.random.default_rng(seed)
    frame = np.full((436, 426, 3), 90, np.uint8)
    frame[Y : Y + SIZE, X : X + SIZE] = rng.integers(0, 256, (SIZE, SIZE, 1), dtype=np.uint8)
    return frame


def heat_after(policy, frame):
    policy.propose(frame)
    return policy.heatmap()


# -- acting --------------------------------------------------------------------------------------


def test_a_click_lies_in_the_frame_and_is_reproducible():
    frames = [make_frame(seed) for seed in (0, 1, 1, 2)]
    a, b = make_policy(), make_policy()
    clicks = [a.act(frame) for frame in frames]
    assert clicks == [b.act(frame) for frame in frames]
    assert all(0 <= x < 426 and 0 <= y < 436 for x, y in clicks)
    assert all(type(c) is int for click in clicks for c in click)


def test_reset_forgets_everything():
    policy = make_policy()
    frames = [make_frame(seed) for seed in (0, 1)]
    first = [(policy.act(frame), policy.confidence) for frame in frames]
    assert [(policy.act(frame), policy.confidence) for frame in frames] != first
    policy.reset()
    assert policy.confidence == 0
    assert not policy.heatmap().any()
    assert [(policy.act(frame), policy.confidence) for frame in frames] == first


def test_the_gate_decides_between_glance_and_screen():
    frame = make_frame()
    near = make_policy(gate=9).propose(frame)
    far = make_policy(gate=-9).propose(frame)
    assert (near.where, far.where) == ("glance", "screen")
    assert abs(near.click_xy[0] - X - 128) <= 16
    assert abs(near.click_xy[1] - Y - 128) <= 16
    assert far.confidence > 0.99
    x, y = far.click_xy
    assert (x % 8, y % 8) == (4, 4) or x == 425 or y == 435


def test_a_proposal_counts_only_once_it_is_acted():
    policy, other = make_policy(), make_policy()
    frames = [make_frame(seed) for seed in (0, 1)]
    for _ in range(3):
        proposed = policy.propose(frames[0])
    assert policy.act(frames[0]) == proposed.click_xy == other.act(frames[0])
    assert policy.confidence == other.confidence
    assert np.array_equal(heat_after(policy, frames[1]), heat_after(other, frames[1]))


def test_observing_its_own_click_is_the_same_as_acting():
    actor, watcher = make_policy(gate=9), make_policy(gate=9)
    for seed in (0, 1, 2):
        frame = make_frame(seed)
        watcher.observe(frame, actor.act(frame))
    frame = make_frame(3)
    assert np.array_equal(heat_after(actor, frame), heat_after(watcher, frame))


def test_what_somebody_else_clicked_changes_what_follows():
    a, b = make_policy(), make_policy()
    frame = make_frame()
    a.observe(frame, (X + 100, Y + 100))
    b.observe(frame, (X + 160, Y + 100))
    following = make_frame(1)
    assert not np.array_equal(heat_after(a, following), heat_after(b, following))
    assert a._eye.glimpse.origin_xy == (84, 84)
    assert b._eye.glimpse.origin_xy == (144, 84)


def test_a_glance_at_the_border_clicks_on_the_canvas():
    policy = make_policy(gate=9)
    for seed in range(6):
        policy.observe(make_frame(seed), (X, Y))
        x, y = policy.propose(make_frame(seed + 1)).click_xy
        assert X <= x <= X + 16
        assert Y <= y <= Y + 16


def test_numpy_clicks_and_read_only_frames_are_fine():
    policy = make_policy()
    frame = make_frame()
    frame.flags.writeable = False
    policy.observe(frame, (np.int64(X + 3), np.int64(Y + 3)))
    assert len(policy.act(frame)) == 2


def test_a_frame_that_is_overwritten_later_is_a_new_frame():
    policy, other = make_policy(), make_policy()
    shared = make_frame(0)
    policy.act(shared)
    shared[:] = make_frame(1)
    other.act(make_frame(0))
    assert policy.act(shared) == other.act(make_frame(1))


def test_temperature_draws_clicks_from_the_generator():
    frame = make_frame()
    draws = {make_policy(temperature=1.0, draw=seed).act(frame) for seed in range(8)}
    assert len(draws) > 4
    again = [make_policy(temperature=1.0, draw=3).act(frame) for _ in range(2)]
    assert again[0] == again[1]


# -- heatmap and confidence ----------------------------------------------------------------------


@pytest.mark.parametrize("gate", [-9, 0, 9])
@pytest.mark.parametrize("click", [(X + 128, Y + 128), (X, Y), (X + 255, Y + 250)])
def test_the_heatmap_is_a_distribution_over_the_frame(gate, click):
    policy = make_policy(gate=gate)
    policy.observe(make_frame(), click)
    heat = heat_after(policy, make_frame(1))
    assert heat.shape == (436, 426)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.sum() == pytest.approx(1, abs=1e-3)


def test_the_heatmap_peaks_where_the_policy_clicks():
    policy = make_policy(gate=9)
    x, y = policy.propose(make_frame()).click_xy
    assert np.unravel_index(policy.heatmap().argmax(), (436, 426)) == (y, x)


def test_the_heatmap_follows_the_gate():
    policy = make_policy(gate=0.5)
    heat = heat_after(policy, make_frame())
    inside = heat[Y + 112 : Y + 144, X + 112 : X + 144].sum()
    assert inside == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.05)


def test_confidence_is_that_of_the_last_proposal():
    policy = make_policy(gate=2)
    assert policy.confidence == 0
    for seed in range(3):
        proposal = policy.propose(make_frame(seed))
        assert policy.confidence == proposal.confidence
        assert 0 <= policy.confidence <= 1


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("click", [(-1, 5), (5, -1), (426, 5), (5, 436)])
def test_a_click_outside_the_frame_is_refused_and_changes_nothing(click):
    policy, other = make_policy(), make_policy()
    frame = make_frame()
    with pytest.raises(ClickError, match="426 × 436"):
        policy.observe(frame, click)
    assert policy.act(frame) == other.act(frame)


def test_a_frame_of_another_size_is_refused_and_changes_nothing():
    policy, other = make_policy(), make_policy()
    policy.act(make_frame(0))
    other.act(make_frame(0))
    for call in (policy.act, policy.propose, lambda frame: policy.observe(frame, (1, 1))):
        with pytest.raises(CheckpointError, match="choose a policy for this screen"):
            call(np.zeros((400, 426, 3), np.uint8))
    assert policy.act(make_frame(1)) == other.act(make_frame(1))


@pytest.mark.parametrize("device", ["", "abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(UsageError, match="use auto, cpu or cuda"):
        choose_device(device)


# -- files ---------------------------------------------------------------------------------------


def test_a_saved_policy_acts_like_itself(tmp_path):
    policy = make_policy()
    for parameter in policy.net.parameters():
        parameter.data = parameter.data.half().float()
    policy.save(tmp_path / "mine", card="# mine\n")
    back = bc.Policy.load(tmp_path / "mine", device="cpu")
    assert back.name == "mine"
    frames = [make_frame(seed) for seed in (0, 1)]
    assert [policy.act(f) for f in frames] == [back.act(f) for f in frames]


def test_a_policy_that_is_not_there_is_refused():
    with pytest.raises(CheckpointError, match="no policy 'nobody'"):
        Policy.load("nobody")


# -- evidence: clicks that the glance disagrees with ----------------------------------------------


def make_output(belief, heat):
    sure = torch.ones(len(belief))
    return GlanceOutput(belief, heat, sure, sure, belief[:, None])


class Believer:
    """Stands for the glance network: believes in a disc at the middle of the glance.

    Keeps what it was shown.
    """

    def __init__(self):
        self.inputs = []

    def __call__(self, inputs):
        self.inputs.append(inputs[0].clone().numpy())
        size = inputs.shape[-1]
        line = torch.arange(size) - (size - 1) / 2
        squared = (line[:, None] ** 2 + line[None] ** 2).repeat(len(inputs), 1, 1)
        return make_output(8 - squared, -squared)

    @property
    def pasts(self):
        """For every look: how many earlier views, and how many beliefs of them, were shown."""
        return [
            (sum(x[i].std() > 0 for i in (1, 2, 3)), sum(x[i].any() for i in (4, 5, 6)))
            for x in self.inputs
        ]


class Leaning(Believer):
    """Believes in the pixels that are bright, and clicks on the brightest."""

    def __call__(self, inputs):
        self.inputs.append(inputs[0].clone().numpy())
        seen = inputs[:, 0]
        return make_output(seen, 90 * seen)


def test_what_is_seen_in_mirror_images_is_turned_back():
    eye = make_eye()
    eye.net = Leaning()
    frame = np.full_like(make_frame(), 100)
    frame[Y + SIZE // 2 - 2, X + SIZE // 2 + 3] = 250
    eye.look(frame)
    assert eye.glimpse.peak() == (SIZE // 2 + 3, SIZE // 2 - 2)


def make_eye():
    config = PolicyConfig(
        canvas_xywh=(X, Y, SIZE, SIZE), glance=GlanceConfig(size=32, channels=(8, 8, 8))
    )
    return Eye(Believer(), config, torch.device("cpu"))


def test_later_views_are_seen_with_what_was_believed_of_earlier_ones():
    eye = make_eye()
    eye.look(make_frame(0))
    settled = len(eye.net.inputs)
    for seed in (1, 2, 3, 4):
        eye.look(make_frame(seed))
    assert eye.net.pasts[settled:] == [(1, 1), (2, 2), (2, 2), (3, 3)]


def test_the_same_view_is_not_looked_at_again():
    eye = make_eye()
    first = eye.look(make_frame())
    looks = len(eye.net.inputs)
    marked = make_frame()
    marked[Y + 100 : Y + 110, X + 100] = 255
    second = eye.look(marked)
    assert len(eye.net.inputs) == looks
    assert first.summary[0] == 1
    assert second.summary[0] == 0


def test_a_click_that_was_believed_in_moves_the_glance_along():
    eye = make_eye()
    eye.look(make_frame(0))
    eye.click((X + 129, Y + 128))
    eye.look(make_frame(1))
    assert eye.glimpse.origin_xy == (113, 112)
    assert eye.net.pasts[-1] == (1, 1)
    assert len(eye.retina.views) == 2


def test_a_disputed_click_is_believed_once_the_view_is_left():
    eye = make_eye()
    eye.look(make_frame(0))
    eye.look(make_frame(1))
    looks = len(eye.net.inputs)
    eye.click((X + 160, Y + 100))
    assert len(eye.net.inputs) == looks, "the click may still be taken back"
    eye.look(make_frame(2))
    assert len(eye.retina.views) == 2, "what came before spoke of another object"
    assert eye.retina.views[1].glimpse.origin_xy == (144, 84)
    assert eye.net.pasts[looks] == (0, 0)
    assert eye.net.pasts[-1] == (1, 1)


def test_a_disputed_click_that_was_corrected_is_forgotten():
    eye = make_eye()
    eye.look(make_frame(0))
    looks = len(eye.net.inputs)
    eye.click((X + 160, Y + 100))
    eye.look(make_frame(0))
    eye.click((X + 128, Y + 128))
    eye.look(make_frame(1))
    assert len(eye.net.inputs) == looks + 1
    assert eye.retina.views[1].glimpse.origin_xy == (112, 112)


def test_a_trusted_click_is_believed_at_once():
    eye = make_eye()
    eye.look(make_frame(0))
    eye.look(make_frame(1))
    eye.click((X + 160, Y + 100), trusted=True)
    assert eye.glimpse.origin_xy == (144, 84)
    assert len(eye.retina.views) == 1
    looks = len(eye.net.inputs)
    eye.click((X + 161, Y + 100), trusted=True)
    assert len(eye.net.inputs) == looks, "nothing to dispute"


def test_trusted_clicks_reach_the_eye_through_the_policy():
    trusting, doubting = make_policy(), make_policy()
    for policy in (trusting, doubting):
        policy._eye.net = Believer()
        policy.observe(make_frame(), (X + 160, Y + 100), trusted=policy is trusting)
    assert trusting._eye.glimpse.origin_xy == (144, 84)
    assert doubting._eye.glimpse.origin_xy == (112, 112)


def test_the_first_click_stays_near_the_only_point_that_is_known():
    eye = make_eye()
    eye.net = Leaning()
    frame = np.full_like(make_frame(), 100)
    frame[Y + SIZE // 2 - 12, X + SIZE // 2 + 12] = 250
    eye.look(frame)
    x, y = eye.glimpse.peak()
    assert abs(x - SIZE // 2) <= 4
    assert abs(y - SIZE // 2) <= 4
    assert np.exp(eye.glimpse.heat).sum() == pytest.approx(1, abs=1e-4)


def test_a_policy_is_made_for_the_screen_of_the_task():
    layout = build_layout(NeuronTracing.buttons)
    config = PolicyConfig()
    assert config.frame_wh == layout.size_wh
    canvas = layout.canvas
    assert config.canvas_xywh == (canvas.x, canvas.y, canvas.w, canvas.h)
