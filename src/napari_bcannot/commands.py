"""The commands of the plugin's menu and of napari's command palette.

Each presses, in the viewer at hand, what is also a button of a widget. A widget that is not open
is opened first. Commands never fail: what cannot be done is said in a notification by the widget.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from napari_bcannot import notices
from napari_bcannot.compat import main_window, run_command, viewer_at_hand
from napari_bcannot.first_run import hint_unseen
from napari_bcannot.settings import forget_settings

if TYPE_CHECKING:
    from napari_bcannot.widgets.batch_panel import BatchWidget
    from napari_bcannot.widgets.docked import DockedWidget
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

Command = Callable[[], None]
Docked = TypeVar("Docked", bound="DockedWidget")


def widget_in(viewer: Any, kind: type[Docked], command: str) -> Docked:
    """Return the open widget of a kind, opened by its command where there is none.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer at hand.
    kind : type
        The widget's class.
    command : str
        The id of the command that opens it.
    """
    for _ in range(2):
        widgets: list[Docked] = main_window(viewer).findChildren(kind)
        found = [widget for widget in widgets if widget.is_open]
        if found:
            return found[-1]
        run_command(command)
    raise RuntimeError(f"{command} opened no {kind.__name__}")


def trace_widget() -> "TraceNeuronWidget":
    """Return the *Trace neuron* widget of the viewer at hand, opened where it is not."""
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

    return widget_in(viewer_at_hand(), TraceNeuronWidget, "napari-bcannot.trace_neuron")


def batch_widget() -> "BatchWidget":
    """Return the *Trace many* widget of the viewer at hand, opened where it is not."""
    from napari_bcannot.widgets.batch_panel import BatchWidget

    return widget_in(viewer_at_hand(), BatchWidget, "napari-bcannot.trace_many")


def _trace(method: str, *values: Any) -> Command:
    """Return a command that calls a method of the *Trace neuron* widget."""

    def command() -> None:
        getattr(trace_widget(), method)(*values)

    command.__name__ = command.__qualname__ = method
    return command


def _batch(method: str) -> Command:
    """Return a command that calls a method of the *Trace many* widget."""

    def command() -> None:
        getattr(batch_widget(), method)()

    command.__name__ = command.__qualname__ = method
    return command


pick_start = _trace("pick_start", True)
start = _trace("start")
pause = _trace("pause")
step = _trace("step")
stop = _trace("stop")
undo = _trace("undo")
redo = _trace("redo")
next_section = _trace("next_section")
previous_section = _trace("previous_section")
done = _trace("done")
save_trace = _trace("save_as")
open_address = _trace("ask_address")
choose_policy = _trace("choose_policy")

batch_from_table = _batch("ask_table")
batch_from_layer = _batch("take_layer")
batch_start = _batch("start")
batch_cancel = _batch("cancel")
batch_save = _batch("save_as")


def toggle_heatmap() -> None:
    """Show where the policy considered clicking, or hide it."""
    trace_widget().view.heatmap.toggle()


def show_shortcuts() -> None:
    """List the keys in a window of their own."""
    from napari_bcannot.widgets.shortcut_list import ShortcutList

    ShortcutList.show_for(main_window(viewer_at_hand()))


def show_first_steps() -> None:
    """Show the hint for the first time again."""
    from napari_bcannot.widgets.hint import show_hint

    hint_unseen()
    widget = trace_widget()
    show_hint(widget.view)


def forget_all_settings() -> None:
    """Let the defaults hold at the next start."""
    forget_settings()
    notices.show_info("Settings are forgotten: widgets opened from now on begin with the defaults.")
