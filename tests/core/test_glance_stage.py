"""The first stage: losses, updates, and going on from a state as if nothing had happened."""

import json
import math
import time

import numpy as np
import pytest
import torch

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.glance import GlanceNet, GlanceOutput
from bcannot_core.training.glance_stage import GlanceStage, glance_losses
from bcannot_core.training.lanes import Target
from bcannot_core.training.optim import Optimizer
from bcannot_core.training.recipe import GlanceRecipe, OptimizerRecipe
from bcannot_core.training.tissue import Tissue

torch.set_num_threads(1)


def make_tissue(shape=(16, 70, 70)):
    labels = np.zeros(shape, np.int32)
    for i, (y, x) in enumerate([(2, 2), (2, 36), (36, 2), (36, 36)]):
        labels[:, y : y + 32, x : x + 32] = i + 1
    noise = np.random.default_rng(0).integers(0, 30, shape, dtype=np.uint8)
    return Tissue(np.where(labels > 0, 150, 40).astype(np.uint8) + noise, labels, (30, 10, 10))


def make_stage(updates=8, lanes=4, seed=3, **recipe):
    torch.manual_seed(0)
    net = GlanceNet(GlanceConfig(size=32, channels=(8, 8, 8)))
    values = {"pool": 2, "refresh": 3, "optimizer": OptimizerRecipe(warm_up=2)}
    recipe = GlanceRecipe(updates=updates, lanes=lanes, **(values | recipe))
    return GlanceStage(net, [make_tissue()], recipe, seed, 0)


def losses_of(stage):
    entries = []
    assert stage.run(entries.append)
    return entries


# -- losses --------------------------------------------------------------------------------------


def make_target(present=True, click=(4, 4), hidden=0):
    mask = np.zeros((16, 16), bool)
    if present:
        mask[2:8, 2:8] = True
    weight = np.ones_like(mask)
    weight[10 : 10 + hidden, 10 : 10 + hidden] = False
    together = np.random.default_rng(1).random((5, 16, 16)) < 0.5
    return Target(mask, weight, click if present else None, present, together)


def make_output(targets, right=True, click=None):
    masks = torch.tensor(np.stack([t.mask for t in targets]))
    belief = torch.where(masks == right, 9.0, -9.0)
    heat = torch.zeros_like(belief)
    for i, target in enumerate(targets):
        y, x = click or target.click_yx or (0, 0)
        heat[i, y, x] = 9
    present = torch.tensor([9.0 if t.present == right else -9.0 for t in targets])
    together = torch.tensor(np.stack([t.affinities for t in targets]))
    affinities = torch.where(together == right, 9.0, -9.0)
    return GlanceOutput(belief, heat, present, present, affinities)


def test_a_right_answer_costs_little_and_a_wrong_one_much():
    targets = [make_target(), make_target(present=False)]
    good = glance_losses(make_output(targets), targets)
    bad = glance_losses(make_output(targets, right=False), targets)
    for name in ("mask", "overlap", "present", "affinity"):
        assert good[name] < 0.01 < 0.2 < bad[name], name
    parts = sum(float(value) for name, value in good.items() if name != "total")
    assert float(good["total"]) == pytest.approx(parts)


def test_confidence_is_about_the_click_that_would_be_made():
    targets = [make_target()]
    on, off = (make_output(targets, click=place) for place in ((4, 4), (12, 12)))
    off = off._replace(belief=torch.full_like(off.belief, 9.0))
    losses = [float(glance_losses(output, targets)["sure"]) for output in (on, off)]
    assert losses[0] < 0.001 < 0.5 < losses[1]


def test_a_click_costs_more_the_further_it_is_off():
    targets = [make_target()]
    places = [(4, 4), (5, 5), (7, 7), (12, 12)]
    costs = [float(glance_losses(make_output(targets, click=p), targets)["click"]) for p in places]
    assert costs == sorted(costs)
    assert len(set(costs)) == 4


