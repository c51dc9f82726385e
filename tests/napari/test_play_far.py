"""*Play a task* in a volume that is not in memory: the window's thread never waits for it."""

import threading

import numpy as np
import pytest

from bcannot_core.episodes.player import Player
from bcannot_core.errors import VolumeUnreachableError
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes.base import ScaleInfo
from bcannot_core.volumes.contrast import Contrast
from bcannot_core.volumes.volume import Volume, VolumeInfo
from napari_bcannot.play import READING, PlayController
from napari_bcannot.play_setup import PlaySetup

SHAPE, NM = (12, 200, 200), (10.0, 10.0, 10.0)


class Far:
    """A source on a server, so to say: it tells who reads it, and can be out of reach."""

    shape, chunks, concurrent = SHAPE, (1, 100, 100), True

    def __init__(self, dtype=np.uint8):
        self.dtype = np.dtype(dtype)
        self.threads = []
        self.gone = False

    def read(self, box):
        self.threads.append(threading.current_thread())
        if self.gone:
            raise VolumeUnreachableError("the server does not answer")
        z, y, x = (np.arange(*box[i : i + 2]) for i in (0, 2, 4))
        inside = (y[:, None] - 100) ** 2 + (x - 100) ** 2 < 900
        return np.where(inside, 7, 3 + z[:, None, None] % 2).astype(self.dtype)

    @property
    def read_by_the_window(self):
        return threading.main_thread() in self.threads


@pytest.fixture
def far():
    return Far(), Far(np.uint32)


def world(far) -> TracingWorld:
    grey, ids = (Volume(one, _info(one)) for one in far)
    return TracingWorld(grey.with_contrast(Contrast(0, 10)), (0, 100, 100), ids)


def _info(source) -> VolumeInfo:
    scales = (ScaleInfo(0, "0", SHAPE, NM),)
    return VolumeInfo("far", NM, scales, is_labels=source.dtype == np.uint32)


class Later:
    """A reader that reads when it is told to."""

    def __init__(self):
        self.jobs = []

    def run(self, job, done):
        self.jobs.append((job, done))

    def drop(self):
        self.jobs.clear()

    def read(self):
        (job, done), self.jobs = self.jobs[0], self.jobs[1:]
        try:
            result = job()
        except VolumeUnreachableError as error:
            self.controller.unread(str(error))
        else:
            done(result)


@pytest.fixture
def later(far):
    reader = Later()
    controller = reader.controller = PlayController(reader=reader)
    controller.warnings = []
    controller.warned.connect(controller.warnings.append)
    controller.take(Player.play(NeuronTracing(world(far), TracingConfig(sections=8))), "far")
    reader.read()
    yield reader
    controller.close()


def steps(controller):
    return [click.action for click in controller.player.session.clicks]


def test_a_click_counts_at_once_and_the_screen_follows(later):
    controller = later.controller
    assert controller.snapshot().can_click
    controller.press("next_section")
    snapshot = controller.snapshot()
    assert (snapshot.stale, snapshot.can_click, snapshot.text) == (True, False, READING)
    controller.press("next_section")
    assert controller.key(".")
    assert steps(controller) == ["next_section"], "a click went to a section that nobody saw"
    later.read()
    snapshot = controller.snapshot()
    assert (snapshot.stale, snapshot.can_click, snapshot.text) == (False, True, "Next section.")
    controller.press("previous_section")
    assert not controller.snapshot().stale, "what was shown just now is read again"


def test_however_fast_one_looks_one_moment_is_read_at_a_time(later):
    controller = later.controller
    for _ in range(7):
        controller.press("next_section")
        later.read()
    far_back = [controller.player.session.clicks]
    assert len(far_back[0]) == 7
    controller.player.task._pictures._kept.clear()
    for position in (6, 5, 4, 0):
        controller.seek(position)
    assert len(later.jobs) == 1
    later.read()
    assert controller.snapshot().stale
    assert controller.snapshot().position == 0
    later.read()
    assert not controller.snapshot().stale
    assert later.jobs == []


