"""3D exploration: objects, their twins and views, choices and scores."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bcannot_core as bc
from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Action, Session
from bcannot_core.tasks.exploration_3d import TURNS, Exploration3D, ExplorationConfig
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.exploration_3d import (
    PLANAR,
    SHAPES,
    SIGHTS,
    SPHERES,
    ObjectWorld,
    Rotation,
    Vector,
    about,
    compose,
    draw,
    facing,
    sample_object,
    turned,
)

AXES: tuple[Vector, ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
IDENTITY: Rotation = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def world_of(shape: str = "plus", view: Rotation = IDENTITY) -> ObjectWorld:
    backdrop = np.full((256, 256, 3), 30, np.uint8)
    return ObjectWorld(shape, "line", SHAPES[shape], view, 80.0, 15.0, (200, 100, 50), backdrop)


def session_of(shape: str = "plus") -> Session:
    return Session(Exploration3D(world_of(shape)))


def press(session: Session, *names: str) -> list[str]:
    return [session.apply(session.click_for(name)).action for name in names]


def outline(shape: str, sight: Vector) -> np.ndarray:
    """Sorted distances between the spots that are seen, the largest being 1."""
    view = facing(sight)
    spots: list[Vector] = []
    for sphere in SHAPES[shape]:
        x, y, _ = turned(view, sphere)
        if all(math.hypot(x - u, y - v) > 0.1 for u, v, _ in spots):
            spots.append((x, y, 0))
    apart = [math.dist(a, b) for i, a in enumerate(spots) for b in spots[:i]]
    return np.sort(apart) / max(apart, default=1)


@pytest.mark.parametrize(
    ("shape", "sight", "twin"),
    [(shape, sight, twin) for shape, views in SIGHTS.items() for sight, twin in views],
)
def test_an_object_first_looks_like_its_twin(shape: str, sight: Vector, twin: str) -> None:
    seen = outline(shape, sight)
    views = [view for view, _ in SIGHTS[twin]] + list(AXES)
    alike = [outline(twin, view) for view in views]
    assert any(len(a) == len(seen) and np.abs(a - seen).max() < 0.13 for a in alike)
    assert twin != shape


@pytest.mark.parametrize("shape", SHAPES)
def test_kinds_have_five_spheres_and_are_flat_or_not(shape: str) -> None:
    centres = np.array(SHAPES[shape], dtype=float)
    assert centres.shape == (SPHERES, 3)
    rank = np.linalg.matrix_rank(centres - centres.mean(axis=0), tol=1e-6)
    assert (rank <= 2) == (shape in PLANAR)
    gaps = [math.dist(a, b) for i, a in enumerate(centres) for b in centres[:i]]
    assert min(gaps) > 0.44  # spheres have radii up to 0.22


@pytest.mark.parametrize("shape", SHAPES)
def test_no_kind_looks_like_another_from_all_sides(shape: str) -> None:
    def signature(kind: str) -> np.ndarray:
        centres = np.array(SHAPES[kind], dtype=float)
        gaps = [math.dist(a, b) for i, a in enumerate(centres) for b in centres[:i]]
        return np.sort(gaps) / max(gaps)

    for other in SHAPES:
        if other != shape:
            assert np.abs(signature(shape) - signature(other)).max() > 0.05


@given(
    axis=st.sampled_from("xyz"),
    degrees=st.floats(-720, 720),
    vector=st.tuples(*[st.floats(-2, 2)] * 3),
)
def test_rotations_keep_lengths_and_are_undone_by_their_opposite(
    axis: str, degrees: float, vector: Vector
) -> None:
    there = about(axis, degrees)
    moved = turned(there, vector)
    assert math.dist(moved, (0, 0, 0)) == pytest.approx(math.dist(vector, (0, 0, 0)))
    back = compose(about(axis, -degrees), there)
    assert np.allclose(back, IDENTITY, atol=1e-9)
    assert np.allclose(turned(back, vector), vector, atol=1e-9)


@pytest.mark.parametrize(
    ("turn", "moved"),
    [("turn_right", (1, 0)), ("turn_left", (-1, 0)), ("turn_down", (0, 1)), ("turn_up", (0, -1))],
)
def test_the_near_side_goes_where_the_button_says(turn: str, moved: tuple[int, int]) -> None:
    axis, sign = TURNS[turn]
    x, y, z = turned(about(axis, 30 * sign), (0, 0, 1))
    assert (round(2 * x), round(2 * y)) == moved
    assert z > 0


@given(sight=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: math.dist(v, (0, 0, 0)) > 0.1))
def test_facing_turns_a_direction_to_the_viewer(sight: Vector) -> None:
    size = math.dist(sight, (0, 0, 0))
    unit = sight[0] / size, sight[1] / size, sight[2] / size
    view = facing(unit)
    assert np.allclose(turned(view, unit), (0, 0, 1), atol=1e-9)
    assert np.allclose(np.array(view) @ np.array(view).T, np.eye(3), atol=1e-9)


def test_worlds_have_all_kinds_and_are_the_same_for_a_seed() -> None:
    def make(seed: int) -> ObjectWorld:
        return sample_object(np.random.default_rng(seed), 3.0, 0.015, 0.02, 1.0)

    worlds = [make(seed) for seed in range(80)]
    assert {world.shape for world in worlds} == set(SHAPES)
    for world in worlds[:5]:
        same = make(worlds.index(world))
        assert (same.shape, same.spheres, same.orientation) == (
            world.shape,
            world.spheres,
            world.orientation,
        )
        np.testing.assert_array_equal(same.backdrop, world.backdrop)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_noise_never_wraps_around(noise: float) -> None:
    world = sample_object(np.random.default_rng(1), 3.0, 0.0, noise, 1.0)
    assert world.backdrop.max() < 200
    assert world.backdrop.min() > 0 or noise
    assert (world.backdrop.astype(float).std(axis=(0, 1)) > 255 * noise / 3).all()


def test_all_spheres_are_drawn_on_the_canvas_from_any_side() -> None:
    for seed in range(40):
        world = sample_object(np.random.default_rng(seed), 10.0, 0.06, 0.0, 1.0)
        view = compose(about("x", 11 * seed), compose(about("y", 37 * seed), world.orientation))
        picture = draw(world, view)
        assert picture.shape == (256, 256, 3)
        assert not picture.flags.writeable
        for x, y, _ in world.seen(view):
            at = int(y + 0.5), int(x + 0.5)
            assert (picture[at] != world.backdrop[at]).any()


def test_near_spheres_hide_far_ones() -> None:
    line = world_of("line", facing((1, 0, 0)))
    seen = line.seen(line.orientation)
    near, far = max(seen, key=lambda s: s[2]), min(seen, key=lambda s: s[2])
    assert near[2] > far[2]
    alone = ObjectWorld("line", "plus", (SHAPES["line"][4],), *_rest(line))
    inner = slice(128 - 9, 128 + 10), slice(128 - 9, 128 + 10)
    np.testing.assert_array_equal(
        draw(line, line.orientation)[inner], draw(alone, line.orientation)[inner]
    )
    behind = world_of("line", facing((-1, 0, 0)))
    last = ObjectWorld("line", "plus", (SHAPES["line"][4],), *_rest(behind))
    hidden, shown = (draw(world, behind.orientation)[inner] for world in (behind, last))
    assert (hidden != shown).any()


def _rest(world: ObjectWorld) -> tuple[Rotation, float, float, tuple[int, int, int], np.ndarray]:
    return world.orientation, world.scale, world.radius, world.colour, world.backdrop


def test_turning_there_and_back_shows_the_same_picture() -> None:
    session = session_of()
    first = session.task.content(session.state)
    press(session, "turn_left", "turn_up")
    assert session.task.content(session.state).canvas is not first.canvas
    press(session, "turn_down", "turn_right")
    again = session.task.content(session.state)
    assert again.canvas is first.canvas
    assert again.status[0] == "4 turns"


def test_a_choice_can_be_changed_and_taken_back() -> None:
    session = session_of("methane")
    task = session.task
    assert press(session, "undo", "plus", "plus", "methane") == [
        "none",
        "select",
        "none",
        "select",
    ]
    assert task.content(session.state).pressed == {"methane"}
    assert press(session, "undo") == ["undo"]
    assert session.state.chosen == "plus"
    assert press(session, "undo") == ["undo"]
    assert session.state.chosen == ""
    assert "undo" in task.content(session.state).disabled


def test_undo_returns_to_the_view_of_the_choice_and_keeps_the_count_of_turns() -> None:
    session = session_of()
    press(session, "turn_left")
    view = session.state.orientation
    press(session, "line", "turn_up", "undo")
    assert session.state.orientation == view
    assert session.state.turns == 2


def test_scores_of_made_states() -> None:
    session = session_of("helix")
    assert session.task.score(session.state) == {
        "class_accuracy": 0.0,
        "answered": False,
        "turns": 0,
        "choices": 0,
        "planar": False,
        "success": False,
    }
    press(session, "turn_left", "zigzag", "helix")
    right = session.task.score(session.state)
    assert (right["class_accuracy"], right["choices"], right["success"]) == (1.0, 2, False)
    press(session, "done")
    assert session.task.score(session.state)["success"] is True

    wrong = session_of("helix")
    press(wrong, "zigzag", "done")
    assert wrong.task.score(wrong.state)["success"] is False
    assert wrong.task.score(wrong.state)["answered"] is True


def test_clicks_on_the_canvas_do_nothing() -> None:
    session = session_of()
    state = session.state
    assert session.apply(session.click_for((128, 128))).action == "none"
    assert session.state is state


def test_unknown_actions_and_values_are_refused() -> None:
    task = Exploration3D(world_of())
    with pytest.raises(TaskError, match="cube"):
        task.apply(task.initial_state(), Action("select", None, "cube"))
    with pytest.raises(UsageError, match="step_deg is 90"):
        ExplorationConfig(step_deg=90)
    with pytest.raises(UsageError, match="deformation"):
        ExplorationConfig(deformation=0.5)


def test_step_and_contrast_are_used() -> None:
    small = make_task("exploration_3d", 3, step_deg=10)
    large = make_task("exploration_3d", 3, step_deg=60)
    turn = Action("rotate", None, "turn_left")
    views = [task.apply(task.initial_state(), turn).orientation for task in (small, large)]
    start = small.initial_state().orientation
    angles = [math.acos((np.trace(np.array(v) @ np.array(start).T) - 1) / 2) for v in views]
    assert np.degrees(angles) == pytest.approx([10, 60])
    dim = make_task("exploration_3d", 3, contrast=0.4)
    state = dim.initial_state()
    assert dim.content(state).canvas.sum() < small.content(state).canvas.sum()


def test_layers_hold_the_spheres_in_voxels() -> None:
    task = Exploration3D(world_of("line"))
    (volume, image, _), (centres, points, _) = task.layers()
    assert volume.shape == (64, 64, 64)
    assert image["scale"] == points["scale"] == (4.0, 4.0, 4.0)
    assert points["visible"] is False
    for z, y, x in np.rint(centres).astype(int):
        assert volume[z, y, x] > 200
    assert set(points["features"]["class"]) == {"line"}
    answer = task.layers(task.apply(task.initial_state(), Action("select", None, "helix")))[-1]
    assert answer[1]["features"]["class"] == ["helix"]


def test_the_annotator_turns_about_both_axes_before_it_names() -> None:
    lengths = []
    for seed in range(40):
        session = Session(make_task("exploration_3d", seed))
        bc.make_annotator(session, seed=seed).run(60)
        lengths.append(len(session.clicks))
        labels = [unpack_flags(token.flags) for token in session.clicks]
        first = next(i for i, label in enumerate(labels) if label.phase is Phase.PLACE)
        assert first >= 2
        assert all(label.phase is Phase.EXPLORE for label in labels[:first])
        wrong = [label for label in labels if label.events & Flag.MISTAKE]
        assert all(label.phase in (Phase.PLACE, Phase.VERIFY) for label in wrong)
    assert 5 <= np.mean(lengths) <= 10


def test_the_annotator_chooses_again_or_takes_back_what_others_chose() -> None:
    ways = set()
    for seed in range(12):
        session = session_of("bipyramid")
        press(session, "methane", "turn_left", "plus")
        annotator = bc.make_annotator(session, seed=seed, behaviour="flawless")
        ways.add(annotator.step().action)
        annotator.run(30)
        assert session.task.score(session.state)["success"]
    assert ways == {"undo", "select"}
