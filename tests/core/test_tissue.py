"""Blocks: cross-sections numbered and linked, cut and varied, the same for a seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.errors import DatasetError
from bcannot_core.policy.retina import OUTSIDE_GREY
from bcannot_core.training.blocks import BlockStream, make_block
from bcannot_core.training.tissue import Augmentation, Block, Tissue, cut_block

PLAIN = Augmentation(zooms=(1.0, 1.0), spacings=(1.0,))


def make_labels(shape=(24, 64, 64)):
    """Four square neurites; the last one forks and ends."""
    depth, height, width = shape
    labels = np.zeros(shape, np.int32)
    h, w = height // 2, width // 2
    labels[:, 1 : h - 1, 1 : w - 1] = 1
    labels[:, 1 : h - 1, w + 1 : width - 1] = 2
    labels[:, h + 1 : height - 1, 1 : w - 1] = 3
    labels[: depth // 2, h + 1 : height - 1, w + 1 : width - 1] = 9
    labels[4 : depth // 2, h + 8 : h + 12, w + 1 : width - 1] = 0
    return labels


def make_tissue(shape=(24, 64, 64), voxel_nm=(10, 10, 10), weight=1.0, labels=None, seed=0):
    labels = make_labels(shape) if labels is None else labels
    noise = np.random.default_rng(seed).integers(0, 30, labels.shape, dtype=np.uint8)
    grey = np.where(labels > 0, 150, 40).astype(np.uint8) + noise
    return Tissue(grey, labels, voxel_nm, weight)


def make_small_block(labels):
    labels = np.asarray(labels, np.int32)
    return Block(np.zeros(labels.shape, np.uint8), labels)


# -- numbering and links -------------------------------------------------------------------------


def test_cross_sections_are_numbered_through_all_sections():
    block = make_small_block([[[1, 0, 1], [2, 0, 1]], [[1, 1, 1], [0, 0, 2]]])
    assert block.sections.max() == 5
    assert block.label_of[block.sections].tolist() == [
        [[1, 0, 1], [2, 0, 1]],
        [[1, 1, 1], [0, 0, 2]],
    ]
    assert block.sections[0, 0, 0] != block.sections[0, 0, 2]
    assert block.area_of[block.sections[0, 0, 2]] == 2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_numbers_links_pixels_and_areas_agree_with_the_labels(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, (4, 7, 8)).astype(np.int32)
    block = make_small_block(labels)
    assert (block.label_of[block.sections] == labels).all()
    for z in range(4):
        for section in np.unique(block.sections[z]):
            if not section:
                continue
            here = block.sections[z] == section
            ys, xs = block.pixels(z, section)
            assert len(ys) == here.sum() == block.area_of[section]
            assert here[ys, xs].all()
            expected = {}
            if z < 3:
                under = here & (labels[z + 1] == block.label_of[section])
                ids, counts = np.unique(block.sections[z + 1][under], return_counts=True)
                expected = dict(zip(ids.tolist(), counts.tolist(), strict=True))
            assert dict(block.followers.get(int(section), ())) == expected


def test_starts_are_large_enough_and_leave_sections_to_follow():
    labels = np.zeros((16, 30, 30), np.int32)
    labels[:, 2:5, 2:6] = 1
    labels[:, 10:13, 10:13] = 2
    labels[8:, 20:28, 20:28] = 3
    block = make_small_block(labels)
    assert block.neurites == [1]
    assert [z for z, _ in block.starts[1]] == list(range(6))
    assert all(block.label_of[section] == 1 for _, section in block.starts[1])


def test_the_reference_lies_well_inside_and_near():
    labels = np.zeros((1, 30, 60), np.int32)
    labels[0, 10:21, 5:55] = 1
    block = make_small_block(labels)
    section = int(block.sections[0, 15, 20])
    assert block.reference(0, section, (15, 20)) == (15, 20)
    assert block.reference(0, section, (0, 20)) == (12, 20)
    y, x = block.reference(0, section, None)
    assert abs(y - 15) <= 1
    assert abs(x - 29.5) <= 1


# -- cutting -------------------------------------------------------------------------------------


def test_the_same_generator_cuts_the_same_block():
    a, b, c = (
        cut_block(make_tissue(), np.random.default_rng(seed), Augmentation()) for seed in (1, 1, 2)
    )
    assert (a.grey == b.grey).all()
    assert (a.sections == b.sections).all()
    assert a.grey.shape != c.grey.shape or (a.grey != c.grey).any()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_grey_and_labels_stay_in_register_whatever_is_varied(seed):
    block = cut_block(make_tissue(), np.random.default_rng(seed), Augmentation())
    assert block.grey.dtype == np.uint8
    assert block.grey.shape == block.sections.shape
    assert max(block.grey.shape[1:]) <= 320
    assert len(block.grey) <= 80
    inside = block.sections > 0
    apart = []
    for grey, mask in zip(block.grey, inside, strict=True):
        outside = ~mask & (grey != OUTSIDE_GREY)
        if mask.sum() > 50 and outside.sum() > 50:
            apart.append(float(grey[mask].mean()) - float(grey[outside].mean()))
    assert np.median(apart or [1]) > 0


def test_labels_keep_their_names():
    block = cut_block(make_tissue(), np.random.default_rng(3), Augmentation())
    assert set(np.unique(block.label_of)) <= {0, 1, 2, 3, 9}


def test_isotropic_tissue_is_cut_along_every_axis_and_anisotropic_is_not():
    def depths(voxel_nm):
        tissue = make_tissue((12, 40, 70), voxel_nm)
        return {
            len(cut_block(tissue, np.random.default_rng(seed), PLAIN).grey) for seed in range(12)
        }

    assert depths((10, 10, 10)) == {12, 40, 70}
    assert depths((30, 10, 10)) == {12}


def test_spacings_leave_out_sections_of_isotropic_tissue_only():
    every_third = Augmentation(zooms=(1, 1), spacings=(0, 0, 1))
    for voxel_nm, depth in (((10, 10, 10), 8), ((30, 10, 10), 24)):
        tissue = make_tissue((24, 24, 24), voxel_nm)
        block = cut_block(tissue, np.random.default_rng(0), every_third)
        assert len(block.grey) == depth


def test_tissue_is_shown_at_the_scale_of_the_canvas():
    tissue = make_tissue((12, 64, 64), (40, 20, 20))
    block = cut_block(tissue, np.random.default_rng(0), PLAIN)
    assert block.grey.shape[1:] == (128, 128)


def test_what_lies_outside_looks_as_it_does_on_the_screen():
    tissue = make_tissue((12, 64, 64), (40, 10, 10))
    corners = {
        int(cut_block(tissue, np.random.default_rng(seed), PLAIN).grey[:, 0, 0].max())
        for seed in range(8)
    }
    assert OUTSIDE_GREY in corners


# -- streams -------------------------------------------------------------------------------------


def fingerprint(block):
    return block.grey.shape, block.grey.tobytes(), block.sections.tobytes()


def test_a_stream_is_the_same_from_anywhere():
    tissues = [make_tissue()]
    stream = BlockStream(tissues, 4, Augmentation(), 0)
    blocks = [fingerprint(stream.next()) for _ in range(4)]
    assert fingerprint(stream.at(2)) == blocks[2]
    stream.seek(1)
    assert [fingerprint(stream.next()) for _ in range(2)] == blocks[1:3]
    assert len(set(blocks)) == 4
    other = BlockStream(tissues, 5, Augmentation(), 0)
    assert fingerprint(other.next()) != blocks[0]


def test_tissues_are_drawn_by_their_weight():
    tissues = [
        make_tissue(weight=3.0),
        make_tissue(labels=make_labels() * 11, weight=1.0),
        make_tissue(labels=make_labels() * 13, weight=0.0),
    ]
    small = Augmentation(zooms=(0.3, 0.3))
    first = [make_block(tissues, 0, i, small).label_of.max() for i in range(40)]
    seen = [int(label) for label in first]
    assert 20 <= sum(label <= 9 for label in seen) < 40
    assert not any(label % 13 == 0 for label in seen if label)


def test_tissue_without_neurites_is_refused():
    empty = make_tissue(labels=np.zeros((12, 40, 40), np.int32))
    with pytest.raises(DatasetError, match="no neurite"):
        make_block([empty], 0, 0, PLAIN)


@pytest.mark.slow
def test_workers_make_the_same_stream_and_can_be_sent_elsewhere():
    tissues = [make_tissue()]
    alone = BlockStream(tissues, 4, Augmentation(), 0)
    expected = [fingerprint(alone.at(i)) for i in range(8)]
    stream = BlockStream(tissues, 4, Augmentation(), 1)
    try:
        assert [fingerprint(stream.next()) for _ in range(3)] == expected[:3]
        stream.seek(6)
        assert [fingerprint(stream.next()) for _ in range(2)] == expected[6:]
    finally:
        stream.close()
    stream.close()


# -- endings -------------------------------------------------------------------------------------


def test_endings_are_inside_the_block_and_are_reached_from_before():
    block = make_small_block(make_labels())
    assert {(z, int(block.label_of[s])) for z, s in block.endings} == {(11, 9)}
    rng = np.random.default_rng(0)
    for _ in range(20):
        z, section = block.before_ending(rng)
        assert block.label_of[section] == 9
        assert block.sections[z][block.pixels(z, section)].tolist().count(section) > 0
        assert 0 <= z <= 11


def test_a_block_whose_neurites_all_go_on_has_no_endings():
    labels = np.ones((24, 20, 20), np.int32)
    block = make_small_block(labels)
    assert block.endings == []
    assert block.before_ending(np.random.default_rng(0)) is None


@pytest.mark.parametrize(
    ("disturbed", "fewest", "most"), [(0.0, 0, 0), (0.5, 6, 26), (1.0, 24, 32)]
)
def test_a_share_of_the_blocks_keeps_the_look_of_the_tissue(disturbed, fewest, most):
    tissue = make_tissue()
    augmentation = replace(PLAIN, disturbed=disturbed)
    changed = 0
    for seed in range(32):
        block = cut_block(tissue, np.random.default_rng(seed), augmentation)
        inside = block.grey[block.grey != OUTSIDE_GREY]
        changed += inside.min() < tissue.grey.min() - 1 or inside.max() > tissue.grey.max() + 1
    assert fewest <= changed <= most


def test_tissue_as_it_is_keeps_its_sections_in_register():
    labels = np.zeros((24, 64, 64), np.int32)
    labels[:, 10:50, 12:30], labels[:, 10:50, 34:52] = 1, 2
    moved = {}
    for disturbed in (0.0, 1.0):
        augmentation = replace(PLAIN, disturbed=disturbed)
        tissue = make_tissue(voxel_nm=(40, 10, 10), labels=labels)
        blocks = [
            cut_block(tissue, np.random.default_rng(seed), augmentation) for seed in range(24)
        ]
        shown = [block.label_of[block.sections] for block in blocks]
        moved[disturbed] = sum(bool((names != names[0]).any()) for names in shown)
    assert moved[0.0] == 0
    assert moved[1.0] >= 3
