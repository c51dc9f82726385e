"""Private napari API, and public API that moved: all that the plugin and its tests need."""

from typing import Any


def canvas_widget(viewer: Any) -> Any:
    """Return the Qt widget that a viewer's layers are drawn in."""
    return viewer.window._qt_viewer.canvas.native


def main_window(viewer: Any) -> Any:
    """Return the Qt window of a viewer, also of the proxy that napari gives to commands."""
    return getattr(viewer, "__wrapped__", viewer).window._qt_window


def camera(viewer: Any) -> Any:
    """Return a viewer's camera; napari 0.9 moved it to ``viewer.scene``."""
    return getattr(viewer, "scene", viewer).camera


def canvas_xy(viewer: Any, world: tuple[float, ...]) -> tuple[float, float]:
    """Return where a world position is drawn, (x, y) in pixels of the canvas widget.

    Parameters
    ----------
    viewer : napari.Viewer
        Shown in two dimensions.
    world : tuple of float
        A coordinate an axis of the viewer.
    """
    canvas = viewer.window._qt_viewer.canvas
    shown = [world[axis] for axis in viewer.dims.displayed]
    x, y = (canvas.view.transform * canvas.view.scene.transform).map(shown[::-1])[:2]
    return float(x), float(y)


def viewer_at_hand() -> Any:
    """Return the viewer that menus act on.

    Raises
    ------
    RuntimeError
        There is no viewer.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise RuntimeError("There is no viewer: open napari first.")
    return viewer


def run_command(command: str) -> None:
    """Run a command of napari's menus or of a plugin, for the viewer at hand."""
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command(command).result()
