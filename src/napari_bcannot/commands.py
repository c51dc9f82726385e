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
    from napari_bcannot.widgets.review_queue import ReviewWidget
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


def review_widget() -> "ReviewWidget":
    """Return the *Review traces* widget of the viewer at hand, opened where it is not."""
    from napari_bcannot.widgets.review_queue import ReviewWidget

    return widget_in(viewer_at_hand(), ReviewWidget, "napari-bcannot.review_traces")


def _press(widget: Callable[[], Any], method: str, *values: Any) -> Command:
    """Return a command that calls a method of a widget."""

    def command() -> None:
        getattr(widget(), method)(*values)

    command.__name__ = command.__qualname__ = method
    return command


pick_start = _press(trace_widget, "pick_start", True)
start = _press(trace_widget, "start")
pause = _press(trace_widget, "pause")
step = _press(trace_widget, "step")
stop = _press(trace_widget, "stop")
undo = _press(trace_widget, "undo")
redo = _press(trace_widget, "redo")
next_section = _press(trace_widget, "next_section")
previous_section = _press(trace_widget, "previous_section")
done = _press(trace_widget, "done")
save_trace = _press(trace_widget, "save_as")
open_address = _press(trace_widget, "ask_address")
choose_policy = _press(trace_widget, "choose_policy")

mode_hand = _press(trace_widget, "use_mode", "hand")
mode_assist = _press(trace_widget, "use_mode", "assist")
mode_auto = _press(trace_widget, "use_mode", "auto")
accept_proposal = _press(trace_widget, "accept_proposal")
reject_proposal = _press(trace_widget, "reject_proposal")

new_neurite = _press(trace_widget, "new_neurite")
next_neurite = _press(trace_widget, "next_neurite")
previous_neurite = _press(trace_widget, "previous_neurite")
branch_here = _press(trace_widget, "branch_here")
split_here = _press(trace_widget, "split_here")
rename_neurite = _press(trace_widget, "rename_neurite")
recolour_neurite = _press(trace_widget, "recolour_neurite")
delete_neurite = _press(trace_widget, "delete_neurite")
mark_to_check = _press(trace_widget, "mark", "to check")
save_all = _press(trace_widget, "save_all_as")

batch_from_table = _press(batch_widget, "ask_table")
batch_from_layer = _press(batch_widget, "take_layer")
batch_start = _press(batch_widget, "start")
batch_cancel = _press(batch_widget, "cancel")
batch_save = _press(batch_widget, "save_as")
batch_take_over = _press(batch_widget, "take_over")

review_look = _press(review_widget, "look")
review_cancel = _press(review_widget, "cancel")
review_accept = _press(review_widget, "accept")
review_correct = _press(review_widget, "correct")
review_split = _press(review_widget, "split")
review_next = _press(review_widget, "skip")
review_previous = _press(review_widget, "back")


def toggle_heatmap() -> None:
    """Show where the policy considered clicking, or hide it."""
    trace_widget().view.heatmap.toggle()


def neurites_from_table() -> None:
    """Begin a neurite at every start point of a table."""
    from napari_bcannot.starting import begin_from_table

    begin_from_table(trace_widget())


def take_axes() -> None:
    """Use the time point and channel in view of the selected layer as a volume."""
    from napari_bcannot.axes_choice import take_axes as take

    take(viewer_at_hand())


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
