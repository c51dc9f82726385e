"""The glance network: shapes, what it reads, its click."""

import numpy as np
import pytest
import torch

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.glance import (
    AFFINITIES,
    GlanceNet,
    GlanceOutput,
    ResidualBlock,
    click_log_prob,
)

torch.set_num_threads(1)


def make_net(size=32, lags=(1, 2, 4), seed=0):
    torch.manual_seed(seed)
    return GlanceNet(GlanceConfig(size=size, lags=lags, channels=(8, 8, 12))).eval()


def make_output(belief, heat):
    belief, heat = (torch.as_tensor(x, dtype=torch.float32)[None] for x in (belief, heat))
    return GlanceOutput(belief, heat, torch.zeros(1), torch.zeros(1), torch.zeros(1, 5, 8, 8))


@pytest.mark.parametrize(("size", "lags"), [(8, (1,)), (32, (1, 2, 4)), (48, (1, 3))])
def test_maps_have_the_resolution_of_the_glance(size, lags):
    net = make_net(size, lags)
    output = net(torch.randn(2, 1 + 2 * len(lags), size, size))
    assert output.belief.shape == output.heat.shape == (2, size, size)
    assert output.present.shape == output.sure.shape == (2,)
    assert output.affinities.shape == (2, len(AFFINITIES) + 1, size, size)
    assert {x.dtype for x in output} == {torch.float32}


def test_autocast_still_gives_float32():
    with torch.autocast("cpu", torch.bfloat16):
        output = make_net()(torch.randn(1, 7, 32, 32))
    assert {x.dtype for x in output} == {torch.float32}


def test_every_input_channel_and_pixel_counts():
    net = make_net()
    inputs = torch.randn(1, 7, 32, 32, requires_grad=True)
    output = net(inputs)
    (output.belief.sum() + output.heat.sum()).backward()
    assert (inputs.grad != 0).all()


def test_the_samples_of_a_batch_do_not_mix():
    net = make_net()
    inputs = torch.randn(3, 7, 32, 32)
    whole, alone = net(inputs), net(inputs[1:2])
    assert torch.allclose(whole.heat[1], alone.heat[0], atol=1e-5)
    assert torch.allclose(whole.present[1], alone.present[0], atol=1e-5)


def test_a_residual_block_passes_on_what_it_gets():
    block = ResidualBlock(4).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.randn(1, 4, 8, 8)
    assert torch.allclose(block(x), x.relu())


def test_the_click_is_a_distribution():
    output = make_net()(torch.randn(2, 7, 32, 32))
    probability = click_log_prob(output).exp()
    assert probability.sum((1, 2)).tolist() == pytest.approx([1, 1], abs=1e-4)


def test_a_click_needs_both_heat_and_belief():
    belief, heat = np.full((8, 8), -20.0), np.zeros((8, 8))
    belief[2, 3] = belief[5, 5] = 5
    heat[5, 5] = 2
    heat[0, 0] = 9
    log_prob = click_log_prob(make_output(belief, heat))[0]
    assert divmod(int(log_prob.argmax()), 8) == (5, 5)
    assert log_prob[2, 3] > log_prob[0, 0]


def test_the_network_can_learn():
    net = make_net(size=16).train()
    inputs = torch.randn(4, 7, 16, 16)
    wanted = (inputs[:, 0] > 0).float()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(inputs).belief, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
