"""Pictures of a section at any scale."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.coords import CanvasView
from bcannot_core.tasks.section_picture import SectionPictures, axis_table, render_section


class Section:
    """A volume of one section that remembers what was read."""

    def __init__(self, grey, voxel_yx=(10.0, 10.0)):
        self.grey = grey
        self.shape = (1, *grey.shape)
        self.voxel_nm = (30.0, *voxel_yx)
        self.read = []

    def section_grey(self, z, y0, y1, x0, x1):
        assert 0 <= y0 < y1 <= self.shape[1]
        assert 0 <= x0 < x1 <= self.shape[2]
        self.read.append((y0, y1, x0, x1))
        return self.grey[y0:y1, x0:x1]


def make_section(shape=(500, 600), seed=1, **options):
    grey = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Section(grey, **options)


def make_view(centre=(250, 300), nm_per_px=10.0, voxel_yx=(10.0, 10.0), size_hw=(256, 256)):
    return CanvasView(centre, voxel_yx, nm_per_px, size_hw)


def test_voxels_are_copied_where_they_are_pixels():
    section = make_section()
    picture = render_section(section, 0, make_view())
    assert (picture == section.grey[122:378, 172:428]).all()
    assert section.read == [(122, 378, 172, 428)]
    assert not picture.flags.writeable


@pytest.mark.parametrize("nm_per_px", [4.0, 5.0, 7.0, 12.0, 14.9])
def test_magnified_pictures_are_bilinear(nm_per_px):
    section = make_section()
    view = make_view(nm_per_px=nm_per_px)
    picture = render_section(section, 0, view)
    for x, y in [(0, 0), (128, 128), (17, 200), (255, 3)]:
        py, px = view.to_volume((x, y))
        y0, x0 = int(py), int(px)
        fy, fx = py - y0, px - x0
        corner = section.grey[y0 : y0 + 2, x0 : x0 + 2].astype(float)
        expected = (corner * np.outer([1 - fy, fy], [1 - fx, fx])).sum()
        assert abs(picture[y, x] - expected) <= 2.5


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrunk_pictures_are_means(factor):
    section = make_section((256 * factor, 256 * factor))
    middle = factor * 128 + (factor - 1) / 2
    picture = render_section(section, 0, make_view((middle, middle), 10.0 * factor))
    blocks = section.grey.reshape(256, factor, 256, factor).mean(axis=(1, 3))
    assert np.abs(picture - blocks).max() <= 1.5


def test_a_fine_pattern_does_not_alias():
    stripes = np.zeros((900, 900), np.uint8)
    stripes[:, ::2] = 255
    picture = render_section(Section(stripes), 0, make_view((450, 450), 30.0))
    assert np.abs(picture.astype(int) - 127).max() <= 45
    assert abs(picture.mean() - 127.5) < 1


def test_axes_are_sampled_each_at_its_own_scale():
    section = make_section((400, 700), voxel_yx=(10.0, 5.0))
    view = make_view((200, 350), 10.0, (10.0, 5.0))
    picture = render_section(section, 0, view)
    row = section.grey[200].astype(float)
    expected = (row[351] * 0.5 + row[352] + row[353] * 0.5) / 2
    assert abs(picture[128, 129] - expected) <= 1.5


@given(
    value=st.integers(0, 255),
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    nm_per_px=st.floats(1, 60),
)
@settings(deadline=None, max_examples=60)
def test_plain_tissue_stays_plain_and_the_rest_is_outside(value, height, width, share, nm_per_px):
    section = Section(np.full((height, width), value, np.uint8))
    centre = share[0] * (height - 1), share[1] * (width - 1)
    view = make_view(centre, nm_per_px)
    picture = render_section(section, 0, view)
    at = [
        c + (np.arange(256) - 128) * step
        for c, step in zip(view.centre_yx, view.step_yx, strict=True)
    ]
    inside = np.outer(
        (at[0] >= -0.5) & (at[0] < height - 0.5), (at[1] >= -0.5) & (at[1] < width - 0.5)
    )
    assert inside[128, 128]
    shown = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
    assert (shown[inside] == value).all()
    assert (shown[~inside] == (24, 24, 30)).all()


def test_a_view_beside_the_volume_shows_nothing():
    section = make_section()
    picture = render_section(section, 0, make_view((2000, 300)))
    assert (picture == (24, 24, 30)).all()
    assert section.read == []


@given(st.floats(0, 100), st.floats(0.05, 20), st.integers(1, 300))
@settings(deadline=None, max_examples=200)
def test_weights_always_sum_to_one(centre, step, voxels):
    table = axis_table(centre, step, 256, voxels)
    if table is None or table.copies:
        return
    assert (table.weights.sum(axis=0) == 256).all()
    assert table.taps.min() >= 0
    assert table.taps.max() == table.voxels.stop - table.voxels.start - 1
    assert table.voxels.stop <= voxels


@pytest.mark.parametrize(
    ("nm_per_px", "digest"),
    [(6.3, "5746ef2a4e6b074f"), (13.7, "87e0ea0fa002fd8f"), (23.1, "afac4a91acfe2d20")],
)
def test_pictures_are_the_same_bytes_everywhere(nm_per_px, digest):
    ys, xs = np.indices((700, 800))
    grey = ((ys * 7919 + xs * 104729 + ys * xs) >> 3 & 255).astype(np.uint8)
    picture = render_section(Section(grey), 0, make_view((350.3, 400.7), nm_per_px))
    assert hashlib.blake2b(picture.tobytes(), digest_size=8).hexdigest() == digest


def test_the_same_view_is_the_same_picture():
    section = make_section()
    pictures = SectionPictures(section)
    first = pictures.get(0, make_view())
    assert pictures.get(0, make_view()) is first
    for i in range(100):
        pictures.get(0, make_view((250, 200 + i)))
    assert pictures.get(0, make_view()) is not first
    assert (pictures.get(0, make_view()) == first).all()
