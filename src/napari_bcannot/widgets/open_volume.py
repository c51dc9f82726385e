"""The dock widget *Open a volume*: catalogue, addresses, places, and how the fetching goes."""

import re
from functools import partial
from typing import Any

from qtpy.QtWidgets import QApplication

from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.url_queries import without_query
from bcannot_core.volumes import CatalogueEntry
from bcannot_core.volumes.address import add_options
from bcannot_core.volumes.catalogue import forget, own_catalogue, public_catalogue, remember
from bcannot_core.volumes.places import Place, parse_place
from napari_bcannot import notices
from napari_bcannot.fetching import Refresher, release
from napari_bcannot.geometry import is_volume_layer
from napari_bcannot.layer_watch import LayerWatch
from napari_bcannot.neurites import free_name
from napari_bcannot.opening import Axes, Facts, Request, VolumeOpener, labels_address
from napari_bcannot.places import go_to, where
from napari_bcannot.remote_layers import fetchers, short_name
from napari_bcannot.settings import keep_section, read_section
from napari_bcannot.turns import one_line
from napari_bcannot.widgets.dialogs import ask_folder, ask_name, ask_volume
from napari_bcannot.widgets.docked import DockedWidget
from napari_bcannot.widgets.open_view import NO_ADDRESS, READY, OpenView
from napari_bcannot.widgets.parts import connect_buttons

_SECTION = "open_volume"


