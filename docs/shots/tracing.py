# ruff: noqa: TID251 (the pictures are of the plugin)
"""Pictures of *Trace neuron*, and of reviewing what was traced."""

from typing import Any

import napari
from napari_bcannot.compat import camera
from napari_bcannot.snapshot import Mode, Snapshot
from shots.driving import EM, a_viewer, click, dock, neurites, press, take, undock, wait

SECTIONS, SHOWN = 30, 12


def pictures() -> None:
    """Let the policy trace neurites of the sample volume, assist, and look at them."""
    with a_viewer() as viewer:
        widget = dock(viewer, "Trace neuron")
        widget.view.sections.setValue(SECTIONS)
        widget.view.ask.asks.setChecked(False)
        paths = neurites(viewer, 3)
        for number, path in enumerate(paths):
            begin(viewer, widget, path)
            if number == len(paths) - 1:
                assisted(viewer, widget)
            press(widget.view.start)
            if number == 0:
                watched(viewer, widget)
            wait(lambda: not running(widget))
        take(viewer, "trace-done.png")
        stand_up(viewer)
        take(viewer, "trace-3d.png")
        viewer.dims.ndisplay = 2
        reviewed(viewer)
        undock(viewer, widget)


def begin(viewer: napari.Viewer, widget: Any, path: Any) -> None:
    """Pick the start point of a neurite."""
    press(widget.view.pick)
    click(viewer, path.z0, *path.points_yx[0])


def watched(viewer: napari.Viewer, widget: Any) -> None:
    """Take a picture while the policy is at work."""
    binding = widget.binding
    show, taken = binding.drawn, []

    def look(snapshot: Snapshot) -> None:
        show(snapshot)
        there = len(snapshot.nodes) >= SHOWN and snapshot.z in snapshot.nodes
        if there and binding.heat.visible and not taken:
            taken.append(snapshot.z)
            take(viewer, "trace-neuron.png", rest=0.0)

    widget.view.heatmap.setChecked(True)
    binding.drawn = look
    wait(lambda: bool(taken) or not running(widget))
    binding.drawn = show
    widget.view.heatmap.setChecked(False)


def assisted(viewer: napari.Viewer, widget: Any) -> None:
    """Accept some proposals, and take a picture of the next one."""
    press(widget.view.modes.buttons[Mode.ASSIST])
    press(widget.view.start)
    for _ in range(3):
        wait(lambda: waiting(widget))
        press(widget.view.ask.accept)
    wait(lambda: waiting(widget))
    take(viewer, "trace-assist.png")
    press(widget.view.ask.reject)
    press(widget.view.modes.buttons[Mode.AUTO])


def reviewed(viewer: napari.Viewer) -> None:
    """Look for doubtful places in all traces."""
    review = dock(viewer, "Review traces", width=440)
    press(review.view.look)
    wait(lambda: review.desk is not None and not review.desk.looking)
    take(viewer, "review.png", rest=1.0)
    undock(viewer, review)


def stand_up(viewer: napari.Viewer) -> None:
    """Show the traces in three dimensions, with one section of the volume."""
    image = viewer.layers[EM]
    viewer.dims.ndisplay = 3
    image.depiction = "plane"
    image.plane.normal = (1, 0, 0)
    image.plane.position = (image.data.shape[0] - 1, *(size / 2 for size in image.data.shape[1:]))
    viewer.reset_view()
    camera(viewer).angles = (0.0, -25.0, 40.0)
    camera(viewer).zoom *= 0.7


def running(widget: Any) -> bool:
    """Whether the policy is at work."""
    return bool(widget.controller.snapshot().running)


def waiting(widget: Any) -> bool:
    """Whether a proposal waits for the person."""
    return bool(widget.controller.snapshot().waiting)
