"""Volumes over arrays: contrast, reading, lazy arrays, the block cache."""

import resource
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeFormatError, VolumeUnreachableError
from bcannot_core.volumes import Contrast, Volume, to_grey
from bcannot_core.volumes.cache import BlockCache, CachedSource, block_shape
from bcannot_core.volumes.contrast import estimate_contrast, sample_boxes
from bcannot_core.volumes.lazy import IndexedSource, LazyArray

DTYPES = ["bool", "uint8", "int8", "uint16", "int16", ">u2", "uint32", "int64", "float16", "<f4"]


def noise(shape: tuple[int, ...] = (6, 40, 50), dtype: str = "uint8", seed: int = 0) -> Any:
    values = np.random.default_rng(seed).integers(1, 120, shape)
    return values.astype(dtype)


class Counted:
    """An array-like that counts the voxels read from it and can be told to fail."""

    def __init__(self, array: NDArray[Any], chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        if chunks is not None:
            self.chunks = chunks
        self.voxels = 0
        self.reads = 0
        self.broken = False

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if self.broken:
            raise OSError("connection reset")
        part = self.array[key]
        self.voxels += part.size
        self.reads += 1
        return part


class Endless:
    """A hundred gigabytes that are computed when asked for."""

    shape = (4_000, 5_000, 5_000)
    dtype = np.dtype(np.uint8)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        z, y, x = (np.arange(k.start, k.stop) for k in key)
        assert len(z) * len(y) * len(x) < 2**26
        return (z[:, None, None] * 7 + y[None, :, None] + x % 13).astype(np.uint8)


# ------------------------------------------------------------------------------- contrast
@pytest.mark.parametrize("dtype", DTYPES)
def test_grey_levels_follow_the_formula_for_every_type(dtype: str) -> None:
    raw = noise(dtype=dtype)
    low, high = (0.0, 1.0) if dtype == "bool" else (20.0, 90.0)
    wanted = np.floor((raw.astype(np.float64) - low) * 255 / (high - low) + 0.5)
    grey = to_grey(raw, Contrast(low, high))
    assert grey.dtype == np.uint8
    assert np.array_equal(grey, np.clip(wanted, 0, 255).astype(np.uint8))


def test_negative_values_are_black_and_not_wrapped_around() -> None:
    raw = np.array([-128, -1, 0, 127], np.int8)
    assert to_grey(raw, Contrast(0, 127)).tolist() == [0, 0, 0, 255]


def test_values_that_are_no_numbers_have_a_grey_level() -> None:
    raw = np.array([np.nan, -np.inf, np.inf, 0.5], np.float32)
    assert to_grey(raw, Contrast(0, 1)).tolist() == [0, 0, 255, 128]


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf)])
def test_unusable_limits_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="contrast limits"):
        Contrast(*limits)


def test_padding_does_not_count_in_the_contrast() -> None:
    values = np.concatenate([np.zeros(10_000, np.uint16), np.arange(1000, 2000, dtype=np.uint16)])
    found = estimate_contrast([values])
    assert found is not None
    assert 1000 <= found.lo < 1010
    assert 1990 < found.hi <= 1999


@pytest.mark.parametrize("white", [1, 255, -3.0])
def test_of_two_values_both_are_seen(white: float) -> None:
    values = np.array([0.0, white] * 100).astype(np.float32)
    found = estimate_contrast([values])
    assert found == Contrast(min(0, white), max(0, white))
    assert sorted(set(to_grey(values, found).tolist())) == [0, 255]


def test_too_few_values_give_no_contrast() -> None:
    assert estimate_contrast([np.zeros(1000, np.uint8)]) is None


def test_an_empty_volume_shows_its_bytes_as_they_are() -> None:
    volume = Volume.from_array(np.zeros((3, 20, 20), np.uint8))
    assert volume.contrast == Contrast(0, 255)


def test_a_constant_volume_has_a_usable_contrast() -> None:
    volume = Volume.from_array(np.full((3, 20, 20), 7.5, np.float32))
    assert volume.section_grey(1, 0, 20, 0, 20).shape == (20, 20)


@given(st.tuples(*[st.integers(1, 400)] * 3))
def test_sampled_places_lie_in_the_volume_and_are_few(shape: tuple[int, int, int]) -> None:
    boxes = sample_boxes(shape)
    assert 1 <= len(boxes) <= 16
    for box in boxes:
        for low, high, size in zip(box[::2], box[1::2], shape, strict=True):
            assert 0 <= low < high <= size
        assert box[1] - box[0] == 1


