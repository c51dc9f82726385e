"""Regions: index arithmetic against numpy, the string form, contrast and labels."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes import Contrast, Region, Volume, open_volume
from bcannot_core.volumes.region_map import make_map

SHAPE = (9, 11, 13)
RAW: NDArray[Any] = np.arange(9 * 11 * 13, dtype=np.uint16).reshape(SHAPE)


class Lazy:
    """An array-like that is not numpy."""

    shape, dtype, chunks = SHAPE, RAW.dtype, (4, 4, 4)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return RAW[key]


@st.composite
def views(draw: st.DrawFn, shape: tuple[int, ...] = SHAPE) -> dict[str, Any]:
    bounds = [
        sorted(draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True)))
        for n in shape
    ]
    return {
        "box": tuple(b for pair in bounds for b in pair),
        "axes": tuple(draw(st.permutations([0, 1, 2]))),
        "flips": tuple(draw(st.lists(st.booleans(), min_size=3, max_size=3))),
        "step": tuple(draw(st.lists(st.integers(1, 5), min_size=3, max_size=3))),
    }


def by_numpy(raw: NDArray[Any], view: dict[str, Any]) -> NDArray[Any]:
    """The definition of a region."""
    z0, z1, y0, y1, x0, x1 = view["box"]
    cut = raw[z0:z1, y0:y1, x0:x1].transpose(view["axes"])
    cut = np.flip(cut, [k for k in range(3) if view["flips"][k]])
    a, b, c = view["step"]
    return cut[::a, ::b, ::c]


@given(views(), st.booleans())
def test_a_region_is_what_numpy_says(view: dict[str, Any], lazy: bool) -> None:
    volume = Volume.from_array(Lazy() if lazy else RAW, voxel_nm=(30, 8, 4))
    region = Region(volume, **view)
    wanted = by_numpy(RAW, view)
    assert region.shape == wanted.shape
    assert np.array_equal(np.asarray(region.array), wanted)
    sizes = [volume.voxel_nm[a] * s for a, s in zip(view["axes"], view["step"], strict=True)]
    assert region.voxel_nm == tuple(sizes)


@given(views(), st.booleans(), st.lists(st.integers(-2, 13), min_size=6, max_size=6))
def test_parts_of_a_region_are_parts_of_the_array(
    view: dict[str, Any], lazy: bool, box: list[int]
) -> None:
    volume = Volume.from_array(Lazy() if lazy else RAW, contrast=Contrast(0, 2000))
    region = Region(volume, **view)
    z0, z1, y0, y1, x0, x1 = (max(b, 0) for b in box)
    wanted = by_numpy(RAW, view)
    assert np.array_equal(region.read(*box), wanted[z0:z1, y0:y1, x0:x1])
    z = z0 % region.shape[0]
    y0, y1, x0, x1 = sorted((y0, y1)) + sorted((x0, x1))
    grey = region.section_grey(z, y0, y1, x0, x1)
    whole = np.clip(np.floor(wanted[z, y0:y1, x0:x1] * 255.0 / 2000 + 0.5), 0, 255)
    assert np.array_equal(grey, whole)
    if grey.size:
        assert grey.strides[1] == 1
        assert grey.strides[0] > 0


@given(st.data())
def test_a_region_of_a_region_is_a_region(data: st.DataObject) -> None:
    first = data.draw(views())
    middle = by_numpy(RAW, first)
    second = data.draw(views(middle.shape))
    volume = Volume.from_array(RAW, address="base.npy")
    region = Region(Region(volume, **first), **second)
    assert region.volume is volume
    assert region.address.count("box=") == 1
    assert np.array_equal(np.asarray(region.array), by_numpy(middle, second))


@given(views())
def test_positions_convert_both_ways(view: dict[str, Any]) -> None:
    region = Region(Volume.from_array(RAW), **view)
    for index in np.ndindex(region.shape):
        below = region.to_volume(index)  # type: ignore[arg-type]
        assert RAW[tuple(int(v) for v in below)] == region.array[index]
        assert region.from_volume(below) == index


@given(views(), st.booleans())
def test_the_string_form_opens_the_same_region(
    tmp_path_factory: pytest.TempPathFactory, view: dict[str, Any], sized: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "region #1.npy"
    if not path.exists():
        np.save(path, RAW)
    volume = open_volume(path, voxel_nm=(33, 7.5, 4) if sized else None)
    region = Region(volume, **view)
    again = open_volume(region.address)
    assert isinstance(again, Region)
    assert again.address == region.address
    assert again.voxel_nm == region.voxel_nm
    assert again.fingerprint() == region.fingerprint()
    assert np.array_equal(np.asarray(again.array), by_numpy(RAW, view))


def test_a_region_keeps_the_contrast_of_its_volume() -> None:
    volume = Volume.from_array(RAW)
    region = Region(volume, box=(0, 2, 0, 3, 0, 3))
    assert region.contrast == volume.contrast
    other = region.with_contrast(Contrast(3, 5))
    assert other.contrast == Contrast(3, 5)
    assert isinstance(other, Region)
    assert np.array_equal(np.asarray(other.array), np.asarray(region.array))


def test_every_third_section_has_three_times_the_spacing() -> None:
    region = Region(Volume.from_array(RAW, voxel_nm=(10, 10, 10)), step=(3, 1, 1))
    assert region.voxel_nm == region.scales[0].voxel_nm == (30, 10, 10)
    assert region.shape == (3, 11, 13)


def test_the_labels_of_a_region_lie_under_its_grey_values() -> None:
    labels = Volume.from_array(RAW.astype(np.uint64) * 2, labels=True)
    region = Region(Volume.from_array(RAW), (1, 8, 2, 9, 0, 13), (2, 0, 1), (True, False, True))
    truth = region.of_labels(labels)
    assert truth.is_labels
    assert np.array_equal(np.asarray(truth.array), np.asarray(region.array) * 2)
    small = Volume.from_array(RAW[1:].astype(np.uint8), labels=True)
    with pytest.raises(UsageError, match="must be equal"):
        region.of_labels(small)


def test_a_region_of_a_lazy_volume_reads_only_its_box() -> None:
    asked: list[Any] = []

    class Watched(Lazy):
        def __getitem__(self, key: Any) -> NDArray[Any]:
            asked.append(key)
            return super().__getitem__(key)

    volume = Volume.from_array(Watched(), contrast=Contrast(0, 2000))
    region = Region(volume, (4, 8, 0, 4, 0, 4), axes=(1, 0, 2))
    assert not asked
    region.section_grey(1, 0, 4, 0, 4)
    assert asked == [(slice(4, 8), slice(0, 11), slice(0, 13))]  # one block of 4 sections


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box": (0, 10, 0, 11, 0, 13)}, "leaves the volume"),
        ({"box": (3, 3, 0, 11, 0, 13)}, "is empty"),
        ({"box": (0, 9, -1, 11, 0, 13)}, "along y"),
        ({"axes": (0, 1, 1)}, "permutation"),
        ({"step": (1, 0, 1)}, "at least 1"),
        ({"box": (0, 9)}, "six bounds"),
    ],
)
def test_impossible_regions_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_map(SHAPE, **change)


@given(views())
def test_the_box_of_a_map_is_tight_and_makes_the_same_map(view: dict[str, Any]) -> None:
    made = make_map(SHAPE, **view)
    assert make_map(SHAPE, made.box, made.axes, made.flips, made.step) == made
    for low, high, tight_low, tight_high in zip(
        view["box"][::2], view["box"][1::2], made.box[::2], made.box[1::2], strict=True
    ):
        assert low <= tight_low < tight_high <= high
