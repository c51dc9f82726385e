"""The step transformer: who sees whom, and streaming that equals the whole window."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.model import (
    StepInputs,
    StepTransformer,
    block_causal_mask,
    cells_in,
    pointer_log_prob,
    rotate,
    rotation_table,
)
from bcannot_core.policy.retina import SUMMARY
from bcannot_core.policy.stream import TransformerStream

torch.set_num_threads(1)


def make_net(context=3, layers=2, seed=0):
    torch.manual_seed(seed)
    config = PolicyConfig(
        frame_wh=(90, 70),
        canvas_xywh=(0, 0, 64, 64),
        patch=16,
        width=32,
        layers=layers,
        heads=2,
        context=context,
        glance=GlanceConfig(size=32, channels=(8, 8, 8)),
    )
    return StepTransformer(config).eval()


def make_inputs(steps, n=1, seed=1):
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape):
        return torch.rand(n, steps, *shape, generator=generator)

    # 70 // 4 rows and 90 // 4 columns of the coarse frame
    return StepInputs(rand(3, 17, 22), rand(3, 16, 16), rand(SUMMARY), rand(2))


def changed(inputs, step, name, by=0.5):
    value = getattr(inputs, name).clone()
    value[:, step] = (value[:, step] + by) % 1
    return inputs._replace(**{name: value})


def moved(net, inputs, other):
    """At which steps the logits differ."""
    with torch.inference_mode():
        a, b = net(inputs), net(other)
    return [
        t
        for t in range(a.gate.shape[1])
        if not (
            torch.allclose(a.gate[:, t], b.gate[:, t], atol=1e-5)
            and torch.allclose(a.pointer[:, t], b.pointer[:, t], atol=1e-5)
        )
    ]


# -- the mask ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(2, 5), st.integers(1, 8))
def test_the_mask_is_block_causal(steps, per_step, context):
    mask = block_causal_mask(steps, per_step, context)
    for q in range(steps * per_step):
        for k in range(steps * per_step):
            age = q // per_step - k // per_step
            click_q, click_k = q % per_step == per_step - 1, k % per_step == per_step - 1
            allowed = 0 < age < context or (age == 0 and (not click_k or click_q))
            assert bool(mask[q, k]) == allowed


def test_every_part_of_a_step_counts_for_it_but_its_own_click():
    net, inputs = make_net(layers=1), make_inputs(5)
    for name in ("coarse", "patch", "summary"):
        assert moved(net, inputs, changed(inputs, 1, name))[0] == 1, name
    assert moved(net, inputs, changed(inputs, 1, "clicks"))[0] == 2


def test_one_layer_looks_back_on_the_context_and_no_further():
    net, inputs = make_net(context=3, layers=1), make_inputs(7)
    assert moved(net, inputs, changed(inputs, 1, "summary")) == [1, 2, 3]
    assert moved(net, inputs, changed(inputs, 1, "clicks")) == [2, 3]


def test_the_context_widens_with_the_layers_but_never_to_the_future():
    net, inputs = make_net(context=3, layers=2), make_inputs(8)
    assert moved(net, inputs, changed(inputs, 2, "summary")) == [2, 3, 4, 5, 6]


# -- time ----------------------------------------------------------------------------------------


def test_time_is_relative():
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 2, 6, 16)
    times = torch.tensor([0, 0, 1, 2, 5, 9])

    def scores(shift):
        table = rotation_table(times + shift, 16)
        return rotate(q, table) @ rotate(k, table).transpose(-1, -2)

    assert torch.allclose(scores(0), scores(700), atol=1e-3)
    assert not torch.allclose(scores(0), q @ k.transpose(-1, -2), atol=1e-2)


# -- streaming -----------------------------------------------------------------------------------


def stream_all(net, inputs):
    stream = TransformerStream(net)
    gates, pointers = [], []
    for t in range(inputs.coarse.shape[1]):
        step = StepInputs(*(x[:, t : t + 1] for x in inputs))
        logits = stream.look(step._replace(clicks=torch.zeros(1, 1, 2)))
        stream.click(inputs.clicks[:, t])
        gates.append(logits.gate)
        pointers.append(logits.pointer)
    return stream, torch.cat(gates, 1), torch.cat(pointers, 1)


@pytest.mark.parametrize(("context", "layers"), [(1, 2), (2, 1), (3, 2), (20, 2)])
def test_streaming_equals_the_whole_window_far_past_the_context(monkeypatch, context, layers):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    net, inputs = make_net(context, layers), make_inputs(11)
    with torch.inference_mode():
        whole = net(inputs)
    _, gate, pointer = stream_all(net, inputs)
    assert torch.allclose(gate, whole.gate, atol=1e-4)
    assert torch.allclose(pointer, whole.pointer, atol=1e-4)


def test_streaming_in_bfloat16_is_close(monkeypatch):
    monkeypatch.setattr("bcannot_core.policy.precision.has_bfloat16", lambda _: True)
    net, inputs = make_net(3, 2), make_inputs(9)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        whole = net(inputs)
    _, gate, pointer = stream_all(net, inputs)
    assert torch.allclose(gate, whole.gate, atol=0.05)
    assert torch.allclose(pointer, whole.pointer, atol=0.05)


def test_a_step_costs_the_same_however_long_the_session():
    net = make_net(context=3)
    seen = []
    inputs = make_inputs(1)
    stream = TransformerStream(net)
    transform = net.transform

    def counted(x, times, mask, caches):
        seen.append(tuple(mask.shape))
        return transform(x, times, mask, caches)

    net.transform = counted
    for _ in range(12):
        stream.look(inputs)
        stream.click(torch.rand(1, 2))
    per_step = net.tokens_per_step
    assert seen[0] == (per_step - 1, per_step - 1)
    assert set(seen[3:]) == {(per_step, 4 * per_step - 1)}
    kept = {cache.keys.shape[2] for cache in stream._caches}
    assert kept == {3 * per_step - 1}


def test_a_frame_without_a_click_in_between_is_no_error():
    stream = TransformerStream(make_net())
    for _ in range(9):
        logits = stream.look(make_inputs(1))
    assert torch.isfinite(logits.pointer).all()


# -- the pointer ---------------------------------------------------------------------------------


def test_a_button_is_all_the_cells_that_lie_in_it():
    config = PolicyConfig(frame_wh=(64, 48))
    rects = torch.tensor([[[8, 8, 24, 16], [7, 9, 25, 31], [60, 44, 60, 44], [3, 3, 6, 6]]])
    found = cells_in(rects, config).view(4, 6, 8).nonzero().tolist()
    assert found == [[0, 1, 1], [0, 1, 2], [1, 2, 1], [1, 2, 2], [2, 5, 7], [3, 0, 0]]


def test_the_pointer_is_a_distribution_over_all_cells():
    net = make_net()
    with torch.inference_mode():
        logits = net(make_inputs(2, n=3))
    assert logits.pointer.shape == (3, 2, 108)
    assert pointer_log_prob(logits).exp().sum(-1).flatten().tolist() == pytest.approx([1.0] * 6)
