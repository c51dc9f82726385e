"""Draws layers anew as their blocks come in, and says what goes wrong."""

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakSet, ref

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QTimer

import napari
from bcannot_core.volumes.fetching import Fetcher
from napari_bcannot import notices
from napari_bcannot.remote_layers import fetcher_of

TICK_MS = 40
LEAST_GAP_S = 0.1
"""A layer is drawn anew at most so often while its blocks come in."""
SHARE = 4
"""After drawing for t seconds nothing is drawn anew for so many times t."""


@dataclass(slots=True)
class _Watched:
    """What was last shown of a fetcher."""

    version: int = 0
    next_at: float = 0.0
    said: bool = False
    layers: list["ref[Any]"] = field(default_factory=list)


class Refresher:
    """Refreshes the layers of fetchers that are at work; one for the process.

    Attributes
    ----------
    changed : Signal
        Emits now and then while something is being fetched, and once when it is not any more.
    """

    changed = Signal()
    _one: ClassVar["Refresher | None"] = None

    def __init__(self) -> None:
        self._watched: WeakKeyDictionary[Fetcher, _Watched] = WeakKeyDictionary()
        self._working: WeakSet[Fetcher] = WeakSet()
        self._timer: QTimer | None = None

    @classmethod
    def shared(cls) -> "Refresher":
        """Return the one of the process."""
        if cls._one is None:
            cls._one = Refresher()
        return cls._one

    @property
    def busy(self) -> bool:
        """Whether something is being fetched, or has come and is not drawn yet."""
        return any(not fetcher.state().failed for fetcher in self._working)

    def attach(self, layer: Any) -> None:
        """Refresh this layer when its blocks come in; does nothing for one that is all there."""
        fetcher = fetcher_of(layer)
        if fetcher is None:
            return
        watched = self._watch(fetcher)
        if all(known() is not layer for known in watched.layers):
            watched.layers.append(ref(layer))
        _forbid_painting(layer)
        self.wake(fetcher)

    def wake(self, fetcher: Fetcher) -> None:
        """Look after a fetcher until it has nothing to do."""
        self._watch(fetcher)
        self._working.add(fetcher)
        if QCoreApplication.instance() is None:
            return
        if self._timer is None:
            self._timer = QTimer()
            self._timer.setInterval(TICK_MS)
            self._timer.timeout.connect(self._tick)
        if not self._timer.isActive():
            self._timer.start()

    def _watch(self, fetcher: Fetcher) -> _Watched:
        if fetcher not in self._watched:
            self._watched[fetcher] = _Watched()
            fetcher.woken = self.wake
        return self._watched[fetcher]

    def _tick(self) -> None:
        for fetcher in list(self._working):
            self._look_after(fetcher, self._watched[fetcher])
        if not self._working and self._timer is not None:
            self._timer.stop()
        self.changed.emit()

    def _look_after(self, fetcher: Fetcher, watched: _Watched) -> None:
        state, version = fetcher.state(), fetcher.version
        layers = self._layers(fetcher, watched)
        if not layers:
            return  # not added yet, or gone: then `release` ends it
        if state.failed and not watched.said:
            notices.show_warning(f"{state.message} Press Retry in Open a volume, or wait.")
        watched.said = state.failed
        if fetcher.retry_due:
            fetcher.retry()
            return
        if version != watched.version and (time.monotonic() >= watched.next_at or not state.busy):
            watched.version = version
            self._refresh(layers, watched)
        elif not state.busy and not state.failed and fetcher.version == watched.version:
            self._working.discard(fetcher)

    @staticmethod
    def _refresh(layers: list[Any], watched: _Watched) -> None:
        before = time.monotonic()
        for layer in layers:
            layer.refresh(extent=False, highlight=False)
        took = time.monotonic() - before
        watched.next_at = before + max(LEAST_GAP_S, SHARE * took)

    @staticmethod
    def _layers(fetcher: Fetcher, watched: _Watched) -> list[Any]:
        known = [layer for layer in (one() for one in watched.layers) if layer is not None]
        if known:
            return known
        viewer = napari.current_viewer()  # a layer that napari made of what a reader returned
        found = [x for x in (viewer.layers if viewer else ()) if fetcher_of(x) is fetcher]
        for layer in found:
            _forbid_painting(layer)
        watched.layers = [ref(layer) for layer in found]
        return found


def _forbid_painting(layer: Any) -> None:
    if type(layer).__name__ == "Labels":
        layer.editable = False  # napari takes several levels for editable


def release(layer: Any) -> None:
    """Fetch nothing any more for a layer that was removed."""
    fetcher = fetcher_of(layer)
    if fetcher is not None:
        fetcher.cancel()
