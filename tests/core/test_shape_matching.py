"""Shape matching: fields, hits, marks and scores."""

import math
from collections import Counter

import numpy as np
import pytest

import bcannot_core as bc
from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Flag, unpack_flags
from bcannot_core.errors import UsageError
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.scoring import polygon_mask
from bcannot_core.tasks.shape_matching import ShapeMatching
from bcannot_core.tasks.worlds.shape_matching import (
    FIELD_HW,
    SHAPES,
    FieldLook,
    FieldWorld,
    Item,
    sample_field,
    shape_mask,
    shape_outline,
    template_picture,
)

RED = (200, 60, 60)


def small_session() -> Session:
    """Two stars, a circle and a square; stars are asked for."""
    items = (
        Item("star", 40, 50, 14, 0, 1.0, RED),
        Item("circle", 120, 50, 14, 0, 1.0, RED),
        Item("square", 200, 50, 14, 30, 1.0, RED),
        Item("star", 60, 200, 12, 24, 1.0, RED),
    )
    paper = np.full((*FIELD_HW, 3), 220, np.uint8)
    return Session(ShapeMatching(FieldWorld("star", items, paper, template_picture("star"))))


def mark(session: Session, *indices: int) -> list[str]:
    items = session.task.world.items  # type: ignore[attr-defined]
    return [session.apply(session.click_for((items[i].x, items[i].y))).action for i in indices]


def look(**changes: float) -> FieldLook:
    plain = {
        "objects": 20,
        "matches": 6,
        "crowding": 0.5,
        "size_spread": 0.6,
        "deformation": 0.4,
        "contrast": 0.9,
        "noise": 0.02,
    }
    return FieldLook(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("radius", "turn", "stretch"), [(19, 0, 1.0), (14, 42, 0.88)])
def test_masks_fill_their_outlines(shape: str, radius: int, turn: int, stretch: float) -> None:
    mask = shape_mask(shape, radius, turn, stretch)
    reach = radius + 1
    assert mask.shape == (2 * reach + 1, 2 * reach + 1)
    item = Item(shape, reach, reach, radius, turn, stretch, RED)
    filled = polygon_mask(shape_outline(item)[:, ::-1], mask.shape)
    assert abs(mask.sum() / 255 - filled.sum()) < 0.1 * filled.sum()
    assert (mask[filled] > 100).mean() > 0.93
    assert mask[reach, reach] == 255


def test_shapes_of_a_radius_differ_and_have_similar_areas() -> None:
    masks = {shape: shape_mask(shape, 16, 0, 1.0).astype(float) / 255 for shape in SHAPES}
    areas = {shape: mask.sum() for shape, mask in masks.items()}
    assert max(areas.values()) < 2.2 * min(areas.values())
    for i, shape in enumerate(SHAPES):
        for other in SHAPES[:i]:
            assert np.abs(masks[shape] - masks[other]).sum() > 0.2 * areas[shape]


@pytest.mark.parametrize("crowding", [0.0, 1.0])
@pytest.mark.parametrize("objects", [8, 40])
def test_objects_lie_apart_and_on_the_field(crowding: float, objects: int) -> None:
    for seed in range(4):
        asked = look(objects=objects, matches=4, crowding=crowding)
        items = sample_field(np.random.default_rng(seed), asked).items
        assert len(items) == objects
        for i, item in enumerate(items):
            low = item.radius
            assert low <= item.x < FIELD_HW[1] - low
            assert low <= item.y < FIELD_HW[0] - low
            for other in items[:i]:
                gap = math.hypot(item.x - other.x, item.y - other.y) - item.radius - other.radius
                assert gap >= 0


def test_fields_have_the_matches_asked_for_and_all_templates() -> None:
    worlds = [sample_field(np.random.default_rng(seed), look()) for seed in range(40)]
    assert {world.template for world in worlds} == set(SHAPES)
    assert all(len(world.wanted) == 6 for world in worlds)
    shapes = Counter(item.shape for world in worlds for item in world.items)
    assert min(shapes.values()) > 60
    again = sample_field(np.random.default_rng(7), look())
    assert again.items == worlds[7].items
    np.testing.assert_array_equal(again.picture, worlds[7].picture)


def test_looks_change_the_field() -> None:
    def spread(**changes: float) -> float:
        world = sample_field(np.random.default_rng(2), look(**changes))
        return float(np.std([item.radius for item in world.items]))

    assert spread(size_spread=0.0) == 0 < spread(size_spread=1.0)
    plain = sample_field(np.random.default_rng(2), look(deformation=0.0))
    assert {item.stretch for item in plain.items} == {1.0}
    faint, strong = (
        sample_field(np.random.default_rng(2), look(contrast=c, noise=0.0)) for c in (0.3, 1.0)
    )
    assert faint.picture.std() < strong.picture.std()


