"""The *Review traces* widget in a real viewer: look, decide by keys and mouse, and close."""

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bcannot_core.errors import VolumeUnreachableError
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tracing.review import Decision
from napari_bcannot.widgets.review_queue import NO_TRACES, ReviewWidget

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
BRIGHT = 200


@dataclass
class Choice:
    click_xy: tuple[int, int]
    confidence: float


class PixelLooker:
    """Doubts a node the more, the further it is from the bright blob that the frame shows."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.problem: Exception | None = None

    def reset(self) -> None:
        self.gate.wait(20)
        if self.problem is not None:
            raise self.problem

    def propose(self, frame: np.ndarray) -> Choice:
        canvas = frame[LAYOUT.canvas.slices].astype(int)
        ys, xs = np.nonzero(canvas.min(axis=-1) > BRIGHT)
        self.at = LAYOUT.canvas.x + round(xs.mean()), LAYOUT.canvas.y + round(ys.mean())
        return Choice(self.at, 0.99)

    def observe(self, _frame: np.ndarray, _click: Any) -> None:
        pass

    def belief(self, click: tuple[int, int]) -> float:
        return float(np.exp(-(np.hypot(click[0] - self.at[0], click[1] - self.at[1]) / 10)))


class Review:
    """A desk with two traced neurites, the second one wrong from section 3 on, and the widget."""

    def __init__(self, desk: Any, qtbot: Any) -> None:
        self.desk, self.qtbot, self.looker = desk, qtbot, PixelLooker()
        tube = desk.tube
        desk.pick()
        trace = desk.widget.controller.trace
        trace.adopt([(z, *tube.at(z)) for z in range(1, 6)], "policy")
        desk.widget.begin((0, *tube.at(0)))
        wrong = [(z, tube.at(z)[0] + (24 if z >= 3 else 0), tube.at(z)[1]) for z in range(1, 6)]
        desk.widget.controller.trace.adopt(wrong, "policy")
        self.widget = ReviewWidget(desk.viewer, lambda _: (self.looker, None))
        desk.viewer.window.add_dock_widget(self.widget, name="Review traces", area="right")
        self.verdicts: list[Any] = []
        self.draw()

    def draw(self) -> None:
        self.desk.settle()
        self.widget.draw()

    def look(self) -> None:
        self.press("look")
        self.desk.until(lambda: not self.widget.desk.looking)
        self.widget.desk.decided.connect(lambda _, verdict: self.verdicts.append(verdict))
        self.draw()

    def press(self, name: str) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button = getattr(self.widget.view, name)
        assert button.isEnabled(), f"{name} is greyed out"
        QTest.mouseClick(button, Qt.LeftButton)
        self.desk.settle()

    def rows(self) -> list[list[str]]:
        tree = self.widget.view.places
        items = [tree.topLevelItem(i) for i in range(tree.topLevelItemCount())]
        return [[item.text(column) for column in range(4)] for item in items]

    @property
    def z(self) -> int:
        return round(self.desk.viewer.dims.point[0] / self.desk.layer.scale[0])


@pytest.fixture
def review(make_desk: Any, qtbot: Any) -> Iterator[Review]:
    made = Review(make_desk(), qtbot)
    yield made
    made.looker.gate.set()
    made.widget.shut_down()


@pytest.mark.gui
def test_places_are_listed_shown_and_decided_by_keys(review: Review) -> None:
    assert review.widget.view.look.text() == "Look at 2 traces"
    review.look()
    (worst, *_) = review.rows()
    assert worst[1:] == ["neurite 2", "3 – 5", "the policy would go elsewhere"]
    assert review.z == 5, "the end of a run is looked at first"
    assert review.desk.widget.controller.neurites.active.name == "neurite 2"
    review.desk.key("N")
    review.desk.key("N", "Shift")
    assert review.z == 5
    review.desk.key("Comma")
    review.desk.key("Comma")
    review.desk.key("H")
    assert [one.decision for one in review.verdicts] == [Decision.SPLIT]
    nodes = [sorted(one.trace.nodes) for one in review.desk.widget.controller.neurites]
    assert nodes == [list(range(6)), [0, 1, 2], [3, 4, 5]]
    review.draw()
    assert review.widget.view.look.text() == "Look at 1 trace"


@pytest.mark.gui
def test_a_click_corrects_the_node_at_hand(review: Review) -> None:
    review.look()
    review.widget.view.comment.setText("slipped off")
    review.desk.key("R")
    review.desk.click(review.desk.tube.at(5), 5)
    (verdict,) = review.verdicts
    assert (verdict.decision, verdict.comment) == (Decision.CORRECT, "slipped off")
    assert verdict.moved_to == pytest.approx((5.0, *review.desk.tube.at(5)), abs=1.0)
    review.desk.key("Y")
    assert review.z == 4, "those before it are still to be looked at"
    review.desk.key("Y")
    assert [one.decision for one in review.verdicts] == [Decision.CORRECT, Decision.ACCEPT]


@pytest.mark.gui
def test_looking_can_be_cancelled_and_errors_are_told(review: Review) -> None:
    review.looker.gate.clear()
    review.press("look")
    review.draw()
    assert review.widget.view.progress.isVisibleTo(review.widget)
    review.press("cancel")
    review.looker.gate.set()
    review.draw()
    assert not review.widget.desk.looking
    assert review.widget.view.look.isEnabled()
    review.looker.problem = VolumeUnreachableError("the server is gone")
    review.press("look")
    review.desk.until(lambda: bool(review.desk.shown))
    assert review.desk.shown[-1] == ("error", "the server is gone")
    assert not review.widget.desk.looking


@pytest.mark.gui
def test_without_traces_it_says_what_to_do_and_closing_frees_the_keys(
    make_napari_viewer: Any, notices: list[tuple[str, str]]
) -> None:
    viewer = make_napari_viewer()
    widget = ReviewWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Review traces", area="right")
    assert widget.view.status.text() == NO_TRACES
    widget.look()
    assert notices == [("warning", NO_TRACES)]
    for command in (widget.accept, widget.correct, widget.split, widget.skip, widget.back):
        command()
    widget.cancel()
    widget.shut_down()
    viewer.bind_key("Y", lambda _: None)


@pytest.mark.gui
def test_opened_used_and_closed_twenty_times_nothing_stays(make_desk: Any, qtbot: Any) -> None:
    review = Review(make_desk(), qtbot)
    review.look()
    review.widget.shut_down()
    neurites = review.desk.widget.controller.neurites
    signals = (neurites.clicked, neurites.added, neurites.removed, neurites.changed)
    before, threads = [len(one) for one in signals], threading.active_count()
    viewer, gone = review.desk.viewer, []
    for _ in range(20):
        widget = ReviewWidget(viewer, lambda _: (review.looker, None))
        dock = viewer.window.add_dock_widget(widget, name="Review traces", area="right")
        widget.look()
        desk = widget.desk
        review.desk.until(lambda desk=desk: not desk.looking)
        widget.accept()
        viewer.window.remove_dock_widget(dock)
        gone.append(weakref.ref(desk))
        del desk, widget, dock
    review.desk.settle()
    gc.collect()
    assert [len(one) for one in signals] == before
    assert threading.active_count() <= threads + 1
    assert [one() for one in gone if one() is not None] == []
    viewer.bind_key("Y", lambda _: None)
