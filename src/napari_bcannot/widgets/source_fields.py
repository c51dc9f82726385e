"""What is traced in when neuron tracing is played: made tissue, a layer or an address."""

from functools import partial
from typing import Any

from qtpy.QtWidgets import QFormLayout, QWidget

from napari_bcannot.geometry import is_labels_layer, is_volume_layer
from napari_bcannot.play_source import Source
from napari_bcannot.widgets.dialogs import ask_address
from napari_bcannot.widgets.parts import button, combo, offer, row

MADE = "made tissue"
NO_LABELS = "none: neither score nor annotator"
SAME = "at the volume's address"


class SourceFields(QWidget):
    """Chooses a volume and its labels among the viewer's layers, or by address."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: list[Any] = []
        self._addresses: dict[str, list[str]] = {"volume": [], "labels": []}
        self.volume = combo("What is traced in: made tissue, a 3-D grey image layer, an address")
        self.labels = combo("The ids of its neurites: the annotator and the score need them")
        self._fields = {"volume": self.volume, "labels": self.labels}
        browse = {
            which: button(
                "…", f"Give the address of the {which}: a file, folder or URL", small=True
            )
            for which in self._fields
        }
        self.browse_volume, self.browse_labels = browse["volume"], browse["labels"]
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Volume", row(self.volume, self.browse_volume))
        form.addRow("Labels", row(self.labels, self.browse_labels))
        for which, pressed in browse.items():
            pressed.clicked.connect(partial(self._ask, which))
        self.volume.currentIndexChanged.connect(lambda _: self._list_labels())
        self.show_layers([])

    def show_layers(self, layers: list[Any]) -> None:
        """Offer these layers of the viewer."""
        self._layers = layers
        images = [(layer.name, layer) for layer in layers if is_volume_layer(layer)]
        typed = [(_short(address), address) for address in self._addresses["volume"]]
        offer(self.volume, [(MADE, None), *images, *typed])
        self._list_labels()

    def source(self) -> Source | None:
        """Return what is chosen; None for made tissue."""
        chosen, ids = self.volume.currentData(), self.labels.currentData()
        if chosen is None:
            return None
        return Source(chosen, chosen if ids == SAME else ids)

    def add_address(self, which: str, address: str) -> None:
        """Offer an address for the ``"volume"`` or the ``"labels"``, and choose it."""
        field, known = self._fields[which], self._addresses[which]
        if address not in known:
            known.append(address)
        self.show_layers(self._layers)
        field.setCurrentIndex(field.findData(address))

    def _ask(self, which: str, _: bool = False) -> None:
        address = ask_address(self)
        if address is not None:
            self.add_address(which, address)

    def _list_labels(self) -> None:
        """Offer labels for the chosen volume; made tissue brings its own."""
        chosen = self.volume.currentData()
        made = chosen is None
        ids = [(layer.name, layer) for layer in self._layers if is_labels_layer(layer)]
        typed = [(_short(address), address) for address in self._addresses["labels"]]
        same = [(SAME, SAME)] if isinstance(chosen, str) else []
        offer(self.labels, [(MADE, None)] if made else [(NO_LABELS, None), *same, *ids, *typed])
        self.labels.setEnabled(not made)
        self.browse_labels.setEnabled(not made)


def _short(address: str) -> str:
    return address if len(address) <= 40 else f"…{address[-39:]}"
