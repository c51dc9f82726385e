"""The frames network: who sees whom, what is learnt, and the distributions of its clicks."""

import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.frames.attention import (
    Place,
    allowed,
    attend,
    rotate,
    rotation,
    window_attend,
    window_places,
)
from bcannot_core.policy.frames.config import SIZES, EncoderConfig, FramesConfig
from bcannot_core.policy.frames.encoders import Memory
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.tiles import TILE, changed, cut, tiled

torch.set_num_threads(1)

SMALL = FramesConfig(
    frame_wh=(70, 60),
    encoder=EncoderConfig(channels=(8, 16, 16), blocks=(1, 1, 1)),
    width=32,
    layers=2,
    heads=2,
    context=3,
    tokens_hw=(2, 2),
    features=16,
)


def make_net(seed=0, **changes):
    torch.manual_seed(seed)
    net = FramesNet(replace(SMALL, **changes)).eval()
    with torch.no_grad():
        for parameter in net.parameters():  # nothing is zero by chance of initialisation
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return net


def make_window(n=1, t=5, hw=(60, 70), seed=1):
    g = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (n, t, *hw, 3), dtype=torch.uint8, generator=g)
    clicks = torch.stack([torch.randint(0, s, (n, t), generator=g) for s in (hw[1], hw[0])], -1)
    return frames, clicks


def pixel_rects(clicks):
    return torch.cat((clicks, clicks + 1), -1)


# -- the mask ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(1, 7))
def test_the_mask_is_block_causal(steps, per_step, context):
    places = window_places(steps, per_step)
    mask = allowed(places, places, context)
    for q in range(steps * per_step):
        for k in range(steps * per_step):
            age = q // per_step - k // per_step
            click_q, click_k = q % per_step == per_step - 1, k % per_step == per_step - 1
            wanted = 0 < age < context or (age == 0 and (not click_k or click_q))
            assert bool(mask[q, k]) == wanted


@pytest.mark.parametrize("backend", ["auto", "sdpa", "matmul"])
def test_every_backend_equals_attention_written_out(backend):
    q, k, v = torch.randn(3, 2, 2, 12, 8, generator=torch.Generator().manual_seed(0))
    places = window_places(4, 3)
    mask = allowed(places, places, 2)
    reference = attend(q, k, v, mask, "plain")
    assert torch.allclose(attend(q, k, v, mask, backend), reference, atol=1e-5)
    low = [x.bfloat16() for x in (q, k, v)]
    assert torch.allclose(attend(*low, mask, backend).float(), reference, atol=0.05)
    everything = torch.ones_like(mask)
    assert not torch.allclose(attend(q, k, v, everything, backend), reference, atol=0.01)
    rows = torch.stack((mask, everything))[:, None]
    each = torch.cat([attend(q[i : i + 1], k[i : i + 1], v[i : i + 1], rows[i, 0]) for i in (0, 1)])
    assert torch.allclose(attend(q, k, v, rows, backend), each, atol=1e-5)


