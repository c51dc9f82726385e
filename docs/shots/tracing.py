# ruff: noqa: TID251 (the pictures are of the plugin)
"""Pictures of *Trace neuron*."""

import napari
from napari_bcannot.compat import camera
from napari_bcannot.policies import load_policy
from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget
from shots.driving import EM, a_viewer, click, dock, neurites, press, take, wait


def pictures(policy: str = "default", seed: int = 0) -> None:
    """Let a policy trace a neurite of the sample volume, and look at the trace."""
    with a_viewer() as viewer:
        widget = TraceNeuronWidget(viewer, lambda _: load_policy(policy))
        dock(viewer, widget, "Trace neuron")
        view = widget.view
        (path,) = neurites(viewer, 1, seed)
        press(view.pick)
        click(viewer, path.z0, *path.points_yx[0])
        view.heatmap.setChecked(True)
        press(view.start)
        wait(lambda: has_traced(widget, 12) or not running(widget))
        take(viewer, "trace-neuron.png", rest=0.0)
        wait(lambda: not running(widget))
        take(viewer, "trace-done.png")
        view.heatmap.setChecked(False)
        stand_up(viewer)
        take(viewer, "trace-3d.png")


def stand_up(viewer: napari.Viewer) -> None:
    """Show the trace in three dimensions, with one section of the volume."""
    image = viewer.layers[EM]
    viewer.dims.ndisplay = 3
    image.depiction = "plane"
    image.plane.normal = (1, 0, 0)
    image.plane.position = (image.data.shape[0] - 1, *(size / 2 for size in image.data.shape[1:]))
    viewer.reset_view()
    camera(viewer).angles = (0.0, -25.0, 40.0)
    camera(viewer).zoom *= 0.7


def has_traced(widget: TraceNeuronWidget, nodes: int) -> bool:
    """Whether so many nodes are placed, the last one in the section in view."""
    snapshot = widget.controller.snapshot()
    return len(snapshot.nodes) >= nodes and snapshot.z in snapshot.nodes


def running(widget: TraceNeuronWidget) -> bool:
    """Whether the policy is at work."""
    return widget.controller.snapshot().running
