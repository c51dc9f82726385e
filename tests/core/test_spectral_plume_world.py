"""The worlds of spectral plumes: spectra, grounds, blobs and their pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bcannot_core.errors import UsageError
from bcannot_core.tasks.scoring import mask_iou, polygon_mask
from bcannot_core.tasks.worlds.outlines import EDGE, draw_blob, simplify
from bcannot_core.tasks.worlds.spectral_materials import (
    BANDS,
    GASES,
    GREY,
    MATERIALS,
    brightness,
    signature,
)
from bcannot_core.tasks.worlds.spectral_plume import (
    PlumeWorld,
    SpectralPlumeConfig,
    make_world,
)
from bcannot_core.tasks.worlds.spectral_scene import BACKGROUNDS, draw_ground


def world(seed: int = 0, **options: object) -> PlumeWorld:
    return make_world(np.random.default_rng(seed), SpectralPlumeConfig(**options))


def test_gases_are_dark_in_two_bands_and_clear_in_the_others() -> None:
    signatures = {gas: signature(depths) for gas, depths in GASES.items()}
    assert signatures == {"CH4": (5, 2), "CO2": (3, 1), "NH3": (4, 1)}
    for depths in GASES.values():
        assert max(depths) == 1.0
        assert all(depth >= 0.6 or depth <= 0.1 for depth in depths)
    assert signature(GREY) == tuple(range(BANDS))


def test_materials_reflect_as_they_should() -> None:
    levels = brightness()
    assert levels.shape == (BANDS + 3, len(MATERIALS))
    assert levels.min() > 40
    assert levels.max() < 255
    grass = levels[:, MATERIALS["grass"]]
    assert grass[BANDS + 1] > grass[BANDS] > grass[BANDS + 2]  # green
    assert grass[0] > grass[3]  # plants hold water
    soil = levels[:, MATERIALS["soil"]]
    assert soil[BANDS] > soil[BANDS + 2]
    assert soil[2] > soil[BANDS]


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_grounds_are_made_of_what_belongs_there(background: str) -> None:
    typical = {"highway": ("asphalt", "paint", "car_white"), "fields": ("soil", "tree"),
               "buildings": ("asphalt", "concrete", "paint")}[background]  # fmt: skip
    seen = set()
    for seed in range(6):
        ground = draw_ground(np.random.default_rng(seed), background)
        assert ground.shape == (256, 256)
        assert ground.max() < len(MATERIALS)
        seen |= set(np.unique(ground).tolist())
    assert {MATERIALS[name] for name in typical} <= seen


@given(seed=st.integers(0, 10_000), size=st.floats(4, 10), ragged=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_blobs_are_soft_and_in_one_piece(seed: int, size: float, ragged: float) -> None:
    blob = draw_blob(np.random.default_rng(seed), size, ragged)
    assert blob.density.min() >= 0
    assert 0.7 < blob.density.max() <= 1
    for side in (blob.density[0], blob.density[-1], blob.density[:, 0], blob.density[:, -1]):
        assert side.max() < EDGE
    assert ndimage.label(blob.inside)[1] == 1
    assert (ndimage.binary_fill_holes(blob.inside) == blob.inside).all()
    assert np.count_nonzero(blob.inside) > 40
    soft = (blob.density > 0.05) & (blob.density < 0.9)
    assert np.count_nonzero(soft) > 40
    outline = polygon_mask(blob.outline_xy, blob.inside.shape)
    assert mask_iou(outline, blob.inside) > 0.93


@pytest.mark.parametrize("seed", range(6))
def test_eight_vertices_keep_most_of_an_outline(seed: int) -> None:
    blob = draw_blob(np.random.default_rng(seed), 8.0, 0.5)
    scores = []
    for count in (4, 8, 14):
        polygon = simplify(blob.outline_xy, count)
        assert polygon.shape == (count, 2)
        scores.append(mask_iou(polygon_mask(polygon, blob.inside.shape), blob.inside))
    assert scores[1] > 0.75
    assert scores[0] <= scores[1] + 0.03 <= scores[2] + 0.06


@given(seed=st.integers(0, 3000), plumes=st.integers(1, 5), others=st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_clouds_keep_apart_whatever_their_number(seed: int, plumes: int, others: int) -> None:
    found = world(
        seed,
        least_plumes=plumes,
        most_plumes=plumes,
        least_confounders=others,
        most_confounders=others,
    )
    assert [cloud.plume for cloud in found.clouds] == [True] * plumes + [False] * others
    assert len(found.plumes) == plumes
    taken = np.zeros((256, 256), dtype=int)
    for cloud in found.clouds:
        mask = cloud.mask()
        assert np.count_nonzero(mask) == np.count_nonzero(cloud.blob.inside)
        taken += mask
        points = cloud.outline_xy
        assert points.min() >= 0
        assert points.max() <= 255
        assert mask_iou(polygon_mask(points, (256, 256)), mask) > 0.9
    assert taken.max() == 1


def test_the_defaults_have_the_counts_of_the_study() -> None:
    worlds = [world(seed) for seed in range(80)]
    assert {len(found.plumes) for found in worlds} == {1, 2, 3}
    assert {len(found.clouds) - len(found.plumes) for found in worlds} == {3, 4, 5, 6}
    assert {found.gas for found in worlds} == set(GASES)
    assert {found.background for found in worlds} == set(BACKGROUNDS)
    kinds = {cloud.kind for found in worlds for cloud in found.clouds if not cloud.plume}
    assert kinds == {"smoke", "mixture", *GASES}


def test_a_look_alike_differs_from_the_gas_in_some_band_and_never_by_shape() -> None:
    for seed in range(40):
        found = world(seed)
        own = np.array(GASES[found.gas])
        for cloud in found.clouds:
            apart = np.abs(np.array(cloud.depths) - own).max()
            assert apart == 0 if cloud.plume else apart >= 0.5
            assert cloud.plume or set(signature(cloud.depths)) != set(signature(tuple(own)))


def darkness(found: PlumeWorld, number: int, band: int) -> float:
    """How much darker a cloud's middle is than without clouds, as a share."""
    cloud = found.clouds[number]
    clear = PlumeWorld(found.gas, (), found.background, found.ground, found.light, found.grain,
                       found.config)  # fmt: skip
    core = np.zeros((256, 256), dtype=bool)
    core[cloud.slices] = cloud.blob.density > 0.9
    return 1 - float(found.band(band)[core].mean()) / float(clear.band(band)[core].mean())


