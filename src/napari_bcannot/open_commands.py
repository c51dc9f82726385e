"""The commands of *Open a volume* in the plugin's menu and in napari's command palette."""

from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer

from napari_bcannot.commands import widget_in

if TYPE_CHECKING:
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget


def open_widget(viewer: Any) -> "OpenVolumeWidget":
    """Return the *Open a volume* widget of a viewer, opened where it is not."""
    from napari_bcannot.widgets.open_volume import OpenVolumeWidget

    return widget_in(viewer, OpenVolumeWidget, "napari-bcannot.open_volume")


def go_to_place(viewer: Viewer) -> None:
    """Go to the place in the widget's field; where it is empty, to the one on the clipboard."""
    widget = open_widget(viewer)
    if not widget.view.place.text().strip():
        widget.paste_place()
    widget.go()


def copy_place(viewer: Viewer) -> None:
    """Put the middle of the view on the clipboard, as x, y, z in voxels."""
    open_widget(viewer).copy_place()


def retry_fetching(viewer: Viewer) -> None:
    """Ask servers again that have failed."""
    open_widget(viewer).retry()


def cancel_fetching(viewer: Viewer) -> None:
    """Stop opening, and fetching for what is in view."""
    open_widget(viewer).cancel()