def test_what_does_not_count_costs_nothing():
    targets = [make_target(hidden=4)]
    right = make_output(targets)
    wrong = right._replace(belief=right.belief.clone())
    wrong.belief[0, 10:14, 10:14] = 9
    for name in ("mask", "overlap"):
        a, b = glance_losses(right, targets)[name], glance_losses(wrong, targets)[name]
        assert torch.equal(a, b)
    wrong.belief[0, 10:15, 10:14] = 9
    assert glance_losses(wrong, targets)["mask"] > glance_losses(right, targets)["mask"] + 0.1


def test_without_a_known_click_there_is_no_loss_of_it():
    targets = [make_target(present=False), make_target(click=None)]
    assert float(glance_losses(make_output(targets), targets)["click"]) == 0


# -- optimizer -----------------------------------------------------------------------------------


def test_the_rate_warms_up_and_falls():
    optimizer = Optimizer(torch.nn.Linear(2, 2), OptimizerRecipe(rate=1.0, warm_up=10), 100)
    rates = [optimizer.rate(update) for update in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.01)


def test_kernels_decay_and_vectors_do_not():
    net = torch.nn.Linear(3, 3)
    optimizer = Optimizer(net, OptimizerRecipe(decay=0.5), 10)
    decays = {p.ndim: g["weight_decay"] for g in optimizer.adamw.param_groups for p in g["params"]}
    assert decays == {2: 0.5, 1: 0.0}


def test_the_gradient_is_clipped_and_the_average_follows():
    net = torch.nn.Linear(2, 1, bias=False)
    optimizer = Optimizer(net, OptimizerRecipe(rate=0.1, warm_up=0, clip=1.0), 1000)
    start = net.weight.detach().clone()
    norm = optimizer.step(1e6 * net(torch.ones(1, 2)).sum(), 0)
    assert norm == pytest.approx(1e6 * math.sqrt(2), rel=1e-4)
    moved = (net.weight.detach() - start).abs().max()
    assert 0 < moved < 0.2
    between = (optimizer.average["weight"] - start) / (net.weight.detach() - start)
    assert between.flatten().tolist() == pytest.approx([0.9, 0.9], rel=1e-3)


# -- the stage -----------------------------------------------------------------------------------


def test_a_stage_learns():
    rates = OptimizerRecipe(rate=6e-3, warm_up=2)
    stage = make_stage(updates=40, lanes=6, optimizer=rates)
    entries = losses_of(stage)
    totals = [entry["total"] for entry in entries]
    assert [entry["update"] for entry in entries] == list(range(40))
    assert np.mean(totals[-8:]) < 0.8 * np.mean(totals[:8])
    assert all(0 <= entry["on_target"] <= 1 for entry in entries)
    assert {entry["stage"] for entry in entries} == {"glance"}


def test_the_same_seed_gives_the_same_losses_and_another_does_not():
    first, again, other = (losses_of(make_stage(4, seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_restored_stage_goes_on_as_if_nothing_had_happened(stop):
    whole = make_stage(10)
    expected = losses_of(whole)
    begun = make_stage(10)
    begun.recipe = GlanceRecipe(**{**vars(begun.recipe), "updates": stop})
    entries = losses_of(begun)
    values, tensors = begun.state()
    values = json.loads(json.dumps(values))
    tensors = {name: t.clone() for name, t in tensors.items()}

    resumed = make_stage(10)
    with torch.no_grad():
        for parameter in resumed.net.parameters():
            parameter.add_(1.0)
    resumed.restore(values, tensors)
    assert resumed.update == stop
    assert entries + losses_of(resumed) == expected
    for (name, a), (other, b) in zip(
        sorted(whole.state()[1].items()), sorted(resumed.state()[1].items()), strict=True
    ):
        assert name == other
        assert torch.equal(a, b), name


def test_a_stage_stops_at_its_time_but_gets_on():
    stage = make_stage(3)
    entries = []
    assert not stage.run(entries.append, until=time.monotonic() - 1)
    assert len(entries) == 1
    assert not stage.run(entries.append, until=time.monotonic() - 1)
    assert stage.run(entries.append, until=time.monotonic() - 1)
    assert entries == losses_of(make_stage(3))


def test_blocks_in_use_change_with_time():
    stage = make_stage(7, pool=2, refresh=3)
    losses_of(stage)
    assert [block_id for block_id, _ in stage._pool] == [2, 3]
