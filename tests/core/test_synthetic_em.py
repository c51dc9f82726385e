"""Synthetic EM: exact labels, sections that look like what the labels say, the same bytes again."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import ndimage

from bcannot_core.volumes.synthetic_em import (
    RECIPES,
    Damage,
    EmRecipe,
    Look,
    SyntheticVolume,
    generate,
)

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

SMALL = (10, 64, 72)
CUBE_26 = np.ones((3, 3, 3), bool)


def recipe(name: str = "default", **changes: object) -> EmRecipe:
    settings: dict[str, object] = {"shape_zyx": SMALL, "damage": Damage(), **changes}
    return dataclasses.replace(RECIPES[name], **settings)  # type: ignore[arg-type]


def digest(volume: SyntheticVolume) -> str:
    return hashlib.sha256(volume.em.tobytes() + volume.seg.tobytes()).hexdigest()


def borders(labels: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Pixels of a section beside another label."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        a = np.moveaxis(labels, axis, 0)
        e = np.moveaxis(edge, axis, 0)
        differ = a[1:] != a[:-1]
        e[1:] |= differ
        e[:-1] |= differ
    return edge


@pytest.fixture(scope="module")
def isotropic() -> SyntheticVolume:
    return generate(recipe(shape_zyx=(24, 96, 96)), 3)


def test_arrays_are_of_the_documented_kind(isotropic: SyntheticVolume) -> None:
    em, seg = isotropic
    assert em.dtype == np.uint8
    assert seg.dtype == np.uint32
    assert em.shape == seg.shape == (24, 96, 96)
    assert isotropic.voxel_nm == (10.0, 10.0, 10.0)


def test_labels_fill_space_without_gaps_in_their_numbers(isotropic: SyntheticVolume) -> None:
    ids = np.unique(isotropic.seg)
    assert len(ids) > 10
    np.testing.assert_array_equal(ids, np.arange(1, len(ids) + 1))


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_label_is_one_connected_piece(name: str) -> None:
    seg = generate(recipe(name, shape_zyx=(8, 72, 72), damage=RECIPES[name].damage), 11).seg
    for label, box in enumerate(ndimage.find_objects(seg.astype(np.int32)), start=1):
        _, pieces = ndimage.label(seg[box] == label, CUBE_26)
        assert pieces == 1, f"label {label} has {pieces} pieces"


def test_membranes_are_darker_than_what_they_enclose(isotropic: SyntheticVolume) -> None:
    look = Look()
    for em, labels in zip(isotropic.em[::6], isotropic.seg[::6], strict=True):
        edge = borders(labels)
        deep = ndimage.distance_transform_edt(~edge) > 4
        assert np.median(em[edge]) < np.median(em[deep]) - 20
        assert abs(float(np.median(em[edge])) - look.membrane) < 25


def test_neurites_continue_from_section_to_section(isotropic: SyntheticVolume) -> None:
    seg = isotropic.seg
    same = (seg[1:] == seg[:-1]).mean()
    assert 0.85 < same < 0.999


def test_calibres_are_mixed(isotropic: SyntheticVolume) -> None:
    areas = np.concatenate([np.bincount(s.ravel())[1:] for s in isotropic.seg])
    areas = areas[areas > 0]
    assert np.percentile(areas, 25) < 200
    assert areas.max() > 1000


def test_thick_sections_are_every_nth_plane_of_the_same_tissue() -> None:
    thin = generate(recipe(shape_zyx=(30, 64, 64), voxel_nm_zyx=(10.0, 10.0, 10.0)), 5)
    thick = generate(recipe(shape_zyx=(10, 64, 64), voxel_nm_zyx=(30.0, 10.0, 10.0)), 5)
    same = [
        (borders(a) == borders(b)).mean() for a, b in zip(thick.seg, thin.seg[::3], strict=True)
    ]
    assert min(same) > 0.99  # but for specks, which go to a neighbour
    grey = np.corrcoef(thick.em.ravel(), thin.em[::3].ravel())[0, 1]
    assert 0.85 < grey < 0.999  # alike, but blurred over the thickness


def test_half_the_pixel_size_shows_membranes_of_the_same_width() -> None:
    def share_dark(size: float) -> float:
        clean = Look(mitochondrion=150.0, dots=0.0, texture=0.0, drift=0.0, noise=0.0, blur_px=0.0)
        made = generate(
            recipe(
                shape_zyx=(2, int(960 / size), int(960 / size)),
                voxel_nm_zyx=(10.0, size, size),
                look=dataclasses.replace(clean, cytoplasm_spread=0.0),
                synapses=0.0,
            ),
            8,
        )
        return float((made.em < 120).mean())

    assert share_dark(6.0) == pytest.approx(share_dark(12.0), rel=0.35)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 3), (5, 17, 40)])
def test_odd_shapes(shape: tuple[int, int, int]) -> None:
    made = generate(recipe(shape_zyx=shape, voxel_nm_zyx=(42.0, 7.0, 11.0)), 0)
    assert made.em.shape == made.seg.shape == shape
    assert made.seg.min() == 1


def test_names_stand_for_recipes() -> None:
    assert RECIPES["default"].voxel_nm_zyx == (10.0, 10.0, 10.0)
    assert RECIPES["sections30"].voxel_nm_zyx == (30.0, 10.0, 10.0)
    assert {key: value.name for key, value in RECIPES.items()} == {key: key for key in RECIPES}


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    chosen = recipe("sections30", damage=RECIPES["sections30"].damage)
    first = digest(generate(chosen, 4))
    assert digest(generate(chosen, 4)) == first
    assert digest(generate(chosen, 5)) != first


def test_another_process_on_a_lesser_processor_gives_the_same_bytes() -> None:
    # numpy picks other code for other processors; without vector extensions it rounds elsewhere
    program = (
        "import hashlib; from bcannot_core.volumes.synthetic_em import *;"
        "v = generate(recipe_from_query('bright', {'shape': '3,48,48'}), 9);"
        "print(hashlib.sha256(v.em.tobytes() + v.seg.tobytes()).hexdigest())"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 AVX512F AVX512_SKX",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    here = dataclasses.replace(RECIPES["bright"], shape_zyx=(3, 48, 48))
    assert done.stdout.strip() == digest(generate(here, 9))


def test_myelin_makes_dark_sheaths() -> None:
    def dark(myelin: float) -> float:
        chosen = recipe("bright", shape_zyx=(3, 96, 96), myelin=myelin, mitochondria=0.0)
        return float((generate(chosen, 2).em < 80).mean())

    assert dark(1.0) > dark(0.0) + 0.05


def test_mitochondria_are_dark_bodies_inside_neurites() -> None:
    def grey(amount: float) -> float:
        return float(generate(recipe(shape_zyx=(3, 96, 96), mitochondria=amount), 3).em.mean())

    assert grey(3.0) < grey(0.0) - 3.0


def sample_script() -> ModuleType:
    path = Path(__file__).parents[2] / "sample_data" / "make_sample_em.py"
    spec = importlib.util.spec_from_file_location("make_sample_em", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bundled_sample_is_small_and_labelled() -> None:
    file = resources.files("bcannot_core") / "data" / "sample_em.npz"
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as sample:
        assert path.stat().st_size <= 3 * 2**20
        em, seg, voxel_nm = sample["em"], sample["seg"], sample["voxel_nm"]
    assert em.dtype == np.uint8
    assert seg.dtype in (np.uint16, np.uint32)
    assert em.shape == seg.shape
    assert em.shape[0] >= 50
    np.testing.assert_array_equal(voxel_nm, (30.0, 10.0, 10.0))
    areas = np.stack([np.bincount(s.ravel(), minlength=int(seg.max()) + 1) for s in seg])
    assert ((areas >= 12).sum(0) >= 20).sum() >= 30, "neurites worth tracing"


@pytest.mark.slow
def test_bundled_sample_is_what_its_script_makes() -> None:
    script = sample_script()
    made = generate(script.sample_recipe(), script.SEED)
    with np.load(script.TARGET, allow_pickle=False) as sample:
        np.testing.assert_array_equal(sample["em"], made.em)
        np.testing.assert_array_equal(sample["seg"], made.seg)
