"""Spectral plume finding: what clicks do, the score, the screen and the layers."""

import numpy as np
import pytest

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import Disc, Line
from bcannot_core.session import Action, Session
from bcannot_core.tasks.plume_signature import signature_picture
from bcannot_core.tasks.plume_views import plume_iou
from bcannot_core.tasks.registry import make_task
from bcannot_core.tasks.scoring import mask_iou, polygon_mask
from bcannot_core.tasks.spectral_plume import PlumeState, SpectralPlume
from bcannot_core.tasks.worlds.outlines import simplify
from bcannot_core.tasks.worlds.spectral_materials import BANDS, GASES
from bcannot_core.tasks.worlds.spectral_plume import Cloud

SQUARE = ((40, 40), (90, 40), (90, 90), (40, 90))


def session(seed: int = 0, **options: object) -> Session:
    return Session(make_task("spectral_plume", seed, **options))


def click(under: Session, *aims: object) -> list[str]:
    return [under.apply(under.click_for(aim)).action for aim in aims]


def polygon_of(cloud: Cloud, vertices: int = 12) -> tuple[tuple[int, int], ...]:
    return tuple((int(x), int(y)) for x, y in simplify(cloud.outline_xy, vertices).round())


def score(task: SpectralPlume, *polygons: object, **changes: object) -> dict[str, object]:
    return task.score(PlumeState(**{"polygons": polygons, "terminated": True, **changes}))


def test_bands_are_shown_one_at_a_time_and_toggled_off_again() -> None:
    under = session()
    task = under.task
    assert task.content(under.state).canvas is task.world.band(None)
    assert click(under, "band_2", "band_5") == ["toggle", "toggle"]
    assert under.state.band == 4
    assert task.content(under.state).canvas is task.world.band(4)
    assert task.content(under.state).pressed == {"band_5"}
    assert click(under, "band_5") == ["toggle"]
    assert under.state.band is None
    assert under.state.seen == {1, 4}
    assert task.content(under.state).progress == pytest.approx(2 / BANDS)


@pytest.mark.parametrize("last", ["close", (42, 41)])
def test_a_polygon_is_closed_by_the_button_or_on_its_first_vertex(last: object) -> None:
    under = session()
    assert click(under, *SQUARE) == ["place"] * 4
    assert click(under, last) == ["close"]
    assert under.state.polygons == (SQUARE,)
    assert under.state.vertices == ()


def test_clicks_without_effect_leave_the_state_as_it_was() -> None:
    under = session()
    assert click(under, "undo", "close") == ["none", "none"]
    click(under, *SQUARE[:2])
    before = under.state
    assert click(under, "close", SQUARE[1], (91, 40)) == ["none"] * 3
    assert under.state is before
    assert click(under, SQUARE[0]) == ["place"]  # two vertices make no polygon


def test_undo_takes_back_vertices_and_closings_and_returns_to_their_band() -> None:
    under = session()
    click(under, "band_3", *SQUARE, "close", "band_1")
    assert click(under, "undo") == ["undo"]
    assert (under.state.polygons, under.state.vertices) == ((), SQUARE)
    assert under.state.band == 2
    assert under.state.seen == {0, 2}
    click(under, "undo", "undo", "undo", "undo")
    assert under.state.vertices == ()
    assert under.state.undos == 5
    assert not under.can_undo


def test_everything_undone_can_be_done_again_from_any_band() -> None:
    under = session()
    click(under, "band_3", *SQUARE[:3], "band_3", SQUARE[3], (41, 41))
    for _ in range(5):
        under.undo()
    for band in ("band_6", "band_6", "band_1", "band_2", "band_4"):
        click(under, band)
        under.redo()
    assert under.state.polygons == (SQUARE,)
    assert not under.can_redo
    with pytest.raises(TaskError, match="cannot redo"):
        under.task.retrace(under.state, under.state, Action("toggle"))


def test_outlined_plumes_score_full_marks_only_when_done_and_closed() -> None:
    task = make_task("spectral_plume", 1)
    polygons = [polygon_of(plume) for plume in task.world.plumes]
    good = score(task, *polygons)
    assert good["success"]
    assert good["iou_min"] > 0.8
    assert good["f1"] == 1.0
    assert (good["found"], good["missed"], good["false"]) == (len(polygons), 0, 0)
    assert not score(task, *polygons, terminated=False)["success"]
    assert not score(task, *polygons, vertices=((3, 3),))["success"]


