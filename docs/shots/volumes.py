"""Pictures of *Open a volume*."""

from shots.driving import a_viewer, dock, settle, take_widget

CHOSEN = "H01, human temporal cortex: electron microscopy"


def pictures() -> None:
    """Choose a public volume; nothing is fetched."""
    with a_viewer(sample=None) as viewer:
        widget = dock(viewer, "Open a volume", width=560)
        view = widget.view
        view.catalogue.setCurrentIndex(view.catalogue.findText(CHOSEN))
        view.place.setText("235000, 173000, 2500")
        settle(0.5)
        take_widget(widget, "open-volume.png", height=400)
