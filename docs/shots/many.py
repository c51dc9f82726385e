"""Pictures of *Trace many*."""

import numpy as np

from shots.driving import EM, a_viewer, dock, neurites, press, take, wait

STARTS, DONE = 8, 3


def pictures() -> None:
    """Trace from the points of a layer until some traces have come."""
    with a_viewer() as viewer:
        paths = neurites(viewer, STARTS, least=20)
        points = np.array([(path.z0, *path.points_yx[0]) for path in paths])
        layer = viewer.layers[EM]
        viewer.add_points(
            points, name="start points", scale=layer.scale, units=layer.units, size=6,
            face_color="yellow",
        )  # fmt: skip
        widget = dock(viewer, "Trace many", width=400)
        view = widget.view
        view.volume.setCurrentText(EM)
        view.points.setCurrentText("start points")
        press(view.take)
        press(view.start)
        wait(lambda: widget.controller.progress[0] >= DONE)
        take(viewer, "trace-many.png")
        press(view.cancel)
        wait(lambda: not widget.controller.running)
