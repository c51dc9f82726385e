"""The tracer: a policy's clicks become a trace, and a failing volume only interrupts it."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import tensorstore as ts
import torch

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.glance_policy import GlancePolicy
from bcannot_core.policy.network import PolicyNet
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tracing import Trace, TraceOptions, Tracer, trace
from bcannot_core.tracing.tracer import CLICKS_PER_SECTION, IDLE_CLICKS, SPARE_CLICKS
from bcannot_core.volumes import Contrast, Volume, open_volume

torch.set_num_threads(1)

Aim = str | tuple[int, int]
LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
CENTRE = (128, 128)
NOWHERE = (-1, -1)  # a frame pixel that is neither canvas nor button


def every_section(count: int, at: Aim = CENTRE) -> list[Aim]:
    """A node in every section, then Done."""
    return [*([at, "next_section"] * count)[:-1], "done"]


def click_of(aim: Aim) -> tuple[int, int]:
    if isinstance(aim, str):
        return LAYOUT.buttons[aim].centre
    return (0, 0) if aim == NOWHERE else (LAYOUT.canvas.x + aim[0], LAYOUT.canvas.y + aim[1])


class Scripted:
    """Makes its clicks in order, over and over; ever less confident."""

    name = "scripted"

    def __init__(self, aims: list[Aim], before: Callable[[int], object] = lambda _: None) -> None:
        self.aims, self.before = aims, before
        self.acted, self.resets = 0, 0

    @property
    def confidence(self) -> float:
        return 1 / self.acted

    def reset(self) -> None:
        self.acted, self.resets = 0, self.resets + 1

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        assert frame.shape == (436, 426, 3)
        self.before(self.acted)
        self.acted += 1
        return click_of(self.aims[(self.acted - 1) % len(self.aims)])


class Flaky:
    """An array that is read piece by piece, and fails where it is told to."""

    dtype = np.dtype(np.uint8)
    chunks = (1, 64, 64)

    def __init__(self, shape: tuple[int, int, int] = (12, 300, 300)) -> None:
        self.shape = shape
        self._values = np.random.default_rng(3).integers(1, 255, shape, dtype=np.uint8)
        self.fails: Callable[[int], bool] = lambda _: False
        self.reads = 0

    def __getitem__(self, key: tuple[slice, slice, slice]) -> np.ndarray:
        self.reads += 1
        if self.fails(key[0].start):
            raise OSError("the connection was reset")
        return self._values[key]


def make_volume(array: Any = None, voxel_nm: Any = (30, 10, 10)) -> Volume:
    array = Flaky() if array is None else array
    return Volume.from_array(
        array, voxel_nm=voxel_nm, contrast=Contrast(0, 255), address="cells.tif"
    )


def make_tracer(
    policy: Any, volume: Volume | None = None, start: Any = (2, 150, 140), **options: Any
) -> Tracer:
    config = TracingConfig(**{"sections": 6, **options})
    world = TracingWorld(make_volume() if volume is None else volume, start)
    return Tracer.begin(NeuronTracing(world, config), policy)


class Guided(Scripted):
    """Clicks as it is told, and notes what an untrained policy would have done, and how sure."""

    def __init__(self, aims: list[Aim]) -> None:
        torch.manual_seed(0)
        canvas = LAYOUT.canvas
        config = PolicyConfig(
            frame_wh=LAYOUT.size_wh,
            canvas_xywh=(canvas.x, canvas.y, canvas.w, canvas.h),
            width=16,
            layers=1,
            heads=2,
            glance=GlanceConfig(size=16, lags=(1, 2), channels=(8, 8, 8)),
        )
        self.policy = GlancePolicy(PolicyNet(config), device="cpu")
        self.proposed: list[tuple[tuple[int, int], float]] = []
        super().__init__(aims)

    def reset(self) -> None:
        super().reset()
        self.policy.reset()

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        proposal = self.policy.propose(frame)
        self.proposed.append((proposal.click_xy, proposal.confidence))
        click = super().act(frame)
        self.policy.observe(frame, click)
        return click


def zs(found: Trace) -> list[float]:
    return found.nodes_zyx[:, 0].tolist()


# ----------------------------------------------------------------------------- one trace


def test_a_trace_has_a_node_for_each_section() -> None:
    found = trace(make_volume(), (2.4, 150, 139.5), Scripted(every_section(5)), sections=5)
    assert found.nodes_zyx.tolist() == [[2 + i, 150, 140] for i in range(5)]
    np.testing.assert_allclose(found.confidence, [1, 1 / 3, 1 / 5, 1 / 7, 1 / 9])
    assert found.confidence.dtype == np.float32
    assert (found.stopped, found.problem, found.clicks, len(found)) == ("done", "", 10, 5)
    assert (found.volume, found.policy) == ("cells.tif", "scripted")
    assert (found.start_zyx, found.voxel_nm) == ((2, 150, 140), (30, 10, 10))


def test_a_trace_runs_backwards_to_the_border() -> None:
    policy = Scripted(every_section(4))
    found = trace(make_volume(), (3, 150, 140), policy, sections=50, direction=-1)
    assert zs(found) == [3, 2, 1, 0]
    assert found.stopped == "done"


def test_canvas_pixels_have_the_size_asked_for() -> None:
    policy = Scripted(every_section(3, at=(138, 124)))
    volume = make_volume(voxel_nm=(30, 5, 10))
    found = trace(volume, (2, 150, 140), policy, sections=3, nm_per_px=20)
    assert found.nodes_zyx.tolist() == [[2 + i, 150 - 16, 140 + 20] for i in range(3)]


def test_sections_without_a_node_are_left_out() -> None:
    aims = [CENTRE, "next_section", "next_section", CENTRE, "next_section", CENTRE, "remove"]
    found = make_tracer(Scripted([*aims, "done"])).run()
    assert zs(found) == [2, 4]
    np.testing.assert_allclose(found.confidence, [1, 1 / 4])


def test_a_policy_is_found_by_its_folder(random_policy: Path) -> None:
    found = trace(make_volume(), (2, 150, 140), str(random_policy), sections=2)
    assert found.policy == "untrained"
    assert found.clicks > 0


@pytest.mark.parametrize(
    "start",
    [(-1, 5, 5), (12, 5, 5), (0, 300, 5), (0, 5, -0.6), (0, np.nan, 5), (0, np.inf, 5), (0, 5)],
)
def test_a_start_point_outside_the_volume_is_refused_in_one_line(start: Any) -> None:
    with pytest.raises(UsageError, match="start point") as caught:
        trace(make_volume(), start, Scripted(["done"]))
    assert "\n" not in str(caught.value)


def test_a_volume_with_one_section_is_refused_in_one_line() -> None:
    policy = Scripted(["done"])
    with pytest.raises(TaskError, match="one section") as caught:
        trace(make_volume(Flaky((1, 300, 300))), (0, 5, 5), policy)
    assert "\n" not in str(caught.value) and policy.resets == 0


@pytest.mark.parametrize(
    "options", [{"sections": 0}, {"nm_per_px": 0}, {"nm_per_px": np.nan}, {"direction": 2}]
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        trace(make_volume(), (2, 150, 140), Scripted(["done"]), **options)


def test_the_options_are_those_of_the_task() -> None:
    assert TraceOptions(7, 4.0, -1).config() == TracingConfig(7, 4.0, -1)


# ----------------------------------------------------------------------------- confidence


def test_confidence_is_that_of_the_placement_that_stands() -> None:
    tracer = make_tracer(Scripted([CENTRE, (140, 128), "undo", "done"]))
    found = tracer.run()
    assert found.nodes_zyx.tolist() == [[2, 150, 140]]
    assert found.confidence.tolist() == [1]


def test_a_node_that_a_person_moved_has_no_confidence() -> None:
    policy = Scripted([CENTRE])
    tracer = make_tracer(policy)
    assert tracer.run(lambda: policy.acted < 1).confidence.tolist() == [1]
    tracer.session.apply(click_of((140, 128)), "person")
    assert np.isnan(tracer.trace().confidence).all()
    assert tracer.trace().nodes_zyx.tolist() == [[2, 150, 152]]


# ----------------------------------------------------------------------------- ends


def test_clicks_without_effect_end_a_trace() -> None:
    aims: list[Aim] = [NOWHERE] * (IDLE_CLICKS - 1)
    found = make_tracer(Scripted([*aims, CENTRE, *aims, NOWHERE, "done"])).run()
    assert (found.stopped, found.clicks, len(found)) == ("stuck", 2 * IDLE_CLICKS, 1)


def test_too_many_clicks_end_a_trace() -> None:
    found = make_tracer(Scripted([CENTRE, "next_section", "previous_section"]), sections=3).run()
    assert found.stopped == "limit"
    assert found.clicks == CLICKS_PER_SECTION * 3 + SPARE_CLICKS


def test_a_trace_can_be_paused_and_goes_on_as_if_it_had_not() -> None:
    policy = Scripted(every_section(6))
    tracer = make_tracer(policy)
    paused = tracer.run(lambda: policy.acted < 5)
    assert (paused.stopped, paused.clicks, zs(paused)) == ("paused", 5, [2, 3, 4])
    found = tracer.run()
    assert (found.stopped, zs(found), policy.resets) == ("done", [2, 3, 4, 5, 6, 7], 1)
    assert tracer.run().clicks == found.clicks  # what has ended stays as it is


# ----------------------------------------------------------------------------- failing volumes


def test_what_was_traced_before_the_volume_failed_is_kept_and_continued() -> None:
    array = Flaky()
    array.fails = lambda z: z >= 5
    tracer = make_tracer(Scripted(every_section(6)), make_volume(array))
    broken = tracer.run()
    assert (broken.stopped, zs(broken)) == ("unreachable", [2, 3, 4])
    assert "cells.tif" in broken.problem and "connection was reset" in broken.problem
    assert "\n" not in broken.problem
    again = tracer.run()  # still down: nothing is lost, nothing is clicked
    assert (again.stopped, again.clicks, zs(again)) == ("unreachable", 6, [2, 3, 4])
    array.fails = lambda _: False
    found = tracer.run()
    assert (found.stopped, found.problem) == ("done", "")
    assert zs(found) == [2, 3, 4, 5, 6, 7]
    assert not np.isnan(found.confidence).any()


def test_a_volume_that_fails_at_once_gives_an_empty_trace() -> None:
    array = Flaky()
    array.fails = lambda _: True
    tracer = make_tracer(Scripted(every_section(6)), make_volume(array))
    broken = tracer.run()
    assert (broken.stopped, broken.clicks, broken.nodes_zyx.shape) == ("unreachable", 0, (0, 3))
    array.fails = lambda _: False
    assert len(tracer.run()) == 6


@pytest.mark.parametrize("period", [2, 3])
def test_a_policy_remembers_the_same_however_often_the_volume_fails(period: int) -> None:
    whole = Guided(every_section(5))
    make_tracer(whole, sections=5).run()
    array = Flaky()
    array.fails = lambda _: array.reads % period == 0
    policy = Guided(every_section(5))
    tracer = make_tracer(policy, make_volume(array), sections=5)
    failures = 0
    while tracer.run().stopped == "unreachable":
        failures += 1
    assert failures > 1
    assert zs(tracer.trace()) == [2, 3, 4, 5, 6]
    assert policy.proposed == whole.proposed and len(set(whole.proposed)) > 1


# ----------------------------------------------------------------------------- a real server


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


class Server:
    """A loopback server of a folder, which can be stopped and started again at its port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.start()

    def start(self) -> None:
        handler = partial(Quiet, directory=str(self.folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    values = np.random.default_rng(1).integers(1, 255, (8, 96, 96), dtype=np.uint8)
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": str(tmp_path / "em")},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {
            "size": values.shape[::-1],
            "resolution": [10, 10, 30],
            "encoding": "raw",
            "chunk_size": [64, 64, 1],
        },
    }
    store = ts.open(spec, create=True, open=True).result()
    store[..., 0].T.write(values).result()
    running = Server(tmp_path)
    yield running
    running.stop()


def test_a_server_that_is_killed_in_the_middle_of_a_trace_interrupts_it(server: Server) -> None:
    def kill(acted: int) -> None:
        if acted == 6:
            server.stop()

    address = f"precomputed://http://127.0.0.1:{server.port}/em"
    volume = open_volume(address, contrast=Contrast(0, 255))
    tracer = make_tracer(Scripted(every_section(8), kill), volume, (0, 40, 50), sections=8)
    broken = tracer.run()
    assert (broken.stopped, zs(broken)) == ("unreachable", [0, 1, 2, 3])
    assert "127.0.0.1" in broken.problem and "\n" not in broken.problem
    server.start()
    found = tracer.run()
    assert found.stopped == "done"
    assert found.nodes_zyx.tolist() == [[z, 40, 50] for z in range(8)]
    assert [click.action for click in tracer.session.clicks] == [
        *["place", "next_section"] * 7,
        "place",
        "done",
    ]
