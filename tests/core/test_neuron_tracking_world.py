"""Worlds of neurons: where they lie, how the body changes, and pictures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.neuron_tracking import (
    NeuronTrackingConfig,
    NeuronWorld,
    sample_world,
)
from bcannot_core.tasks.worlds.neuron_tracking_picture import NeuronPictures


def a_world(seed: int = 0, **options: Any) -> NeuronWorld:
    return sample_world(np.random.default_rng(seed), NeuronTrackingConfig(**options))


def pictures(seed: int = 0, **options: Any) -> NeuronPictures:
    config = NeuronTrackingConfig(**options)
    return NeuronPictures(sample_world(np.random.default_rng(seed), config), config)


def moved_px(world: NeuronWorld) -> float:
    return float(np.linalg.norm(world.yx[1:] - world.yx[:-1], axis=-1).mean())


@given(
    seed=st.integers(0, 10_000),
    neurons=st.none() | st.integers(2, 12),
    deformation=st.floats(0, 2),
    crowding=st.floats(0, 1),
    others=st.integers(0, 6),
)
@settings(deadline=None, max_examples=50)
def test_neurons_lie_on_the_canvas_and_apart(
    seed: int, neurons: int | None, deformation: float, crowding: float, others: int
) -> None:
    world = a_world(
        seed, neurons=neurons, deformation=deformation, crowding=crowding, others=others
    )
    assert world.neurons == neurons or (neurons is None and 6 <= world.neurons <= 8)
    assert world.yx.shape == (5, world.neurons, 2)
    assert world.others_yx.shape == (5, others, 2)
    everyone = np.concatenate([world.yx, world.others_yx], axis=1)
    assert everyone.min() >= 16
    assert everyone.max() <= 240
    for group in everyone:
        apart = np.sqrt(((group[:, None] - group[None]) ** 2).sum(-1))
        np.fill_diagonal(apart, np.inf)
        assert apart.min() > 10.1


def test_six_to_eight_neurons_unless_asked_and_the_number_can_be_given_back() -> None:
    counts = {a_world(seed).neurons for seed in range(30)}
    assert counts == {6, 7, 8}
    drawn = a_world(5)
    again = a_world(5, neurons=drawn.neurons)
    assert (drawn.yx == again.yx).all()


def test_whole_numbers_may_be_written_with_a_point() -> None:
    assert (a_world(2, neurons=7.0, groups=3.0).yx == a_world(2, neurons=7, groups=3).yx).all()


def test_deformation_is_how_far_neurons_move() -> None:
    still = a_world(3, deformation=0.0)
    assert np.abs(still.yx - still.yx[:1]).max() < 25
    moves = [
        np.mean([moved_px(a_world(seed, deformation=far)) for seed in range(10)])
        for far in (0.3, 1.0, 2.0)
    ]
    assert moves[0] < moves[1] < moves[2]
    assert 8 < moves[1] < 25


def test_numbers_run_along_the_body() -> None:
    """Without deformation of the pose the order along the axis is that of the numbers."""
    for seed in range(10):
        world = a_world(seed, deformation=0.0)
        axis = world.axis_yx[0, -1] - world.axis_yx[0, 0]
        along = (world.yx[0] - world.axis_yx[0, 0]) @ axis
        rank = np.argsort(np.argsort(along))
        assert np.corrcoef(rank, np.arange(world.neurons))[0, 1] > 0.7


def test_neurons_shine_where_the_truth_says_and_others_less() -> None:
    drawn = pictures(4, noise=0.0, others=4)
    world = a_world(4, noise=0.0, others=4)
    bright: dict[str, list[float]] = {"named": [], "others": []}
    for group in range(world.groups):
        picture = drawn.grey(group)
        background = float(np.median(picture))
        for kind, points in (("named", world.yx), ("others", world.others_yx)):
            for y, x in points[group].round().astype(int):
                value = float(picture[y - 1 : y + 2, x - 1 : x + 2].mean())
                assert value > background + 8
                bright[kind].append(value)
    assert np.mean(bright["named"]) > 1.5 * np.mean(bright["others"])


def test_a_neuron_is_a_spot_with_a_halo() -> None:
    config = NeuronTrackingConfig(neurons=2, others=0, noise=0.0, crowding=0.0)
    world = sample_world(np.random.default_rng(1), config)
    picture = NeuronPictures(world, config).grey(0).astype(float)
    y, x = world.yx[0, 0].round().astype(int)
    profile = [picture[y, x + d] for d in (0, 4, 8, 20)]
    assert profile == sorted(profile, reverse=True)
    assert profile[0] > 2 * profile[2]


def test_pictures_are_made_once_green_and_read_only() -> None:
    one, other = pictures(2), pictures(2)
    late_first = other.green(4)
    assert (one.all()[4] == other.grey(4)).all()
    assert (one.green(4) == late_first).all()
    assert one.green(1) is one.green(1)
    assert late_first.shape == (256, 256, 3)
    assert (late_first[..., 1] >= late_first[..., 0]).all()
    assert (late_first[..., 1] == one.grey(4)).all()
    with pytest.raises(ValueError, match="read-only"):
        late_first[0, 0] = 1


def test_noise_and_contrast_do_what_they_say() -> None:
    corner = (slice(0, 30), slice(0, 30))
    assert pictures(noise=0.0).grey(1)[corner].std() < pictures().grey(1)[corner].std()
    assert pictures(noise=3.0).grey(1)[corner].std() > 2 * pictures().grey(1)[corner].std()
    dim, plain = (pictures(contrast=c, noise=0.0).grey(1).max() for c in (0.4, 1.0))
    assert dim < plain


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"neurons": 1}, "neurons"),
        ({"neurons": 13}, "neurons"),
        ({"groups": 1}, "groups"),
        ({"groups": 2.5}, "groups"),
        ({"noise": 4.1}, "noise"),
        ({"contrast": 0.0}, "contrast"),
        ({"deformation": -1.0}, "deformation"),
        ({"crowding": 2.0}, "crowding"),
        ({"others": 7}, "others"),
        ({"variant": "nowhere"}, "nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        NeuronTrackingConfig(**options)