def test_overlap_is_that_of_whole_masks() -> None:
    clouds = make_task("spectral_plume", 1).world.clouds
    rng = np.random.default_rng(0)
    for cloud in clouds:
        for shift in (0, 7, -12, 90):
            polygon = tuple((x + shift, y + shift // 2) for x, y in polygon_of(cloud))
            polygon = tuple((min(max(x, 0), 255), min(max(y, 0), 255)) for x, y in polygon)
            whole = mask_iou(polygon_mask(polygon, (256, 256)), cloud.mask())
            assert plume_iou(polygon, cloud) == pytest.approx(whole)
        anything = tuple((int(x), int(y)) for x, y in rng.integers(0, 256, (6, 2)))
        whole = mask_iou(polygon_mask(anything, (256, 256)), cloud.mask())
        assert plume_iou(anything, cloud) == pytest.approx(whole)
    assert plume_iou(((5, 5), (9, 9), (5, 5)), clouds[0]) == 0.0


def test_a_confounder_is_a_false_positive() -> None:
    task = make_task("spectral_plume", 1)
    polygons = [polygon_of(cloud) for cloud in task.world.clouds[: len(task.world.plumes) + 1]]
    bad = score(task, *polygons)
    assert (bad["missed"], bad["false"], bad["on_confounders"]) == (0, 1, 1)
    assert bad["precision"] == pytest.approx(len(task.world.plumes) / len(polygons))
    assert bad["recall"] == 1.0
    assert not bad["success"]


def test_missed_small_and_double_polygons_cost_marks() -> None:
    task = make_task("spectral_plume", 1)
    polygons = [polygon_of(plume) for plume in task.world.plumes]
    missed = score(task, *polygons[1:])
    assert (missed["missed"], missed["iou_min"], missed["success"]) == (1, 0.0, False)
    middle = np.mean(polygons[0], axis=0)
    small = tuple((int(x), int(y)) for x, y in middle + 0.4 * (np.array(polygons[0]) - middle))
    shrunk = score(task, small, *polygons[1:])
    assert 0 < shrunk["iou_min"] < 0.5
    assert (shrunk["missed"], shrunk["false"], shrunk["on_confounders"]) == (1, 1, 0)
    double = score(task, polygons[0], *polygons)
    assert (double["missed"], double["false"], double["success"]) == (0, 1, False)
    nothing = score(task)
    assert (nothing["f1"], nothing["iou_mean"], nothing["missed"]) == (0.0, 0.0, len(polygons))


def test_the_screen_says_what_to_look_for_and_shows_what_there_is() -> None:
    under = session(1)
    task = under.task
    content = task.content(under.state)
    assert task.world.gas in content.hint
    assert task.world.gas in content.caption
    assert content.panel is signature_picture(task.world.gas, task.panel_hw)
    assert content.disabled == {"close", "undo"}
    click(under, *SQUARE)
    opened = task.content(under.state)
    assert opened.disabled == set()
    assert "Points 4" in opened.status
    assert "first point" in opened.hint
    assert sum(isinstance(shape, Disc) for shape in opened.shapes) == 4
    assert sum(isinstance(shape, Line) for shape in opened.shapes) == 3
    click(under, "close")
    closed = task.content(under.state)
    assert [type(shape) for shape in closed.shapes] == [Line] * 4
    assert closed.hint == content.hint
    assert closed.status[0].endswith("plumes 1")


@pytest.mark.parametrize("gas", GASES)
def test_the_signature_shows_a_tall_bar_for_each_dark_band(gas: str) -> None:
    picture = signature_picture(gas, (56, 112)).astype(int)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 140)
    heights = [red[:, band * 112 // BANDS : (band + 1) * 112 // BANDS].any(axis=1).sum()
               for band in range(BANDS)]  # fmt: skip
    for height, depth in zip(heights, GASES[gas], strict=True):
        assert height == (round(depth * 38) if depth >= 0.5 else 0)


def test_layers_have_bands_apart_and_the_truth_hidden() -> None:
    under = session(3)
    click(under, *SQUARE, "close")
    world = under.task.world
    layers = {attributes["name"]: (data, attributes, kind)
              for data, attributes, kind in under.task.layers(under.state)}  # fmt: skip
    assert layers["true colour"][0].shape == (256, 256, 3)
    bands = [found for name, found in layers.items() if name.endswith(" nm")]
    assert len(bands) == BANDS
    assert sum(attributes["visible"] for _, attributes, _ in bands) == 1
    for data, attributes, kind in bands:
        low, high = attributes["contrast_limits"]
        assert (kind, data.shape) == ("image", (256, 256))
        assert 0 <= low < high <= 255
    labels, attributes, kind = layers["true clouds"]
    assert (kind, attributes["visible"]) == ("labels", False)
    assert set(np.unique(labels).tolist()) == set(range(len(world.clouds) + 1))
    outlines, attributes, kind = layers["true outlines"]
    assert (kind, attributes["visible"], len(outlines)) == ("shapes", False, len(world.clouds))
    assert attributes["features"]["plume"] == [cloud.plume for cloud in world.clouds]
    y, x = outlines[0].mean(axis=0)
    assert labels[round(y), round(x)] in (0, 1)
    drawn, attributes, kind = layers["plumes"]
    assert (kind, drawn[0].tolist()) == ("shapes", [[y, x] for x, y in SQUARE])
    assert "plumes" not in {attributes["name"] for _, attributes, _ in under.task.layers()}


def test_options_reach_the_world_and_unknown_ones_are_refused() -> None:
    task = make_task("spectral_plume", 1, gas="CO2", background="fields", variant="retro")
    assert (task.world.gas, task.world.background) == ("CO2", "fields")
    assert task.signature == (3, 1)
    assert task.variant.name == "retro"
    with pytest.raises(UsageError, match="no option 'bands'"):
        make_task("spectral_plume", 1, bands=3)
