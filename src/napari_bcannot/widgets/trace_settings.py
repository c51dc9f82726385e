"""How the *Trace neuron* widget begins: as it was left, and with a hint for whoever is new."""

from pathlib import Path
from typing import TYPE_CHECKING

from napari_bcannot.snapshot import Mode
from napari_bcannot.widgets.hint import show_hint
from napari_bcannot.widgets.remembered import Kept, Remembered

if TYPE_CHECKING:
    from napari_bcannot.settings import Value
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget


def begin_as_left(widget: "TraceNeuronWidget") -> None:
    """Fill in what was kept, keep what is changed from now on, and greet whoever is new."""
    view = widget.view
    Remembered(
        "trace",
        {
            "sections": view.sections,
            "direction": view.direction,
            "nm_per_px": view.nm_per_px,
            "heatmap": view.heatmap,
            "asks": view.ask.asks,
            "ask_below": view.ask.confidence,
            "policy": Kept(
                lambda: str(view.policy.currentData()),
                lambda value: _use_policy(widget, value),
                view.policy.currentIndexChanged,
            ),
            "mode": Kept(
                lambda: str(view.modes.mode),
                lambda value: _use_mode(widget, value),
                view.modes.group.buttonToggled,
            ),
        },
        widget,
    )
    show_hint(view)


def _use_policy(widget: "TraceNeuronWidget", value: "Value") -> None:
    """Choose a policy of the list, or one in a folder that is still there."""
    policy = widget.view.policy
    at = policy.findData(value)
    if at >= 0:
        policy.setCurrentIndex(at)
    elif isinstance(value, str) and (Path(value) / "config.json").is_file():
        widget.use_policy(value)


def _use_mode(widget: "TraceNeuronWidget", value: "Value") -> None:
    if value in tuple(Mode):
        widget.view.modes.show_mode(Mode(str(value)))
        widget.use_mode(str(value))
