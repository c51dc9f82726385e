"""Many traces in the background: the list of start points, the job, the widget."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from bcannot_core.errors import BcannotError
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tracing import Trace, TraceOptions
from bcannot_core.tracing.starts import NamedStart, file_names
from bcannot_core.volumes.swc import read_swc
from napari_bcannot.batch import BatchController, usual_workers
from napari_bcannot.batch_job import Arrived, BatchJob, BatchOrder, Begun, Refused
from napari_bcannot.geometry import Placement
from napari_bcannot.settings import read_section

ORDER = BatchOrder(None, (30.0, 10.0, 10.0), "default", TraceOptions())
BEGUN = Begun(
    Placement((30.0, 20.0, 20.0), (0.0, 5.0, 5.0), ("nm",) * 3),
    11.0,
    Placement((1.0, 2.0, 2.0), (0.0, 0.5, 0.5), ("pixel",) * 3),
)

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))


def trace(nodes: int = 3, stopped: str = "done", problem: str = "") -> Trace:
    rows = np.arange(3 * nodes, dtype=float).reshape(-1, 3)
    sure = np.full(nodes, 0.5, np.float32)
    return Trace(rows, sure, (0, 0, 0), (30.0, 10.0, 10.0), stopped=stopped, problem=problem)  # type: ignore[arg-type]


def starts(*points: tuple[float, float, float]) -> list[NamedStart]:
    return [NamedStart(point) for point in points]


@pytest.fixture
def controller() -> BatchController:
    made = BatchController()
    made.add(starts((0, 1, 2), (3, 4, 5), (6, 7, 8)), "here")
    return made


# ---------------------------------------------------------------------------- the controller


def test_start_points_are_listed_once_and_numbered(controller):
    controller.add([NamedStart((3, 4, 5)), NamedStart((9, 9, 9), "axon"), *starts((1, 1, 1))], "t")
    assert [row.start.name for row in controller.rows] == [
        "trace 1",
        "trace 2",
        "trace 3",
        "axon",
        "trace 5",
    ]
    assert controller.text == "2 start points added from t."
    controller.add(starts((1, 1, 1)), "t")
    assert controller.text == "Nothing new in t."


def test_results_arrive_and_what_failed_can_be_tried_again(controller):
    job = controller.begin(ORDER)
    controller.take(job, BEGUN)
    controller.take(job, Arrived(1, trace(4)))
    controller.take(job, Arrived(0, trace(2, "unreachable", "no answer")))
    controller.take(job, Refused(2, "outside"))
    assert controller.progress == (3, 3)
    controller.finish(job)
    assert not controller.running
    assert [row.status for row in controller.rows] == ["broke off", "done", "not possible"]
    assert [row.problem for row in controller.rows] == ["no answer", "", "outside"]
    assert "1 broke off" in controller.text
    assert "1 start point cannot" in controller.text
    again = controller.begin(ORDER)
    assert controller.progress == (0, 1)
    controller.take(again, Arrived(0, trace(5)))
    controller.finish(again)
    assert controller.text == "Done: 2 traces. 1 start point cannot be traced: the list says why."
    assert controller.begin(ORDER) is None


def test_traces_of_runs_at_other_resolutions_lie_where_they_were_made(controller):
    job = controller.begin(ORDER)
    controller.take(job, BEGUN)
    controller.take(job, Arrived(0, trace(2)))
    controller.cancel()
    finer = controller.begin(ORDER)
    placed = BEGUN.placement
    controller.take(finer, Begun(placed, 11.0, Placement((1.0,) * 3, (0.0,) * 3, ("pixel",) * 3)))
    controller.take(finer, Arrived(1, trace(2)))
    assert controller.rows[0].nodes_zyx == [(0.0, 2.5, 4.5), (3.0, 8.5, 10.5)]
    assert controller.rows[1].nodes_zyx == [(0.0, 1.0, 2.0), (3.0, 4.0, 5.0)]
    assert controller.rows[2].nodes_zyx == []


def test_a_trace_that_broke_off_is_not_lost_by_trying_again(controller):
    job = controller.begin(ORDER)
    controller.take(job, BEGUN)
    controller.take(job, Arrived(0, trace(40, "unreachable", "no answer")))
    controller.finish(job)
    again = controller.begin(ORDER)
    assert controller.rows[0].nodes == 40
    controller.take(again, Arrived(0, trace(0, "unreachable", "still none")))
    assert (controller.rows[0].status, controller.rows[0].problem) == ("broke off", "still none")
    assert controller.rows[0].nodes == 40
    controller.cancel()
    assert controller.rows[0].open
    last = controller.begin(ORDER)
    controller.take(last, Arrived(0, trace(3)))
    assert controller.rows[0].nodes == 3


def test_what_comes_after_cancelling_is_dropped(controller):
    job = controller.begin(ORDER)
    controller.take(job, Arrived(0, trace()))
    controller.cancel()
    assert job.cancelled
    assert not controller.take(job, Arrived(1, trace()))
    controller.finish(job)
    controller.fail(job, "late")
    assert "Cancelled: 1 of 3" in controller.text
    assert [row.open for row in controller.rows] == [False, True, True]


def test_while_it_runs_the_list_stays(controller):
    job = controller.begin(ORDER)
    assert controller.begin(ORDER) is None
    controller.clear()
    controller.add(starts((5, 5, 5)), "t")
    assert len(controller.rows) == 3
    controller.fail(job, "The cluster is gone.")
    assert "The cluster is gone." in controller.text
    controller.clear()
    assert not controller.rows


def test_a_trace_without_nodes_says_so(controller):
    job = controller.begin(ORDER)
    controller.take(job, Arrived(0, trace(0)))
    assert (controller.rows[0].status, controller.rows[0].confidence) == ("no nodes", None)
    assert controller.traced == []


def test_files_have_different_plain_names():
    names = ["a/b", "a_b", "", "..", "Ä 1", "A_B", "x" * 200]
    made = file_names(names)
    assert made == ["a_b", "a_b_2", "trace", "trace_2", "Ä_1", "A_B_3", "x" * 80]
    assert 1 <= usual_workers() <= 4


# --------------------------------------------------------------------------------- the widget


class Bench:
    """A viewer with a tube and the docked widget; traces are made in this process."""

    def __init__(self, viewer, widget, layer, tube, qtbot):
        self.viewer, self.widget, self.layer, self.tube = viewer, widget, layer, tube
        self.qtbot, self.controller = qtbot, widget.controller

    def add_points(self, *zs):
        rows = [(z, *self.tube.at(z)) for z in zs]
        return self.viewer.add_points(
            rows, scale=self.tube.voxel_nm, units=("nm",) * 3, name="starts"
        )

    def press(self, name):
        button = getattr(self.widget.view, name)
        assert button.isEnabled(), f"{name} is greyed out"
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def until_done(self):
        self.qtbot.waitUntil(lambda: not self.controller.running, timeout=60_000)
        QApplication.processEvents()


@pytest.fixture
def make_bench(make_napari_viewer, qtbot, make_tube, make_tracer, notices, monkeypatch):
    from napari_bcannot.widgets import batch_panel

    monkeypatch.setattr(batch_panel, "own_policies", list)

    def make(load=None, viewer=None):
        tube = make_tube()
        viewer = viewer or make_napari_viewer()
        layer = viewer.add_image(
            tube.volume().array, scale=tube.voxel_nm, units=("nm",) * 3, name="em",
            metadata={"bcannot_volume": tube.volume()},
        )  # fmt: skip
        widget = batch_panel.BatchWidget(viewer, load or (lambda name: make_tracer()))
        viewer.window.add_dock_widget(widget, name="Trace many")
        return Bench(viewer, widget, layer, tube, qtbot)

    return make


@pytest.mark.gui
def test_points_are_traced_in_the_background_and_shown_as_they_arrive(
    make_bench, notices, tmp_path
):
    bench = make_bench()
    bench.add_points(0, 5, 9)
    bench.viewer.layers.selection.active = bench.layer
    bench.press("take")
    assert [row.start.zyx for row in bench.controller.rows] == [
        (z, *bench.tube.at(z)) for z in (0, 5, 9)
    ]
    bench.press("start")
    assert not bench.widget.view.start.isEnabled()
    bench.until_done()
    depth = bench.tube.shape[0]
    assert [row.status for row in bench.controller.rows] == ["done"] * 3
    assert [row.nodes for row in bench.controller.rows] == [depth, depth - 5, depth - 9]
    points, path = bench.viewer.layers["batch 1"], bench.viewer.layers["batch 1 path"]
    expected = [(z, *bench.tube.at(z)) for first in (0, 5, 9) for z in range(first, depth)]
    assert np.abs(points.data - expected).max() <= 1
    assert len(path.data) == len(expected) - 3
    names = ["trace 1"] * 12 + ["trace 2"] * 7 + ["trace 3"] * 3
    assert points.features["trace"].tolist() == names
    assert points.features["confidence"].tolist() == [0.75] * len(expected)
    roots = points.features["parent"] == -1
    assert points.features["trace"][roots].tolist() == ["trace 1", "trace 2", "trace 3"]
    assert len({tuple(colour) for colour in points.border_color}) == 3
    assert bench.viewer.layers.selection.active is bench.layer
    bench.widget.save(tmp_path)
    bench.qtbot.waitUntil(lambda: bool(notices), timeout=20_000)
    assert notices == [("info", f"3 traces saved to {tmp_path}.")]
    saved = read_swc(tmp_path / "trace_2.swc")
    assert np.allclose(saved.to_voxels(bench.tube.voxel_nm), points.data[12:19], atol=1e-3)


@pytest.mark.gui
def test_cancelling_keeps_what_came_and_the_rest_can_go_on(make_bench, make_tracer):
    second = threading.Event()

    class Waits(make_tracer):
        traces = 0

        def reset(self):
            Waits.traces += 1
            if Waits.traces == 2:
                second.set()
                assert go_on.wait(60)

    go_on = threading.Event()
    bench = make_bench(lambda name: Waits())
    bench.add_points(0, 5, 9)
    bench.widget.take_layer()
    bench.press("start")
    bench.qtbot.waitUntil(
        lambda: bench.controller.progress[0] == 1 and second.is_set(), timeout=60_000
    )
    bench.press("cancel")
    go_on.set()
    assert [row.open for row in bench.controller.rows] == [False, True, True]
    assert "batch 1" in bench.viewer.layers
    bench.press("start")
    bench.until_done()
    assert [row.status for row in bench.controller.rows] == ["done"] * 3
    assert len(bench.viewer.layers["batch 1"].data) == 12
    assert len(bench.viewer.layers["batch 2"].data) == 7 + 3


@pytest.mark.gui
def test_a_table_a_place_outside_and_a_policy_that_fails(make_bench, notices, tmp_path):
    def load(name):
        raise BcannotError("no such policy")

    bench = make_bench(load)
    table = tmp_path / "starts.csv"
    table.write_text("name,x_nm,y_nm,z_nm\nin,800,900,0\nout,800,900,99999\n")
    bench.widget.add_table(table)
    assert [row.start for row in bench.controller.rows] == [
        NamedStart((0, 90, 80), "in"),
        NamedStart((3333.3, 90, 80), "out"),
    ]
    bench.press("start")
    bench.until_done()
    assert notices[-1] == ("error", "no such policy")
    assert "no such policy" in bench.widget.view.status.text()
    assert bench.controller.rows[1].status == "not possible"
    assert "outside" in bench.controller.rows[1].problem
    bench.widget.add_table(tmp_path / "none.csv")
    assert "none.csv" in notices[-1][1]
    assert bench.widget.view.start.isEnabled()


@pytest.mark.gui
def test_a_double_click_goes_to_the_start_point(make_bench):
    from napari_bcannot.compat import camera

    bench = make_bench()
    bench.add_points(7)
    bench.widget.take_layer()
    bench.widget.view.list.doubleClicked.emit(bench.widget.view.table.index(0, 0))
    assert bench.viewer.dims.point[0] == 7 * 30
    y, x = bench.tube.at(7)
    assert np.allclose(camera(bench.viewer).center[-2:], (y * 10, x * 10))


@pytest.fixture
def waiting(make_tracer):
    """What says that a run has begun, what lets it go on, and how its policy is loaded."""
    begun, go_on = threading.Event(), threading.Event()

    class Waits(make_tracer):
        def reset(self):
            begun.set()
            assert go_on.wait(60)

    return begun, go_on, lambda name: Waits()


@pytest.mark.gui
def test_the_fields_come_back_and_closing_ends_the_run(make_bench, waiting):
    begun, go_on, load = waiting
    bench = make_bench(load)
    bench.widget.view.sections.setValue(33)
    bench.widget.view.where.setCurrentIndex(1)
    assert bench.widget.view.scheduler.isVisibleTo(bench.widget)
    assert not bench.widget.view.workers.isVisibleTo(bench.widget)
    bench.widget.view.where.setCurrentIndex(0)
    bench.add_points(0)
    bench.widget.take_layer()
    bench.press("start")
    bench.qtbot.waitUntil(begun.is_set, timeout=60_000)
    job = bench.controller.job
    bench.viewer.window.remove_dock_widget(bench.widget)
    assert job.cancelled
    go_on.set()
    assert read_section("batch")["sections"] == 33
    again = make_bench(viewer=bench.viewer)
    assert again.widget.view.sections.value() == 33
    again.viewer.layers.clear()
    assert not again.widget.view.start.isEnabled()


@pytest.mark.gui
def test_a_double_click_leaves_time_alone_and_finds_its_way_in_any_view(make_bench):
    from napari_bcannot.compat import camera

    bench = make_bench()
    bench.viewer.add_image(np.zeros((4, 3, 8, 8), np.uint8), name="movie")
    bench.viewer.dims.set_point(0, 2)
    bench.controller.add([NamedStart((7, 50, 60))], "here")
    bench.widget.go_to(0)
    assert bench.viewer.dims.point == (2, 210, 500, 600)
    bench.viewer.dims.order = (0, 2, 1, 3)  # sections along y are shown: z by x
    camera(bench.viewer).center = (0.0, 0.0, 0.0)
    bench.widget.go_to(0)
    assert camera(bench.viewer).center[-2:] == (210, 600)


@pytest.mark.gui
def test_layers_that_are_removed_meanwhile_come_back_once(make_bench):
    bench = make_bench()
    bench.add_points(0, 5)
    bench.press("take")
    bench.press("start")
    bench.until_done()
    layers = bench.widget._layers
    bench.viewer.layers.remove("batch 1")
    layers.show([("late", trace(3))])
    names = [layer.name for layer in bench.viewer.layers]
    assert names == ["em", "starts", "batch 1 path", "batch 1"]
    assert len(bench.viewer.layers["batch 1"].data) == 12 + 7 + 3


@pytest.mark.gui
def test_points_of_a_movie_are_start_points_too(make_bench):
    bench = make_bench()
    bench.viewer.add_points([(1, 90, 100, 200)], ndim=4, name="clicked beside a movie")
    bench.press("take")
    assert [row.start.zyx for row in bench.controller.rows] == [(3, 10, 20)]


@pytest.mark.gui
def test_the_list_is_of_one_volume(make_bench, notices):
    bench = make_bench()
    other = bench.viewer.add_image(
        np.zeros((12, 40, 40), np.uint8), scale=(30, 50, 50), units=("nm",) * 3, name="other"
    )
    view = bench.widget.view
    assert [view.volume.itemText(i) for i in range(view.volume.count())] == ["em", "other"]
    bench.add_points(0)
    bench.press("take")
    assert (view.volume.count(), view.volume.isEnabled()) == (1, False)
    bench.press("start")
    bench.until_done()
    bench.viewer.layers.remove(bench.layer)
    assert view.volume.count() == 0
    assert "em" in view.status.text()
    assert not view.start.isEnabled()
    bench.widget.take_over()
    assert "em" in notices[-1][1]
    again = bench.viewer.add_image(
        bench.layer.data, scale=bench.layer.scale, units=("nm",) * 3, name="em",
        metadata=bench.layer.metadata,
    )  # fmt: skip
    assert view.volume.currentData() is bench.viewer.layers[again.name]
    bench.press("clear")
    assert view.volume.isEnabled()
    assert view.volume.findData(bench.viewer.layers[other.name]) >= 0


class Centre:
    """Places a node in the middle, and is done."""

    name, confidence = "centre", 0.9

    def reset(self):
        self.clicks = [LAYOUT.canvas.centre, LAYOUT.buttons["done"].centre]

    def act(self, frame):
        return self.clicks.pop(0)


@pytest.mark.gui
def test_traces_of_all_runs_are_taken_over_where_they_were_made(make_bench, pyramid, monkeypatch):
    from napari_bcannot import commands
    from napari_bcannot.widgets import trace_neuron

    bench = make_bench(lambda name: Centre())
    bench.viewer.layers.clear()
    bench.viewer.add_layer(pyramid)
    view = bench.widget.view
    for nm_per_px, name, zyx in ((5.0, "fine", (0, 20, 24)), (20.0, "coarse", (0, 40, 44))):
        bench.controller.add([NamedStart(zyx, name)], "here")
        view.nm_per_px.setValue(nm_per_px)
        bench.press("start")
        bench.until_done()
    pyramid.translate = (0, 500, 500)  # the person moves it meanwhile
    monkeypatch.setattr(trace_neuron, "own_policies", list)
    tracing = trace_neuron.TraceNeuronWidget(bench.viewer, lambda name: None)
    bench.viewer.window.add_dock_widget(tracing, name="Trace neuron")
    monkeypatch.setattr(commands, "trace_widget", lambda: tracing)
    tracing.view.nm_per_px.setValue(5.0)
    bench.press("take_over")
    taken = {one.name: one.trace.rows[0] for one in tracing.controller.neurites}
    assert np.abs(taken["fine"] - (0, 20, 24)).max() <= 1
    assert np.abs(taken["coarse"] - (0, 40, 44)).max() <= 4


@pytest.mark.gui
def test_a_voxel_size_that_the_layer_lacks_is_asked_for_and_written(make_bench, notices, tmp_path):
    bench = make_bench()
    bench.viewer.layers.clear()
    bench.layer = bench.viewer.add_image(bench.tube.array(), name="plain")
    assert notices == [("warning", "plain states no voxel size: enter it, 10 nm is a guess.")]
    view = bench.widget.view
    for field, size in zip(view.voxel, bench.tube.voxel_nm, strict=True):
        field.setValue(size)
    table = tmp_path / "starts.csv"
    table.write_text("x_nm,y_nm,z_nm\n800,900,60\n")
    bench.widget.add_table(table)
    assert bench.controller.rows[0].start.zyx == (2, 90, 80)
    assert not view.voxel[0].isEnabled()
    bench.press("start")
    bench.until_done()
    bench.widget.save(tmp_path)
    bench.qtbot.waitUntil(lambda: len(notices) > 1, timeout=20_000)
    saved = read_swc(tmp_path / "trace_1.swc")
    assert saved.header["voxel_nm_zyx"] == "30 10 10"
    assert saved.zyx_nm[:, 0].tolist() == [z * 30.0 for z in range(2, 12)]


@pytest.mark.gui
def test_files_of_another_batch_are_replaced_only_if_the_person_agrees(
    make_bench, notices, tmp_path, monkeypatch
):
    from napari_bcannot.widgets import batch_panel

    asked = []

    def answer(parent, title, there):
        asked.append([path.name for path in there])
        return len(asked) > 1

    monkeypatch.setattr(batch_panel, "ask_folder", lambda *_: tmp_path)
    monkeypatch.setattr(batch_panel, "ask_replace", answer)
    bench = make_bench()
    bench.add_points(0, 5)
    bench.press("take")
    bench.press("start")
    bench.until_done()
    earlier = tmp_path / "trace_2.swc"
    earlier.write_text("hours of work")
    bench.press("save")
    assert asked == [["trace_2.swc"]]
    QApplication.processEvents()
    assert earlier.read_text() == "hours of work"
    assert not (tmp_path / "trace_1.swc").exists()
    bench.press("save")
    bench.qtbot.waitUntil(lambda: bool(notices), timeout=20_000)
    assert len(read_swc(earlier).zyx_nm) == 7


@pytest.mark.gui
def test_the_wheel_scrolls_the_panel_and_changes_no_field_in_passing(
    make_bench, make_napari_viewer, turn_wheel
):
    view = make_bench(viewer=make_napari_viewer(show=True)).widget.view
    QApplication.processEvents()
    for field in (view.sections, view.nm_per_px, view.voxel[0]):
        before = field.value()
        turn_wheel(field)
        assert field.value() == before
    turn_wheel(view.direction)
    assert view.direction.currentIndex() == 0


@pytest.mark.gui
def test_nothing_is_cut_off_in_a_dock_of_usual_width(make_bench, make_napari_viewer):
    view = make_bench(viewer=make_napari_viewer(show=True)).widget.view
    QApplication.processEvents()
    assert view.minimumSizeHint().width() <= 380


@pytest.mark.gui
def test_a_run_outlives_a_viewer_that_is_just_deleted(make_bench, waiting):
    begun, go_on, load = waiting
    bench = make_bench(load)
    bench.add_points(0)
    bench.press("take")
    bench.press("start")
    bench.qtbot.waitUntil(begun.is_set, timeout=60_000)
    job, post = bench.controller.job, bench.widget._post
    ended = []
    post.ended.connect(lambda *told: ended.append(told))
    bench.viewer.close()  # it was never shown: nothing tells the widget
    bench.qtbot.waitUntil(lambda: job.cancelled, timeout=60_000)
    go_on.set()
    bench.qtbot.waitUntil(lambda: ended == [(job, "")], timeout=60_000)


@pytest.mark.slow
def test_a_dask_cluster_makes_the_traces_of_a_batch():
    from napari.layers import Layer

    from napari_bcannot.sample_data import sample_em

    distributed = pytest.importorskip("distributed")
    layer = Layer.create(*sample_em()[0])
    told: list[object] = []
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        order = BatchOrder(
            layer, (30.0, 10.0, 10.0), "default", TraceOptions(sections=2),
            scheduler=cluster.scheduler_address,
        )  # fmt: skip
        BatchJob(order, [(3, (28.0, 120.0, 120.0)), (5, (28.0, 999.0, 0.0))]).work(told.append)
    begun, refused, arrived = told
    assert isinstance(begun, Begun)
    assert (refused.row, arrived.row) == (5, 3)
    assert len(arrived.trace) >= 1
    assert arrived.trace.start_zyx == (28, 120, 120)