def test_the_contrast_is_the_same_in_memory_and_read_lazily() -> None:
    raw = noise((40, 300, 200))
    assert Volume.from_array(Counted(raw)).contrast == Volume.from_array(raw).contrast


def test_the_contrast_reads_little_of_a_large_volume() -> None:
    counted = Counted(np.broadcast_to(np.uint8(9), (1000, 4000, 4000)), chunks=(1, 128, 128))
    volume = Volume.from_array(counted)
    assert volume.contrast.lo == 9
    assert counted.voxels <= 16 * 4 * 128 * 128


def test_labels_have_no_contrast() -> None:
    labels = Volume.from_array(noise(dtype="uint32"), labels=True)
    with pytest.raises(UsageError, match="labels"):
        _ = labels.contrast
    with pytest.raises(UsageError, match="labels"):
        labels.section_grey(0, 0, 9, 0, 9)


def test_another_contrast_shares_the_voxels() -> None:
    volume = Volume.from_array(noise())
    other = volume.with_contrast(Contrast(0, 10))
    assert other.array is volume.array
    assert (other.section_grey(0, 0, 40, 0, 50) >= volume.section_grey(0, 0, 40, 0, 50)).all()


# -------------------------------------------------------------------------------- reading
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lazy", [False, True])
def test_sections_are_the_raw_voxels_under_the_contrast(dtype: str, lazy: bool) -> None:
    raw = noise(dtype=dtype)
    volume = Volume.from_array(Counted(raw) if lazy else raw, contrast=Contrast(0, 100))
    section = volume.section_grey(2, 3, 30, 5, 50)
    assert np.array_equal(section, to_grey(raw[2, 3:30, 5:50], Contrast(0, 100)))
    assert section.strides[1] == 1


def test_reads_are_clipped_and_never_padded() -> None:
    raw = noise()
    for volume in (Volume.from_array(raw), Volume.from_array(Counted(raw))):
        assert np.array_equal(volume.read(-5, 2, 30, 99, -1, 4), raw[0:2, 30:40, 0:4])
        assert volume.read(9, 12, 0, 1, 0, 1).shape == (0, 1, 1)
        assert volume.read(3, 1, 5, 2, 0, 1).size == 0
        assert volume.section_grey(0, -9, 3, 48, 99).shape == (3, 2)
        assert volume.section_grey(0, 60, 70, 0, 10).shape == (0, 10)


@pytest.mark.parametrize("z", [-1, 6])
def test_a_section_outside_is_refused(z: int) -> None:
    with pytest.raises(UsageError, match=f"section {z} does not exist"):
        Volume.from_array(noise()).section_grey(z, 0, 1, 0, 1)


def test_what_is_read_cannot_be_changed_by_accident() -> None:
    raw = noise()
    volume = Volume.from_array(raw)
    with pytest.raises(ValueError, match="read-only"):
        volume.read(0, 1, 0, 9, 0, 9)[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        volume.section_grey(0, 0, 9, 0, 9)[:] = 0
    raw[0] = 3  # the caller's own array stays writable


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((30, 40), "stack the sections"), ((2, 3, 30, 40), "extract one channel"), ((0, 4, 4), "no")],
)
def test_arrays_that_are_no_volume_are_refused(shape: tuple[int, ...], remedy: str) -> None:
    with pytest.raises(VolumeFormatError, match=remedy) as caught:
        Volume.from_array(np.zeros(shape, np.uint8))
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("dtype", ["complex64", "O", "S3", "M8[s]"])
def test_values_that_cannot_be_shown_are_refused(dtype: str) -> None:
    with pytest.raises(VolumeFormatError, match="type"):
        Volume.from_array(np.zeros((2, 3, 4), dtype))


def test_labels_must_be_integers() -> None:
    with pytest.raises(VolumeFormatError, match="integer ids"):
        Volume.from_array(np.zeros((2, 3, 4), np.float32), labels=True)


def test_something_that_is_no_array_is_refused() -> None:
    with pytest.raises(UsageError, match="list"):
        Volume.from_array([[[1]]])