@pytest.mark.parametrize("gas", GASES)
def test_a_plume_is_dark_in_its_gas_s_bands_only(gas: str) -> None:
    found = world(5, gas=gas, noise=0.0, depth=0.5)
    for number, cloud in enumerate(found.clouds):
        for band in range(BANDS):
            assert darkness(found, number, band) == pytest.approx(
                0.5 * cloud.depths[band], abs=0.06
            )


def test_gases_are_invisible_in_true_colour() -> None:
    found = world(2, least_confounders=0, most_confounders=0)
    clear = PlumeWorld(found.gas, (), found.background, found.ground, found.light, found.grain,
                       found.config)  # fmt: skip
    assert (found.band(None) == clear.band(None)).all()
    assert (found.band(found_main(found)) != clear.band(found_main(found))).any()


def found_main(found: PlumeWorld) -> int:
    return signature(GASES[found.gas])[0]


def test_pictures_do_not_depend_on_the_order_of_looking() -> None:
    one, other = world(7), world(7)
    forwards = [one.band(band).copy() for band in (None, *range(BANDS))]
    backwards = [other.band(band).copy() for band in (*range(BANDS)[::-1], None)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert (a == b).all()
    assert one.band(3) is one.band(3)
    assert not one.band(3).flags.writeable
    assert one.band(None).shape == (256, 256, 3)
    assert one.band(0).shape == (256, 256)


def test_noise_and_depth_are_as_configured() -> None:
    calm, loud = world(4, noise=0.0), world(4, noise=20.0)
    difference = loud.band(0).astype(float) - calm.band(0)
    assert difference.std() == pytest.approx(20, rel=0.2)
    faint, deep = world(4, depth=0.2, noise=0.0), world(4, depth=0.7, noise=0.0)
    main = found_main(faint)
    assert darkness(faint, 0, main) < darkness(deep, 0, main) - 0.3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"least_plumes": 0}, "least_plumes"),
        ({"most_plumes": 6}, "most_plumes"),
        ({"least_plumes": 3, "most_plumes": 2}, "least_plumes is 3"),
        ({"most_confounders": 9}, "most_confounders"),
        ({"gas": "O2"}, "gas is 'O2'"),
        ({"background": "sea"}, "background is 'sea'"),
        ({"depth": 0.9}, "depth"),
        ({"size": 20.0}, "size"),
        ({"ragged": -1.0}, "ragged"),
        ({"noise": float("inf")}, "noise"),
        ({"variant": "sideways"}, "sideways"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        SpectralPlumeConfig(**options)