class OpenVolumeWidget(DockedWidget):
    """Open volumes of any size, from here or from a server, and go to places in them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: Any) -> None:
        self.view = OpenView()
        super().__init__(napari_viewer, self.view)
        self.opener = VolumeOpener(napari_viewer, self._on_opened, self._on_failed)
        self.opener.chosen = self._on_axes
        self.opener.prepare()
        self._place: Place | None = None
        self._asked = ""
        self._entry: CatalogueEntry | None = None
        self._connect()
        self.show_catalogue()
        self.view.show_levels(())
        self._recall()
        self._show()

    def _connect(self) -> None:
        view = self.view
        connect_buttons([
            (view.open, self.open), (view.cancel, self.cancel), (view.retry, self.retry),
            (view.look_up, self.look_up), (view.go, self.go), (view.copy, self.copy_place),
            (view.file, self.ask_file), (view.folder, self.ask_folder),
            (view.remember, self.ask_name), (view.forget, self.forget),
        ])  # fmt: skip
        view.catalogue.currentIndexChanged.connect(lambda _: self._on_catalogue())
        view.address.textEdited.connect(lambda _: self._on_address())
        view.address.returnPressed.connect(view.open.click)  # not while something is opened
        view.place.textEdited.connect(lambda _: self._on_place())
        view.place.returnPressed.connect(self.go)
        self._watch = LayerWatch(self.viewer, self._on_layers)
        self.viewer.layers.events.removed.connect(self._on_removed)
        Refresher.shared().changed.connect(self._show)

    # -------------------------------------------------------------------------- commands
    def open(self) -> None:
        """Open what the fields say."""
        view = self.view
        address = self._address()
        if not address:
            view.tell(NO_ADDRESS)
            return
        labels = view.labels.text().strip() if view.with_labels.isChecked() else ""
        kept = {"address": view.address.text().strip(), "labels": view.labels.text().strip()}
        keep_section(_SECTION, {name: without_query(one) for name, one in kept.items()})
        view.tell(f"Opening {address} …")
        self._asked = view.address.text()
        self.opener.open(Request(address, labels, int(view.finest.currentData() or 0)))
        self._show()

    def cancel(self) -> None:
        """Stop opening, and fetching for what is in view."""
        self.opener.close()
        for fetcher in fetchers(self.viewer.layers):
            fetcher.cancel()
        self.view.tell("Cancelled. Move on, or press Open, to fetch again.")
        self._show()

    def retry(self) -> None:
        """Ask servers again that have failed."""
        for fetcher in fetchers(self.viewer.layers):
            if fetcher.state().failed:
                fetcher.retry()
        self._show()

    def look_up(self) -> None:
        """Ask which levels the volume has."""
        address = self._address()
        if address:
            self.view.tell(f"Looking up {address} …")
            asked = self.view.address.text()
            self.opener.look_up(address, partial(self._on_facts, asked))
            self._show()

    def go(self) -> None:
        """Go to the place that was pasted."""
        layer = self._layer()
        try:
            place = parse_place(self.view.place.text())
            if layer is None:
                raise UsageError("Open a volume first: then go to a place in it.")
            go_to(self.viewer, layer, place)
        except BcannotError as error:
            self.view.tell(one_line(error))

    def copy_place(self) -> None:
        """Put the middle of the view on the clipboard, as x, y, z in voxels."""
        layer = self._layer()
        clipboard = QApplication.clipboard()
        if layer is not None and clipboard is not None:
            words = where(self.viewer, layer)
            clipboard.setText(words)
            self.view.tell(f"Copied {words} (x, y, z in voxels).")

    def paste_place(self) -> None:
        """Take the text on the clipboard for a place."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            self.view.place.setText(clipboard.text())
            self._on_place()

    def ask_file(self) -> None:
        """Ask for a file."""
        path = ask_volume(self)
        if path is not None:
            self.use_address(str(path))

    def ask_folder(self) -> None:
        """Ask for a folder."""
        path = ask_folder(self, "Folder of a zarr or precomputed volume")
        if path is not None:
            self.use_address(str(path))

    def use_address(self, address: str, labels: str = "") -> None:
        """Fill in an address, and that of the ids upon it."""
        self.view.catalogue.setCurrentIndex(0)
        self.view.address.setText(address)
        self._on_address()
        self.view.labels.setText(labels)
        self.view.with_labels.setChecked(bool(labels))

    def ask_name(self) -> None:
        """Ask under which name to remember the address."""
        address = self.view.address.text().strip()
        title = ask_name(self, "Remember this volume", short_name(address)) if address else None
        if title:
            self.remember(title)

    def remember(self, title: str) -> None:
        """Add the address to the person's own volumes."""
        typed = self.view.address.text().strip()
        address = without_query(typed)
        labels = without_query(self.view.labels.text().strip()) or None
        try:
            name = self._free_name(title)
            remember(CatalogueEntry(name, title, "em", address, labels=labels, source=""))
        except BcannotError as error:
            notices.show_error(one_line(error))
            return
        self.show_catalogue()
        key = "" if address == typed else ", but for what follows the ?, which is not kept"
        self.view.tell(f"{title} is in the list now{key}.")

    @staticmethod
    def _free_name(title: str) -> str:
        """Return a short name for a volume; that of another one with the same title goes."""
        base = re.sub(r"[\W_]+", "-", title.lower()).strip("-") or "volume"
        return free_name(base, [entry.name for entry in own_catalogue() if entry.title != title])

    def forget(self) -> None:
        """Take the chosen volume out of the person's own ones."""
        if self._entry is not None:
            try:
                forget(self._entry.name)
            except BcannotError as error:
                notices.show_error(one_line(error))
            self.show_catalogue()

    def show_catalogue(self) -> None:
        """List the volumes that are known by name; a damaged file of own ones is said."""
        try:
            own = own_catalogue()
        except BcannotError as error:
            own = ()
            notices.show_warning(one_line(error))
        self._own = {entry.name for entry in own}
        self.view.show_catalogue(own, [e for e in public_catalogue() if e.name not in self._own])
        self._on_catalogue()

    # ---------------------------------------------------------------------------- events
    def _on_catalogue(self) -> None:
        entry = self._entry = self.view.catalogue.currentData()
        self.view.forget.setVisible(entry is not None and entry.name in self._own)
        self.view.say("source", entry.source if entry else "")
        if entry is not None:
            self.view.address.setText(entry.address)
            labels = labels_address(entry)
            self.view.labels.setText(labels)
            self.view.with_labels.setChecked(bool(labels))
            self._on_address()

    def _on_address(self) -> None:
        self.view.tell(READY if self.view.address.text().strip() else NO_ADDRESS)
        self.view.show_levels(())
        self.view.show_axes(())
        self.view.say("facts", "")

    def _on_axes(self, axes: Axes) -> None:
        """Ask for places in what was to be opened, unless another address was given meanwhile."""
        if self._asked == self.view.address.text():
            self._ask_places(axes)
        else:
            self._on_failed(
                f"{self._asked} has more axes than z, y, x: give its address again, and a place of "
                "each."
            )

    def _ask_places(self, axes: Axes) -> None:
        self.view.show_axes(axes)
        self.view.tell("It has more axes than z, y, x: choose a place of each, then Open.")
        self._show()

    def _on_facts(self, asked: str, facts: Facts) -> None:
        """Show what is known of an address, unless another one was given meanwhile."""
        if asked != self.view.address.text():
            self._show()
            return
        if facts.axes:
            self._ask_places(facts.axes)
            return
        self.view.show_levels(facts.scales)
        depth, height, width = facts.scales[0].shape
        z, y, x = facts.scales[0].voxel_nm
        size = f"{x:g} × {y:g} × {z:g} nm" if facts.voxel_known else "voxel size not stated"
        self.view.say("facts", f"{width} × {height} × {depth} voxels of {facts.dtype}, {size}")
        self.view.tell(READY)
        self._show()

    def _on_place(self) -> None:
        """Fill in the volumes of a link; what is being typed may not be a place yet."""
        try:
            place = parse_place(self.view.place.text())
        except BcannotError:
            return
        address = place.address("em")
        if address is not None:
            self.use_address(address, place.address("labels") or "")
            self.view.tell("The link's volume is filled in: press Open, then Go.")

    def _on_opened(self, layer: Any) -> None:
        self.view.tell(f"{layer.name} is open.")
        if self.view.place.text().strip():
            self.go()
        self._show()

    def _on_failed(self, message: str) -> None:
        notices.show_error(message)
        self.view.tell(message)
        self._show()

    def _on_layers(self, _: Any) -> None:
        self._show()

    def _on_removed(self, event: Any) -> None:
        release(event.value)

    # -------------------------------------------------------------------------- internal
    def _show(self) -> None:
        states = [fetcher.state() for fetcher in fetchers(self.viewer.layers)]
        there = self._layer() is not None
        self.view.show_fetching(states, opening=self.opener.busy, any_layer=there)

    def _address(self) -> str:
        """Return the address in the field, with the places of further axes where they are asked."""
        address, places = self.view.address.text().strip(), self.view.chosen_places()
        return add_options(address, [f"at={places}"]) if address and places else address

    def _layer(self) -> Any:
        """Return the volume that places are of: the selected one, else the one on top."""
        volumes = [layer for layer in self.viewer.layers if is_volume_layer(layer)]
        active = self.viewer.layers.selection.active
        return next((x for x in volumes if x == active), volumes[-1] if volumes else None)

    def _recall(self) -> None:
        kept = read_section(_SECTION)
        address = kept.get("address")
        if isinstance(address, str):
            labels = kept.get("labels")
            self.use_address(address, labels if isinstance(labels, str) else "")

    def release(self) -> None:
        """End everything; the layers stay, and are fetched as they are looked at."""
        self.opener.close()
        self._watch.close()
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        Refresher.shared().changed.disconnect(self._show)