@pytest.mark.parametrize("voxel", [(1, 2), (1, 2, 0), (1, 2, np.nan), (1, -2, 3)])
def test_unusable_voxel_sizes_are_refused(voxel: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="voxel size"):
        Volume.from_array(noise(), voxel_nm=voxel)


def test_whether_the_voxel_size_is_known_is_said() -> None:
    assert not Volume.from_array(noise()).voxel_known
    known = Volume.from_array(noise(), voxel_nm=(33, 4, 4))
    assert known.voxel_known
    assert known.voxel_nm == known.scales[0].voxel_nm == (33.0, 4.0, 4.0)


def test_a_scale_that_does_not_exist_is_refused() -> None:
    volume = Volume.from_array(noise())
    assert volume.at_scale(0) is volume
    with pytest.raises(UsageError, match="scale 1"):
        volume.at_scale(1)


def test_the_fingerprint_tells_data_apart_but_not_their_container() -> None:
    raw = noise((20, 90, 80), "uint16")
    same = [raw, raw.astype(">u2"), np.asfortranarray(raw)]
    prints = {Volume.from_array(a).fingerprint() for a in same}
    prints.add(Volume.from_array(Counted(raw)).fingerprint())
    assert len(prints) == 1
    others = [raw + 1, raw.astype(np.uint32), raw[:19], noise((20, 90, 80), "uint16", seed=1)]
    assert prints.isdisjoint({Volume.from_array(a).fingerprint() for a in others})


# ----------------------------------------------------------------------------- lazy arrays
KEYS = st.one_of(
    st.integers(-30, 30),
    st.slices(20),
    st.builds(slice, st.none() | st.integers(-40, 40), st.none() | st.integers(-40, 40)),
)


@given(st.lists(KEYS, max_size=3), st.booleans(), st.lists(KEYS, max_size=2))
def test_lazy_arrays_index_as_numpy_does(keys: list[Any], dots: bool, more: list[Any]) -> None:
    raw = np.arange(7 * 8 * 9, dtype=np.int32).reshape(7, 8, 9)
    lazy = LazyArray(IndexedSource(Counted(raw), "test"))
    index = tuple(keys) + ((Ellipsis,) if dots and len(keys) < 3 else ())
    try:
        wanted = raw[index][tuple(more)] if more else raw[index]
    except IndexError:
        with pytest.raises(IndexError):
            part = lazy[index]
            _ = part[tuple(more)] if more else part
        return
    got = lazy[index][tuple(more)] if more else lazy[index]
    assert np.shape(got) == wanted.shape
    assert np.array_equal(np.asarray(got), wanted)


def test_lazy_arrays_read_only_when_asked_for_values() -> None:
    counted = Counted(noise((50, 60, 70)))
    array = Volume.from_array(counted).array
    part = array[:, 10:20, 5:8][30]
    assert counted.reads == 0
    assert (part.shape, part.ndim, part.size, part.dtype) == ((10, 3), 2, 30, np.uint8)
    assert np.array_equal(np.asarray(part), counted.array[30, 10:20, 5:8])
    assert counted.voxels == 30


def test_lazy_arrays_have_what_napari_and_dask_use() -> None:
    array = Volume.from_array(Counted(noise())).array
    assert len(array) == 6
    assert array.nbytes == 6 * 40 * 50
    assert array[1, 2, 3] == noise()[1, 2, 3]
    assert np.asarray(array, dtype=np.float32).dtype == np.float32
    assert np.array(array).flags.writeable
    assert np.array_equal(array[[0, 2], 1], noise()[[0, 2], 1])
    with pytest.raises(TypeError, match="without axes"):
        len(LazyArray(IndexedSource(Counted(noise()), "t"), (0, 0, 0)))


def test_dask_arrays_are_volumes_and_volumes_are_dask_arrays() -> None:
    da = pytest.importorskip("dask.array")
    raw = noise((10, 64, 64))
    volume = Volume.from_array(da.from_array(raw, chunks=(5, 32, 64)))
    assert np.array_equal(volume.read(2, 9, 20, 50, 1, 3), raw[2:9, 20:50, 1:3])
    assert block_shape(volume.array._source) == (5, 64, 64)
    again = da.from_array(volume.array, chunks=(2, 64, 64))
    assert np.array_equal(again[3:5].compute(scheduler="sync"), raw[3:5])


# ------------------------------------------------------------------------------- the cache
def cached(counted: Counted, budget: int = 2**24) -> CachedSource:
    return CachedSource(IndexedSource(counted, "test"), BlockCache(budget))


