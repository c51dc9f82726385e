# ruff: noqa: TID251 (the pictures are of the plugin)
"""Pictures of *Open a volume*."""

from napari_bcannot.widgets.open_volume import OpenVolumeWidget
from shots.driving import a_viewer, dock, settle, take_widget

CHOSEN = "H01, human temporal cortex: electron microscopy"


def pictures() -> None:
    """Choose a public volume; nothing is fetched."""
    with a_viewer(sample=None) as viewer:
        widget = OpenVolumeWidget(viewer)
        dock(viewer, widget, "Open a volume")
        view = widget.view
        view.catalogue.setCurrentIndex(view.catalogue.findText(CHOSEN))
        view.place.setText("235000, 173000, 2500")
        settle(0.5)
        take_widget(widget, "open-volume.png")
