"""Many traces in the background: the list of start points, the job, the widget."""

import threading

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from bcannot_core.errors import BcannotError
from bcannot_core.tracing import Trace, TraceOptions
from bcannot_core.tracing.starts import NamedStart, file_names
from bcannot_core.volumes.swc import read_swc
from napari_bcannot.batch import BatchController, usual_workers
from napari_bcannot.batch_job import Arrived, BatchJob, BatchOrder, Begun, Refused
from napari_bcannot.geometry import Placement
from napari_bcannot.settings import read_section

ORDER = BatchOrder(None, (30.0, 10.0, 10.0), "default", TraceOptions())
BEGUN = Begun(Placement((30.0, 10.0, 10.0), (0.0, 0.0, 0.0), ("nm",) * 3), 11.0)


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


@pytest.mark.gui
def test_the_fields_come_back_and_closing_ends_the_run(make_bench, make_tracer):
    begun, go_on = threading.Event(), threading.Event()

    class Waits(make_tracer):
        def reset(self):
            begun.set()
            assert go_on.wait(60)

    bench = make_bench(lambda name: Waits())
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