@given(
    st.tuples(*[st.integers(1, 30)] * 3),
    st.lists(st.tuples(*[st.integers(0, 99)] * 6), min_size=1, max_size=6),
    st.integers(100_000, 10**6),
)
def test_cached_reads_equal_direct_ones(
    chunks: tuple[int, int, int], boxes: list[tuple[int, ...]], budget: int
) -> None:
    raw = noise((23, 140, 150), "uint16")
    source = cached(Counted(raw, chunks), budget)
    for box in boxes:
        bounds = [
            sorted((a % (n + 1), b % (n + 1)))
            for a, b, n in zip(box[::2], box[1::2], raw.shape, strict=True)
        ]
        (z0, z1), (y0, y1), (x0, x1) = bounds
        assert np.array_equal(source.read((z0, z1, y0, y1, x0, x1)), raw[z0:z1, y0:y1, x0:x1])


def test_neighbouring_sections_of_a_block_are_read_once() -> None:
    counted = Counted(noise((64, 300, 300)), chunks=(16, 128, 128))
    volume = Volume(IndexedSource(counted, "t"), Volume.from_array(noise()).info, Contrast(0, 99))
    for z in range(16):
        volume.section_grey(z, 20, 276, 20, 276)
    assert counted.reads == 1


def test_the_cache_stays_within_its_budget_and_keeps_what_is_in_use() -> None:
    cache = BlockCache(1000)
    for i in range(5):
        cache.put((0, i, 0, 0), np.zeros(300, np.uint8))
        cache.get((0, 0, 0, 0))
    assert cache.used_bytes == 900
    assert cache.get((0, 0, 0, 0)) is not None
    assert cache.get((0, 1, 0, 0)) is None


def test_the_blocks_of_a_closed_volume_are_given_back() -> None:
    cache = BlockCache(10**6)
    source = CachedSource(IndexedSource(Counted(noise()), "a"), cache)
    source.read((0, 1, 0, 5, 0, 5))
    assert cache.used_bytes > 0
    del source
    cache.put((10**9, 0, 0, 0), np.zeros(10, np.uint8))
    assert cache.used_bytes == 10


def test_a_box_too_large_for_the_cache_is_read_past_it() -> None:
    counted = Counted(noise((8, 200, 200)))
    source = cached(counted, budget=100_000)
    assert np.array_equal(source.read((0, 8, 0, 200, 0, 200)), counted.array)
    assert counted.reads == 1


def test_a_volume_under_another_contrast_reads_nothing_again() -> None:
    counted = Counted(noise())
    volume = Volume.from_array(counted, contrast=Contrast(0, 99))
    volume.section_grey(0, 0, 40, 0, 50)
    reads = counted.reads
    other = volume.with_contrast(Contrast(50, 60)).section_grey(1, 0, 40, 0, 50)
    assert np.array_equal(other, to_grey(noise()[1], Contrast(50, 60)))
    assert counted.reads == reads


def test_a_failed_read_is_reported_and_the_volume_recovers() -> None:
    counted = Counted(noise())
    volume = Volume.from_array(counted, address="far://away", contrast=Contrast(0, 99))
    counted.broken = True
    with pytest.raises(VolumeUnreachableError, match=r"far://away.*connection reset"):
        volume.section_grey(0, 0, 9, 0, 9)
    counted.broken = False
    assert volume.section_grey(0, 0, 9, 0, 9).shape == (9, 9)


def test_threads_read_the_same_volume() -> None:
    counted = Counted(noise((32, 200, 200)), chunks=(4, 64, 64))
    source = cached(counted, budget=300_000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(60):
            z, y, x = (int(v) for v in rng.integers(0, (30, 150, 150)))
            part = source.read((z, z + 2, y, y + 50, x, x + 50))
            if not np.array_equal(part, counted.array[z : z + 2, y : y + 50, x : x + 50]):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_hundred_gigabytes_are_never_in_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    volume = Volume.from_array(Endless())
    for z in range(0, 4000, 40):
        section = volume.section_grey(z, 2000, 2256, z, z + 256)
        wanted = Endless()[slice(z, z + 1), slice(2000, 2256), slice(z, z + 256)][0]
        assert np.array_equal(section, to_grey(wanted, volume.contrast))
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 500