def test_what_cannot_be_read_is_said_and_tried_again(later, far):
    controller, (grey, _) = later.controller, far
    controller.play()
    grey.gone = True
    while not later.jobs:
        controller.tick()
    later.read()
    assert "does not answer" in controller.warnings[-1]
    snapshot = controller.snapshot()
    assert (snapshot.playing, snapshot.can_click, snapshot.stale) == (False, False, True)
    assert "Step" in snapshot.text
    made = len(steps(controller))
    controller.step()
    assert controller.snapshot().text == READING
    later.read()
    assert len(controller.warnings) == 2
    grey.gone = False
    controller.step()
    later.read()
    assert not controller.snapshot().stale
    assert len(steps(controller)) == made, "no step before the last one was seen"
    controller.step()
    assert len(steps(controller)) == made + 1


def test_another_world_is_not_waited_for(later, far):
    controller = later.controller
    controller.press("next_section")
    (job, done), later.jobs = later.jobs[0], []
    again = Player.play(NeuronTracing(world(far), TracingConfig(sections=3)))
    again.reading()()
    controller.take(again, "again")
    assert not controller.snapshot().stale
    done(job())
    assert not controller.snapshot().stale


def test_the_score_is_read_beside_the_window_too(later, far):
    controller, (_, ids) = later.controller, far
    before = len(ids.threads)
    controller.press("done")
    assert controller.snapshot().score is None
    assert len(ids.threads) == before
    later.read()
    assert controller.snapshot().score["coverage"] == 0.0


@pytest.mark.gui
def test_the_windows_thread_reads_nothing(make_table, far, monkeypatch):
    table = make_table()
    made = Player.play(NeuronTracing(world(far), TracingConfig(sections=6)))

    def player(setup):
        made.reading()()
        return made

    monkeypatch.setattr(PlaySetup, "player", player)
    table.press("again")
    table.until(lambda: table.player is made)

    def shown():
        table.until(lambda: not table.snapshot.stale)

    table.key(".")
    shown()
    table.key(",")
    table.click_canvas(128, 128)
    table.press("layers")
    table.until(lambda: "ground truth" in table.viewer.layers)
    assert type(table.viewer.layers["volume"].data).__name__ == "LazyArray"
    table.key(".")
    shown()
    table.press("layers")
    assert table.viewer.dims.current_step[0] == 1
    table.viewer.layers["ground truth"].visible = True
    table.until(lambda: bool(np.any(table.viewer.layers["volume"]._slice.image.raw)))
    table.view.slider.setValue(0)
    shown()
    table.view.slider.setValue(table.view.slider.maximum())
    shown()
    table.key("D", "Shift")
    shown()
    assert "coverage" in table.view.score.text()
    grey, ids = far
    assert grey.threads
    assert ids.threads
    assert not grey.read_by_the_window
    assert not ids.read_by_the_window


@pytest.mark.gui
def test_a_world_is_made_while_the_one_before_is_shown_as_layers(make_table, far, monkeypatch):
    from napari_bcannot.widgets import play_task

    table = make_table()
    made = PlaySetup.player
    monkeypatch.setattr(
        PlaySetup, "player", lambda _: Player.play(NeuronTracing(world(far), TracingConfig()))
    )
    table.press("again")
    before = table.player
    begins, shows = threading.Event(), threading.Event()
    read = play_task.read_world

    def later_made(setup):
        assert begins.wait(60)
        return made(setup)

    def later_read(task, state):
        assert shows.wait(60)
        return read(task, state)

    monkeypatch.setattr(PlaySetup, "player", later_made)
    monkeypatch.setattr(play_task, "read_world", later_read)
    table.widget.new_seed()
    table.widget.show_layers()
    begins.set()
    table.until(lambda: table.player is not before)
    shows.set()
    table.ready()
    assert table.player.seed == table.view.seed.value()
    assert "Making" not in table.view.status.text()
    assert len(table.viewer.layers) == 0, "the layers of a world that nobody plays any more"