def test_an_object_is_hit_where_it_is_seen() -> None:
    world = sample_field(np.random.default_rng(3), look(noise=0.0))
    paper = world.picture[0, 0].astype(int)
    for y in range(0, FIELD_HW[0], 3):
        for x in range(0, FIELD_HW[1], 3):
            inked = np.abs(world.picture[y, x].astype(int) - paper).sum()
            if world.item_at(x, y) is not None:
                assert inked > 0
            elif inked > 0:  # an edge or a tip that is less than half covered
                around = range(-3, 4)
                near = [world.item_at(x + dx, y + dy) for dx in around for dy in around]
                assert any(found is not None for found in near)


def test_marks_count_once_and_paper_does_nothing() -> None:
    session = small_session()
    assert mark(session, 0, 0, 1) == ["place", "none", "place"]
    assert session.apply(session.click_for((5, 5))).action == "none"
    assert session.state.marked == (0, 1)
    assert session.state.false_clicks == 1


def test_the_counter_and_the_marks_are_shown() -> None:
    session = small_session()
    empty = session.task.content(session.state)
    assert (empty.status, empty.caption) == (("FOUND: 0/2",), "MATCH THIS")
    assert "undo" in empty.disabled
    mark(session, 0, 2)
    shown = session.task.content(session.state)
    assert shown.status == ("FOUND: 1/2",)
    assert shown.progress == 0.5
    rings = {(marker.x, marker.y): marker.colour for marker in shown.markers}
    assert rings[40, 50][1] > rings[40, 50][0]
    assert rings[200, 50][0] > rings[200, 50][1]
    assert [(shape.x, shape.y) for shape in shown.shapes] == [(200, 50)]


def test_the_template_is_on_the_screen() -> None:
    session = small_session()
    layout = session.screen.layout
    assert layout.panel is not None
    shown = session.frame()[layout.panel.slices]
    np.testing.assert_array_equal(shown, template_picture("star"))


def test_scores_of_made_states() -> None:
    session = small_session()
    start = session.task.score(session.state)
    assert (start["found"], start["missed"], start["false"], start["f1"]) == (0, 2, 0, 0.0)
    mark(session, 0, 1, 3)
    score = session.task.score(session.state)
    assert (score["found"], score["false"], score["false_clicks"]) == (2, 1, 1)
    assert score["precision"] == pytest.approx(2 / 3)
    assert score["recall"] == 1.0
    session.apply(session.click_for("done"))
    assert session.task.score(session.state)["success"] is False

    mended = small_session()
    mark(mended, 1)
    mended.undo()
    mark(mended, 3, 0)
    assert mended.task.score(mended.state)["success"] is False
    mended.apply(mended.click_for("done"))
    score = mended.task.score(mended.state)
    assert (score["success"], score["false"], score["false_clicks"]) == (True, 0, 1)


def test_options_are_checked() -> None:
    assert len(make_task("shape_matching", 1, objects=12, matches=3).world.items) == 12  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="matches"):
        make_task("shape_matching", 1, objects=6, matches=7)
    with pytest.raises(UsageError, match="objects is 500"):
        make_task("shape_matching", 1, objects=500)


def test_layers_outline_the_objects() -> None:
    session = small_session()
    mark(session, 0, 1)
    layers = {
        attributes["name"]: (data, attributes, kind)
        for data, attributes, kind in session.task.layers(session.state)
    }
    outlines, attributes, kind = layers["objects"]
    assert (kind, attributes["visible"]) == ("shapes", False)
    assert list(attributes["features"]["match"]) == [True, False, False, True]
    assert np.allclose(outlines[1].mean(axis=0), (50, 120))
    marks = layers["marked"]
    assert marks[0].tolist() == [[50, 40], [50, 120]]
    assert list(marks[1]["features"]["match"]) == [True, False]


def test_the_annotator_takes_back_false_marks_of_others() -> None:
    session = small_session()
    mark(session, 1, 0, 2)
    bc.make_annotator(session, behaviour="flawless").run(30)
    assert session.task.score(session.state)["success"]
    assert [token.action for token in session.clicks][3:6] == ["undo"] * 3


def test_mistakes_are_objects_of_another_shape_or_clicks_beside_one() -> None:
    behaviour = Behaviour(near_miss=0.15, far_miss=0.0, wrong_object=0.15)
    kinds = Counter()
    for seed in range(12):
        session = Session(make_task("shape_matching", seed))
        bc.make_annotator(session, seed=seed, behaviour=behaviour).run(300)
        wanted = session.task.wanted  # type: ignore[attr-defined]
        world = session.task.world  # type: ignore[attr-defined]
        canvas = session.screen.layout.canvas
        for token in session.clicks:
            item = world.item_at(token.x - canvas.x, token.y - canvas.y)
            if token.action == "place" and item not in wanted:
                kinds["wrong"] += 1
                assert unpack_flags(token.flags).events & Flag.MISTAKE
            elif token.action == "none":
                kinds["beside"] += 1
                assert item is None
    assert kinds["wrong"] > 5
    assert kinds["beside"] > 5
