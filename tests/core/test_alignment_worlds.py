"""Worlds of an alignment: warps, scenes, and pictures from a folder."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import bcannot_core as bc
from bcannot_core.errors import UsageError
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.alignment_scenes import (
    MARGIN,
    SCENE,
    perlin_scene,
    photo_scene,
    voronoi_scene,
)
from bcannot_core.tasks.worlds.alignment_warp import Warp, sample_warp, sample_warped
from bcannot_core.tasks.worlds.multichannel_alignment import (
    APART,
    EDGE,
    AlignmentLook,
    sample_alignment,
)
from bcannot_core.tasks.worlds.photographs import (
    BUNDLED,
    bundled_photo,
    list_folder,
    photograph,
    read_photo,
)

LOOK = AlignmentLook(10.0, 3.0, 8.0, 0.0)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth blobs, uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@given(
    seed=st.integers(0, 2**32 - 1),
    x=st.floats(0, 255),
    y=st.floats(0, 255),
)
@settings(max_examples=40, deadline=None)
def test_warps_can_be_followed_both_ways(seed: int, x: float, y: float) -> None:
    warp = sample_warp(np.random.default_rng(seed), 20.0, 8.0, 16.0)
    (there,) = warp.to_b(np.array([[x, y]])).tolist()
    assert warp.to_a(np.array([there]))[0] == pytest.approx([x, y], abs=0.02)
    assert warp.point_to_a(*there) == pytest.approx([x, y], abs=0.02)
    assert warp.point_to_b(x, y) == pytest.approx(there, abs=0.05)
    moved = np.hypot(there[0] - x, there[1] - y)
    assert moved < 100


def test_the_grid_agrees_with_the_points() -> None:
    warp = sample_warp(np.random.default_rng(4), 20.0, 8.0, 16.0)
    across, down = warp.grid()
    points = np.random.default_rng(1).integers(0, 256, (100, 2))
    seen = np.stack([grid[points[:, 1], points[:, 0]] for grid in (across, down)], axis=1)
    assert np.allclose(seen, warp.to_a(points), atol=0.02)


def test_no_warp_leaves_everything_in_place() -> None:
    warp = sample_warp(np.random.default_rng(4), 0.0, 0.0, 0.0)
    picture = texture(SCENE, SCENE)
    inner = picture[MARGIN : MARGIN + 256, MARGIN : MARGIN + 256]
    np.testing.assert_array_equal(sample_warped(picture, warp, MARGIN), inner)


def test_a_shift_moves_the_picture() -> None:
    warp = Warp(np.eye(2), np.array([6.0, -4.0]), np.zeros((2, 7, 7)))
    picture = texture(SCENE, SCENE)
    moved = picture[MARGIN - 4 : MARGIN + 252, MARGIN + 6 : MARGIN + 262]
    np.testing.assert_array_equal(sample_warped(picture, warp, MARGIN), moved)


def test_warped_pictures_show_what_the_warp_says() -> None:
    warp = sample_warp(np.random.default_rng(7), 10.0, 3.0, 8.0)
    ramp = np.tile((np.arange(SCENE) * 0.5).astype(np.uint8), (SCENE, 1))
    seen = sample_warped(ramp, warp, MARGIN).astype(float)
    assert np.abs(seen - 0.5 * (warp.grid()[0] + MARGIN)).max() < 1.5


@pytest.mark.parametrize("paint", [voronoi_scene, perlin_scene])
def test_painted_scenes_use_the_grey_scale_and_relate(paint) -> None:  # type: ignore[no-untyped-def]
    for seed in range(3):
        scene = paint(np.random.default_rng(seed))
        again = paint(np.random.default_rng(seed))
        np.testing.assert_array_equal(scene.first, again.first)
        np.testing.assert_array_equal(scene.second, again.second)
        for channel in (scene.first, scene.second):
            assert channel.shape == (SCENE, SCENE)
            low, high = np.percentile(channel, (2, 98))
            assert high - low > 60
        assert len(scene.corners) >= 12
        assert (scene.first != scene.second).mean() > 0.5


def test_membranes_are_bright_in_one_channel_and_dark_in_the_other() -> None:
    scene = voronoi_scene(np.random.default_rng(1))
    walls = scene.first > 150
    assert 0.03 < walls.mean() < 0.4
    assert scene.second[walls].mean() < 0.6 * scene.second[~walls].mean()
    for x, y in scene.corners[:20].astype(int):
        if 2 < x < SCENE - 3 and 2 < y < SCENE - 3:
            assert scene.first[y - 2 : y + 3, x - 2 : x + 3].max() > 150


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_photographs_are_large_enough_and_have_corners(name: str) -> None:
    photo = bundled_photo(name)
    assert min(photo.channels[0].shape) >= SCENE
    assert len(photo.corners) > 30
    scene = photo_scene(np.random.default_rng(2), photo)
    assert scene.first.shape == scene.second.shape == (SCENE, SCENE)


@pytest.mark.parametrize("source", ["natural", "voronoi", "perlin", "mixed"])
def test_landmarks_lie_apart_and_in_both_channels(source: str) -> None:
    for seed in range(6):
        world = sample_alignment(np.random.default_rng(seed), source, "", 10, LOOK)
        assert world.landmarks_a.shape == world.landmarks_b.shape == (10, 2)
        for points in (world.landmarks_a, world.landmarks_b):
            assert ((points >= EDGE - 1) & (points <= 256 - EDGE + 1)).all()
        gaps = [
            np.hypot(*(a - b))
            for i, a in enumerate(world.landmarks_a)
            for b in world.landmarks_a[:i]
        ]
        assert min(gaps) >= APART
        assert np.allclose(world.warp.to_a(world.landmarks_b), world.landmarks_a, atol=0.02)


def test_mixed_worlds_have_all_sources() -> None:
    names = {
        sample_alignment(np.random.default_rng(seed), "mixed", "", 4, LOOK).source
        for seed in range(24)
    }
    assert {"voronoi", "perlin"} < names
    assert names & set(BUNDLED)


def folder_of(path: Path) -> Path:
    """Pictures of several kinds, and a file that is none."""
    Image.fromarray(texture(400, 500)).save(path / "b_grey.png")
    Image.fromarray(np.stack([texture(360, 380, i) for i in range(3)], -1)).save(path / "c_rgb.jpg")
    deep = texture(380, 390, 5).astype(np.uint16) * 12 + 400
    tifffile.imwrite(path / "a_deep.tif", deep)
    tifffile.imwrite(path / "d_two.tiff", np.stack([texture(400, 400, i) for i in (1, 2)]))
    tifffile.imwrite(path / "e_float.tif", texture(64, 90, 6).astype(np.float32) / 7)
    (path / "notes.txt").write_text("no picture")
    return path


def test_a_folder_is_read_by_name_without_other_files(tmp_path: Path) -> None:
    files = list_folder(folder_of(tmp_path))
    assert [file.name for file in files] == [
        "a_deep.tif",
        "b_grey.png",
        "c_rgb.jpg",
        "d_two.tiff",
        "e_float.tif",
    ]
    photos = {file.name: read_photo(file) for file in files}
    assert [len(photo.channels) for photo in photos.values()] == [1, 1, 3, 2, 1]
    for photo in photos.values():
        assert all(channel.dtype == np.uint8 for channel in photo.channels)
        assert min(photo.channels[0].shape) >= SCENE
        assert photo.channels[0].std() > 10
        assert len(photo.corners) > 5
    np.testing.assert_array_equal(photos["b_grey.png"].channels[0], texture(400, 500))
    np.testing.assert_array_equal(photos["d_two.tiff"].channels[1], texture(400, 400, 2))


def test_two_channels_of_a_file_become_the_two_channels_of_the_task(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "two.tif", np.stack([texture(400, 400, i) for i in (1, 2)]))
    scene = photo_scene(np.random.default_rng(0), read_photo(tmp_path / "two.tif"))
    for shown, seed in ((scene.first, 1), (scene.second, 2)):
        whole = texture(400, 400, seed)
        assert any(
            np.array_equal(whole[top : top + SCENE, left : left + SCENE], shown)
            for top in range(65)
            for left in range(65)
        )


def test_an_episode_on_the_users_pictures_succeeds_and_repeats(tmp_path: Path) -> None:
    folder = str(folder_of(tmp_path))
    names = set()
    for seed in range(6):
        options = {"source": "folder", "folder": folder, "landmarks": 5}
        task = make_task("multichannel_alignment", seed, **options)
        again = make_task("multichannel_alignment", seed, **options)
        names.add(task.world.source)  # type: ignore[attr-defined]
        one, other = (t.content(t.initial_state()).canvas for t in (task, again))
        np.testing.assert_array_equal(one, other)
        session = Session(task)
        bc.make_annotator(session, seed=seed).run(300)
        assert session.task.score(session.state)["success"]
    assert len(names) > 1


@pytest.mark.parametrize("value", [0, 255])
def test_pictures_without_any_corner_still_have_landmarks(tmp_path: Path, value: int) -> None:
    Image.fromarray(np.full((400, 400), value, np.uint8)).save(tmp_path / "flat.png")
    options = {"source": "folder", "folder": str(tmp_path)}
    session = Session(make_task("multichannel_alignment", 1, **options))
    bc.make_annotator(session).run(300)
    assert session.task.score(session.state)["success"]


def test_unreadable_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        list_folder(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no picture"):
        list_folder(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(UsageError, match=r"broken\.png"):
        read_photo(tmp_path / "broken.png")
    (tmp_path / "broken.tif").write_bytes(b"II*\x00nonsense")
    with pytest.raises(UsageError, match=r"broken\.tif"):
        read_photo(tmp_path / "broken.tif")
    Image.fromarray(texture(20, 90)).save(tmp_path / "tiny.png")
    with pytest.raises(UsageError, match="20×90"):
        read_photo(tmp_path / "tiny.png")


def test_arrays_of_odd_kinds() -> None:
    stack = photograph("stack", np.stack([texture(400, 400, i) for i in range(5)]))
    np.testing.assert_array_equal(stack.channels[0], texture(400, 400, 0))
    large = photograph("large", texture(1500, 1400))
    assert min(large.channels[0].shape) == 1200
    with pytest.raises(UsageError, match="complex"):
        photograph("odd", np.ones((400, 400), complex))
    with pytest.raises(UsageError, match="shape"):
        photograph("row", np.ones(400))
    gaps = texture(400, 400).astype(np.float64)
    gaps[:50] = np.nan
    assert photograph("gaps", gaps).channels[0].std() > 10
