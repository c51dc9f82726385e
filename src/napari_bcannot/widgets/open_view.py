"""What the *Open a volume* widget looks like: fields and buttons, no behaviour."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bcannot_core.volumes import CatalogueEntry, ScaleInfo
from bcannot_core.volumes.fetching import FetchState
from napari_bcannot.widgets.parts import button, combo, fine_print, row, show_progress, text, widen

CHOOSE = "Choose a volume…"
NO_ADDRESS = "Choose a volume, or give the address of yours."
READY = "Press Open to show it."
FETCHING = "Fetching what you look at…"
SLOW = "Still waiting for the server: it is slow, or it does not answer."
ALL_LEVELS = "all of them"


class OpenView(QWidget):
    """Fields, buttons and the status line, laid out."""

    def __init__(self) -> None:
        super().__init__()
        self._make_what()
        self._make_where()
        self._make_state()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self._what_box())
        layout.addWidget(row(self.open, self.cancel))
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.retry)
        layout.addWidget(self._where_box())
        layout.addStretch(1)

    # ----------------------------------------------------------------------------- fields
    def _make_what(self) -> None:
        self.catalogue = combo("Public volumes that need no account, and those you remembered", 20)
        self.remember = button(
            "Remember…", "Add this address to the list under a name of your own", small=True
        )
        self.forget = button("Forget", "Take the chosen volume out of your list", small=True)
        self.source = fine_print()
        self.address = _line(
            "A file, a folder or an address: .tif .npz .npy .h5, zarr, precomputed://gs://…",
            "File, folder or address",
        )
        self.file = button("File…", "Choose a file", small=True)
        self.folder = button("Folder…", "Choose a zarr or precomputed folder", small=True)
        self.with_labels = QCheckBox("Segmentation")
        self.with_labels.setToolTip("Show the ids of neurons upon the image")
        self.labels = _line("Address of the ids, in any of the same forms", "none")
        self.finest = combo("The finest level to show: coarser ones need less of the network", 10)
        self.look_up = button("Look up", "Ask which levels there are, without opening", small=True)
        self.facts = fine_print()
        self.axes = QWidget()
        self.axes.setToolTip("Which time point, channel, … to open: one of each")
        self._places = QFormLayout(self.axes)
        self._places.setContentsMargins(0, 0, 0, 0)

    def _make_where(self) -> None:
        self.place = _line(
            "x, y, z in voxels as Neuroglancer and WEBKNOSSOS copy it, the same with nm, or a link",
            "x, y, z or a link",
        )
        self.go = button("Go", "Show this place in the viewer", small=True)
        self.copy = button(
            "Copy place", "Copy x, y, z of the middle of the view, to paste into other tools"
        )

    def _make_state(self) -> None:
        self.open = button("Open", "Open the volume in this viewer")
        self.cancel = button("Cancel", "Stop opening and fetching")
        self.retry = button("Retry", "Ask the server again")
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.status = text(NO_ADDRESS)
        self._fetching = False
        self.status.setMinimumHeight(self.status.fontMetrics().lineSpacing() * 2)

    # ----------------------------------------------------------------------------- layout
    def _what_box(self) -> QGroupBox:
        box = QGroupBox("What to open")
        form = _form(box)
        form.addRow("Volume", row(self.catalogue, self.forget))
        form.addRow("", self.source)
        form.addRow("Address", self.address)
        form.addRow("", row(QLabel(), self.file, self.folder, self.remember))
        form.addRow(self.with_labels, self.labels)
        form.addRow("Levels", row(self.finest, self.look_up))
        form.addRow("", self.facts)
        form.addRow("Axes", self.axes)
        self._optional = {w: form.labelForField(w) for w in (self.source, self.facts, self.axes)}
        self.show_axes(())
        self.say("source", "")
        self.say("facts", "")
        return box

    def _where_box(self) -> QGroupBox:
        box = QGroupBox("Where to look")
        form = _form(box)
        form.addRow("Place", row(self.place, self.go))
        form.addRow("", self.copy)
        return box

    # --------------------------------------------------------------------------- contents
    def tell(self, words: str) -> None:
        """Fill in the status line; it stays until something is fetched."""
        self.status.setText(words)
        self._fetching = False

    def say(self, field: str, words: str) -> None:
        """Fill in a line of fine print; without words it takes no room."""
        label = getattr(self, field)
        label.setText(words)
        self._show_row(label, shown=bool(words))

    def _show_row(self, field: QWidget, *, shown: bool) -> None:
        field.setVisible(shown)
        beside = self._optional[field]
        if beside is not None:
            beside.setVisible(shown)

    def show_axes(self, axes: Sequence[tuple[str, int]]) -> None:
        """Ask for a place of each axis beside z, y, x; without axes nothing is asked."""
        while self._places.rowCount():
            self._places.removeRow(0)
        self.places: dict[str, QSpinBox] = {}
        for name, size in axes:
            field = self.places[name] = QSpinBox()
            field.setRange(0, size - 1)
            field.setToolTip(f"Which place along {name} to open, from 0 to {size - 1}")
            widen(field)
            long = {"t": "time point", "c": "channel"}.get(name, f"axis {name}")
            self._places.addRow(f"{long} (0…{size - 1})", field)
        self._show_row(self.axes, shown=bool(axes))

    def chosen_places(self) -> str:
        """Return the option of the address that names the places; empty where none is asked."""
        return ",".join(f"{name}:{field.value()}" for name, field in self.places.items())

    def show_catalogue(
        self, own: Sequence[CatalogueEntry], public: Sequence[CatalogueEntry]
    ) -> None:
        """Offer the volumes of images; nothing is chosen."""
        self.catalogue.blockSignals(True)
        self.catalogue.clear()
        self.catalogue.addItem(CHOOSE, None)
        for entries in (own, public):
            shown = [entry for entry in entries if entry.kind == "em"]
            if shown and self.catalogue.count() > 1:
                self.catalogue.insertSeparator(self.catalogue.count())
            for entry in shown:
                self.catalogue.addItem(entry.title, entry)
                last = self.catalogue.count() - 1
                self.catalogue.setItemData(last, entry.address, Qt.ItemDataRole.ToolTipRole)
        self.catalogue.blockSignals(False)

    def show_levels(self, scales: Sequence[ScaleInfo]) -> None:
        """Offer the levels of a volume; without any, all of them are shown."""
        self.finest.clear()
        self.finest.addItem(ALL_LEVELS, 0)
        for info in scales[1:]:
            z, y, x = info.voxel_nm
            self.finest.addItem(f"from {x:g} × {y:g} × {z:g} nm on", info.index)

    def show_fetching(
        self, states: Sequence[FetchState], *, opening: bool, any_layer: bool
    ) -> None:
        """Fill in how the opening and the fetching go."""
        waiting = sum(state.waiting for state in states if not state.failed)
        total = sum(state.total for state in states if not state.failed)
        failed = any(state.failed for state in states)
        busy = opening or waiting > 0
        self.open.setEnabled(not opening)
        self.cancel.setEnabled(busy)
        self.retry.setVisible(failed)
        came = total - waiting if waiting else max(total, 1)
        words = f"{total - waiting} of {total} blocks" if waiting else ""
        show_progress(self.progress, came, 0 if opening else max(total, 1), words)
        self.progress.setVisible(busy)
        self.go.setEnabled(any_layer)
        self.copy.setEnabled(any_layer)
        message = next((state.message for state in states if state.message), "")
        if not message and any(state.slow for state in states):
            message = SLOW
        elif not message and waiting:
            message = FETCHING
        if message:
            self.status.setText(message)
        elif self._fetching:
            self.status.setText("All that is in view is there.")
        self._fetching = bool(message)


def _line(tip: str, example: str) -> QLineEdit:
    line = QLineEdit()
    line.setToolTip(tip)
    line.setPlaceholderText(example)
    line.setClearButtonEnabled(True)
    line.setMaxLength(1_000_000)
    widen(line)
    return line


def _form(box: QGroupBox) -> QFormLayout:
    form = QFormLayout(box)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form