def test_flex_attention_equals_attention_written_out():
    q, k, v = torch.randn(3, 2, 2, 24, 16, generator=torch.Generator().manual_seed(0))
    places = window_places(4, 6)
    wanted = attend(q, k, v, allowed(places, places, 2), "plain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is slow uncompiled; on a GPU it is compiled
        found = window_attend(places, 2, "flex")(0, q, k, v)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_time_is_relative():
    q, k = torch.randn(2, 1, 2, 6, 16, generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([0, 0, 1, 2, 5, 9])

    def scores(shift):
        turn = rotation(steps + shift, 16)
        return rotate(q, turn) @ rotate(k, turn).transpose(-1, -2)

    assert torch.allclose(scores(0), scores(700), atol=1e-3)
    assert not torch.allclose(scores(0), q @ k.transpose(-1, -2), atol=1e-2)


def test_a_click_of_the_same_step_is_unseen_by_its_frame():
    frame, click = (
        Place(torch.tensor([4]), torch.tensor([False])),
        Place(torch.tensor([4]), torch.tensor([True])),
    )
    assert not allowed(frame, click, 9)
    assert allowed(click, frame, 9)


# -- who sees whom -------------------------------------------------------------------------------


def moved(net, window, other):
    """At which steps the clicks' distributions differ."""
    rects = torch.tensor([10, 12, 30, 31]).expand(*window[1].shape[:2], 4)
    with torch.inference_mode():
        a, b = (net(*w).hit_log_prob(rects) for w in (window, other))
    return [t for t in range(a.shape[1]) if not torch.allclose(a[:, t], b[:, t], atol=1e-6)]


@pytest.mark.parametrize("head", ["pointer", "independent"])
@pytest.mark.parametrize("backend", ["auto", "plain"])
def test_nothing_depends_on_later_frames_or_its_own_click(head, backend):
    net = make_net(head=head, context=9)
    net.backend = backend
    frames, clicks = make_window()
    later = frames.clone()
    later[:, 3] = 255 - later[:, 3]
    assert moved(net, (frames, clicks), (later, clicks)) == [3, 4]
    other = clicks.clone()
    other[:, 3] = (other[:, 3] + 20) % 60
    assert moved(net, (frames, clicks), (frames, other)) == [4]


def test_one_layer_looks_back_on_the_context_and_no_further():
    net = make_net(context=3, layers=1)
    frames, clicks = make_window(t=7)
    other = frames.clone()
    other[:, 1] = 0
    assert moved(net, (frames, clicks), (other, clicks)) == [1, 2, 3]


@pytest.mark.parametrize("head", ["pointer", "independent"])
def test_the_gradient_reaches_every_parameter(head):
    net = make_net(head=head).train()
    frames, clicks = make_window(n=2)
    (
        -net(frames, clicks, pixel_rects(clicks)).target_log_prob(pixel_rects(clicks))
    ).sum().backward()
    missing = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("hw", [(32, 32), (49, 81), (64, 200)])
def test_any_frame_size(hw):
    net = make_net()
    frames, clicks = make_window(hw=hw)
    with torch.inference_mode():
        click = net(frames, clicks)
        mode = click.mode()
        assert click.heatmap(2).shape == hw
    assert (mode >= 0).all()
    assert (mode < torch.tensor([hw[1], hw[0]])).all()


def test_the_independent_head_says_what_it_cannot_do():
    net = make_net(head="independent")
    with pytest.raises(ValueError, match="use the pointer head"):
        net(*make_window(hw=(61, 70)))


def test_the_stream_at_cls_has_every_layer():
    net = make_net()
    window = make_window(n=2, t=3)
    with torch.inference_mode():
        stream = net.cls_stream(*window)
    assert stream.shape == (2, 3, 3, 32)
    assert torch.allclose(stream[:, :, 0], net.cls.expand(2, 3, -1))
    assert not torch.allclose(stream[0, 0, 1], stream[0, 1, 1])


# -- distributions -------------------------------------------------------------------------------


def partition(height, width, seed):
    """Cut a frame into rectangles at random lines."""
    g = torch.Generator().manual_seed(seed)
    xs = [0, *sorted(set(torch.randint(1, width, (4,), generator=g).tolist())), width]
    ys = [0, *sorted(set(torch.randint(1, height, (4,), generator=g).tolist())), height]
    return [torch.tensor([x0, y0, x1, y1]) for x0, x1 in pairwise(xs) for y0, y1 in pairwise(ys)]


@pytest.mark.parametrize("head", ["pointer", "independent"])
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_sum_to_one_over_any_partition_of_the_frame(head, seed):
    net = make_net(head=head)
    with torch.inference_mode():
        click = net(*make_window(t=2))
        parts = [click.hit_log_prob(r.expand(1, 2, 4)).exp() for r in partition(60, 70, seed)]
    assert torch.allclose(sum(parts), torch.ones(1, 2), atol=1e-4)


@pytest.mark.parametrize("head", ["pointer", "independent"])
def test_the_heatmap_is_what_rectangles_are_summed_from(head):
    net = make_net(head=head)
    with torch.inference_mode():
        click = net(*make_window(t=2))
        heat = click.heatmap(1)
        assert heat.sum().item() == pytest.approx(1, abs=1e-4)
        x, y = click.mode()[0, 1].tolist()
        rects = torch.tensor([[[0, 0, 1, 1], [x, y, x + 1, y + 1]]])
        assert click.hit_log_prob(rects)[0, 1].exp().item() == pytest.approx(
            heat[y, x].item(), rel=1e-3
        )
        rects = torch.tensor([[[0, 0, 1, 1], [5, 9, 41, 37]]])
        assert click.hit_log_prob(rects)[0, 1].exp().item() == pytest.approx(
            heat[9:37, 5:41].sum().item(), rel=1e-3
        )
        assert 0 < click.confidence()[0, 1] <= 1


@pytest.mark.parametrize("head", ["pointer", "independent"])
def test_draws_follow_the_probabilities(head):
    net = make_net(head=head)
    frames, clicks = make_window(t=1)
    with torch.inference_mode():
        click = net(frames.expand(300, -1, -1, -1, -1), clicks.expand(300, -1, -1))
        drawn = click.sample(1.0, torch.Generator().manual_seed(0))[:, 0]
        left = click.hit_log_prob(torch.tensor([0, 0, 35, 60]).expand(300, 1, 4))[0, 0].exp()
        assert torch.equal(click.sample(0.0), click.mode())
        again = click.sample(1.0, torch.Generator().manual_seed(0))[:, 0]
    assert torch.equal(drawn, again)
    assert (drawn[:, 0] < 35).float().mean().item() == pytest.approx(left.item(), abs=0.12)
    assert len(drawn.unique(dim=0)) > 50


def test_a_placement_is_learnt_to_the_pixel_and_a_button_anywhere_on_it():
    torch.manual_seed(0)
    net = FramesNet(SMALL).train()
    frames, clicks = make_window(t=2)
    targets = torch.tensor([[[33, 22, 34, 23], [40, 8, 64, 20]]])
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(50):
        optimizer.zero_grad()
        (-net(frames, clicks, targets).target_log_prob(targets)).mean().backward()
        optimizer.step()
    with torch.inference_mode():
        click = net.eval()(frames, clicks)
        (x, y), (bx, by) = click.mode()[0].tolist()
        assert max(abs(x - 33), abs(y - 22)) <= 1
        assert 40 <= bx < 64
        assert 8 <= by < 20
        assert click.hit_log_prob(targets)[0, 1].exp() > 0.9


def test_where_the_look_is_taken_is_told_by_the_noise():
    net = make_net()
    frames, clicks = make_window()
    rects = pixel_rects(torch.tensor([30, 30]).expand(1, 5, 2))
    with torch.inference_mode():
        for noise in (0.0, 0.4, 0.999):
            click = net(frames, clicks, rects, torch.full((1, 5, 2), noise))
            assert click.focus[0, 0].tolist() == [3 + int(noise * 3) - 1] * 2
            assert click.hit_log_prob(rects).isfinite().all()


# -- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIZES)
def test_a_configuration_survives_json(name):
    import json

    config = SIZES[name]
    assert FramesConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "values",
    [
        {"width": 33},
        {"head": "other"},
        {"head": 3},
        {"tokens_hw": [1]},
        {"tokens_hw": [0, 3]},
        {"frame_wh": [426, 9_000]},
        {"context": 0},
        {"context": True},
        {"encoder": 3},
        {"encoder": {}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_configuration_that_fits_no_network_is_refused(values):
    with pytest.raises(CheckpointError, match="configuration"):
        FramesConfig.from_json({**SMALL.to_json(), **values})


def test_tiny_is_tiny():
    count = sum(p.numel() for p in FramesNet(SIZES["tiny"]).parameters())
    assert 1_000_000 < count < 4_000_000


# -- looking only at what changed ----------------------------------------------------------------


def session_frames(t=6, hw=(75, 90), seed=3):
    """Frames that change in one place each; the fourth not at all."""
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(0, 256, (2, 1, *hw, 3), dtype=np.uint8), t, 1)
    for row in range(2):
        for step in range(1, t):
            if step != 4:
                x, y = rng.integers(0, (hw[1], hw[0]))
                frames[row, step:, y : y + 6, x : x + 5] = rng.integers(0, 256, 3)
    return torch.from_numpy(frames)


def test_looking_only_at_what_changed_gives_the_same_and_looks_at_less():
    net = make_net()
    encoder = net.encoder
    looked = []
    look = encoder.look
    encoder.look = lambda patches: looked.append(len(patches)) or look(patches)
    frames = session_frames()
    found = {}
    for sparse in (True, False):
        encoder.sparse = sparse
        net.zero_grad()
        encoded = net.encode(frames)
        (encoded.tokens.square().sum() + encoded.cells.square().sum()).backward()
        found[sparse] = *encoded, encoder.stem.weight.grad.clone(), encoder.edge.weight.grad.clone()
    assert all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(*found.values(), strict=True)
    )
    tiles = 3 * 3
    assert looked[1] == 2 * 6 * tiles
    assert 2 * tiles < looked[0] <= 2 * (tiles + 4 * 4)


def test_a_memory_of_the_last_frame_gives_the_same():
    net = make_net()
    frames = session_frames()
    memory = Memory()
    with torch.inference_mode():
        net.encoder.sparse = False
        whole = net.encode(frames)
        net.encoder.sparse = True
        for t in range(frames.shape[1]):
            one = net.encode(frames[:, t : t + 1], memory)
            assert torch.allclose(one.tokens[:, 0], whole.tokens[:, t], atol=1e-4)
            assert torch.allclose(one.cells[:, 0], whole.cells[:, t], atol=1e-4)


@given(st.integers(32, 100), st.integers(32, 100), st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_no_change_is_overlooked(height, width, seed):
    rng = np.random.default_rng(seed)
    frames = torch.from_numpy(rng.integers(0, 256, (1, 1, height, width, 3), dtype=np.uint8))
    x, y, c = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(3))
    other = frames.clone()
    other[0, 0, y, x, c] ^= 1
    before, now = tiled(frames), tiled(other)
    fresh = changed(now.pixels, before.pixels, now)[0, 0]
    differs = (cut(now) != cut(before)).flatten(1).any(1).view(now.rows, now.columns)
    assert differs[y // TILE, x // TILE]
    assert (fresh | ~differs).all()
    assert fresh.sum() <= 4
