"""Multi-channel alignment: landmark pairs, scores, layers and the annotator."""

import numpy as np
import pytest

import bcannot_core as bc
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Action, Session
from bcannot_core.tasks.multichannel_alignment import (
    AlignmentConfig,
    AlignmentState,
    MultichannelAlignment,
)
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.worlds.alignment_warp import Warp
from bcannot_core.tasks.worlds.multichannel_alignment import AlignmentWorld

SHIFT = (6.0, -4.0)
FIRST = ((60, 60), (150, 90), (90, 200))


def shifted_session(landmarks: int = 3) -> Session:
    """Channel B is channel A moved by whole pixels: a = b + (6, -4)."""
    warp = Warp(np.eye(2), np.array(SHIFT), np.zeros((2, 7, 7)))
    channels = np.full((256, 256), 90, np.uint8), np.full((256, 256), 30, np.uint8)
    points = np.array(FIRST, dtype=float)
    world = AlignmentWorld("grey", channels, warp, points, warp.to_b(points))
    return Session(MultichannelAlignment(world, AlignmentConfig(landmarks=landmarks)))


def click(session: Session, *aims: str | tuple[int, int]) -> list[str]:
    return [session.apply(session.click_for(aim)).action for aim in aims]


def match(xy: tuple[int, int], off: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    return xy[0] - int(SHIFT[0]) + off[0], xy[1] - int(SHIFT[1]) + off[1]


def test_clicks_place_numbered_points_in_the_channel_that_is_shown() -> None:
    session = shifted_session()
    a, b, c = FIRST
    assert click(session, a, b, "channel_b", match(a)) == ["place", "place", "select", "place"]
    assert session.state.points == ((a, b), (match(a),))
    assert session.state.pairs == 1
    assert click(session, "channel_b", match(b), match(c), match(c)) == [
        "none",
        "place",
        "place",
        "none",
    ]
    assert len(session.state.points[1]) == 3


def test_undo_takes_back_the_last_point_and_returns_to_its_channel() -> None:
    session = shifted_session()
    click(session, FIRST[0], "channel_b", match(FIRST[0]), "channel_a")
    assert click(session, "undo") == ["undo"]
    assert (session.state.channel, session.state.points) == (1, ((FIRST[0],), ()))
    click(session, "undo")
    assert (session.state.channel, session.state.points) == (0, ((), ()))
    assert click(session, "undo") == ["none"]
    session.redo()
    session.redo()
    assert session.state.points == ((FIRST[0],), (match(FIRST[0]),))


@pytest.mark.parametrize(
    ("clicks", "hint", "status"),
    [
        ((), "Place point 1 in either channel", "0/3 pairs"),
        ((FIRST[0],), "Find point 1 in channel B", "0/3 pairs"),
        (("channel_b", FIRST[0]), "Find point 1 in channel A", "0/3 pairs"),
        ((FIRST[0], "channel_b", FIRST[1]), "Place point 2 in either channel", "1/3 pairs"),
        ((*FIRST, "channel_b", *FIRST), "All pairs placed: press Done", "3/3 pairs"),
    ],
)
def test_the_screen_says_what_is_next(
    clicks: tuple[str | tuple[int, int], ...], hint: str, status: str
) -> None:
    session = shifted_session()
    click(session, *clicks)
    content = session.task.content(session.state)
    assert content.hint == hint
    assert content.status[0] == status
    assert content.pressed == {("channel_a", "channel_b")[session.state.channel]}


def test_only_the_points_of_the_channel_are_drawn_with_their_numbers() -> None:
    session = shifted_session()
    click(session, FIRST[0], FIRST[1], "channel_b")
    assert session.task.content(session.state).shapes == ()
    click(session, "channel_a")
    content = session.task.content(session.state)
    texts = [shape.text for shape in content.shapes if hasattr(shape, "text")]
    assert texts == ["1", "2"]
    assert [(marker.x, marker.y) for marker in content.markers] == [FIRST[0], FIRST[1]]


def finished_with(off: tuple[int, int], points: tuple[tuple[int, int], ...] = FIRST) -> dict:
    session = shifted_session(len(points))
    click(session, *points, "channel_b", *(match(xy) for xy in points[:-1]))
    click(session, match(points[-1], off), "done")
    return session.task.score(session.state)


def test_scores_of_made_states() -> None:
    right = finished_with((0, 0))
    assert right == {
        "pairs": 3,
        "completion": 1.0,
        "landmark_error_px": 0.0,
        "worst_error_px": 0.0,
        "within_5px": 1.0,
        "distinct": True,
        "success": True,
    }
    edge, beyond = finished_with((3, 4)), finished_with((4, 4))
    assert edge["success"] is True
    assert edge["landmark_error_px"] == pytest.approx(5 / 3)
    assert beyond["success"] is False
    assert beyond["within_5px"] == pytest.approx(2 / 3)
    assert beyond["worst_error_px"] == pytest.approx(32**0.5)


def test_points_on_one_another_count_for_nothing() -> None:
    score = finished_with((0, 0), ((60, 60), (150, 90), (64, 64)))
    assert (score["distinct"], score["success"]) == (False, False)


def test_an_unfinished_alignment_has_no_success() -> None:
    session = shifted_session()
    click(session, FIRST[0], "channel_b", match(FIRST[0]), "done")
    score = session.task.score(session.state)
    assert (score["pairs"], score["success"]) == (1, False)
    assert score["completion"] == pytest.approx(1 / 3)
    empty = session.task.score(AlignmentState())
    assert (empty["landmark_error_px"], empty["completion"]) == (256.0, 0.0)


def test_unknown_actions_and_values_are_refused() -> None:
    task = shifted_session().task
    with pytest.raises(TaskError, match="channel_c"):
        task.apply(task.initial_state(), Action("select", None, "channel_c"))
    with pytest.raises(UsageError, match="source is 'cells'"):
        AlignmentConfig(source="cells")
    with pytest.raises(UsageError, match="folder"):
        AlignmentConfig(source="folder")
    with pytest.raises(UsageError, match="folder"):
        AlignmentConfig(folder="somewhere")
    with pytest.raises(UsageError, match="landmarks is 99"):
        AlignmentConfig(landmarks=99)


def test_layers_show_channels_apart_and_matches_that_match() -> None:
    task = make_task("multichannel_alignment", 3, source="voronoi")
    layers = {attributes["name"]: (data, attributes) for data, attributes, _ in task.layers()}
    assert layers["channel A"][1]["colormap"] != layers["channel B"][1]["colormap"]
    first, second = layers["matches A"][0], layers["matches B"][0]
    warp = task.world.warp  # type: ignore[attr-defined]
    assert np.allclose(warp.to_a(second[:, ::-1]), first[:, ::-1], atol=0.05)
    arrows = layers["warp"][0]
    start, moved = arrows[:, 0, ::-1], arrows[:, 1, ::-1]
    assert np.allclose(warp.to_a(start), start + moved)
    assert "landmarks A" not in layers


@pytest.mark.parametrize("source", ["natural", "voronoi", "perlin"])
def test_the_annotator_succeeds_on_every_source(source: str) -> None:
    for seed in range(4):
        session = Session(make_task("multichannel_alignment", seed, source=source))
        bc.make_annotator(session, seed=seed).run(400)
        score = session.task.score(session.state)
        assert score["success"]
        assert score["landmark_error_px"] < 3


@pytest.mark.parametrize("landmarks", [2, 12])
def test_the_annotator_succeeds_under_the_strongest_warp(landmarks: int) -> None:
    strong = {"warp_px": 20.0, "rotation_deg": 8.0, "shift_px": 16.0, "source": "perlin"}
    for seed in range(5):
        task = make_task("multichannel_alignment", seed, landmarks=landmarks, **strong)
        session = Session(task)
        bc.make_annotator(session, seed=seed).run(600)
        assert session.task.score(session.state)["success"]


def test_the_annotator_pairs_points_that_others_chose() -> None:
    session = shifted_session()
    click(session, (33, 201), "channel_b", (120, 40), (20, 20))
    bc.make_annotator(session, behaviour="flawless").run(60)
    assert session.task.score(session.state)["success"]
    assert (33, 201) in session.state.points[0]


def test_the_annotator_takes_back_points_without_a_match() -> None:
    session = shifted_session()
    click(session, (1, 254))  # outside channel B
    annotator = bc.make_annotator(session, behaviour="flawless")
    assert annotator.step().action == "undo"
    annotator.run(60)
    assert session.task.score(session.state)["success"]
