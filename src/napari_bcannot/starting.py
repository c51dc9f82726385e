"""Many neurites at once in the *Trace neuron* widget: from tables, and from traces of a batch."""

from pathlib import Path
from typing import TYPE_CHECKING

from bcannot_core.errors import BcannotError
from bcannot_core.tracing.starts import read_named_starts
from napari_bcannot import notices
from napari_bcannot.turns import counted, one_line
from napari_bcannot.widgets.dialogs import ask_starts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_bcannot.geometry import Triple
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

MOST = 300
"""More neurites are not taken into one list by hand."""


def begin_from_table(widget: "TraceNeuronWidget", path: Path | None = None) -> int:
    """Begin a neurite at every start point of a table, asked for where none is given.

    Returns
    -------
    int
        How many were begun; why it were not all, the person is told.
    """
    layer = widget.view.volume.currentData()
    if layer is None:
        notices.show_warning("Open a volume first: a 3-D grey image.")
        return 0
    path = path or ask_starts(widget)
    if path is None:
        return 0
    try:
        starts = read_named_starts(path, widget.view.voxel_nm())
    except BcannotError as error:
        notices.show_error(one_line(error))
        return 0
    if len(starts) > MOST:
        notices.show_warning(
            f"{path.name} holds {len(starts)} start points: 'Trace many' takes as many as these."
        )
        return 0
    begun = [widget.add_neurite(start.zyx, (), start.name) for start in starts]
    count = sum(one is not None for one in begun)
    notices.show_info(f"{count} neurites begun from {path.name}.")
    return count


def take_traces(
    widget: "TraceNeuronWidget", traces: "Sequence[tuple[str, Sequence[Triple]]]"
) -> int:
    """Take traces of a batch into the list of neurites, to look at, correct and go on.

    Parameters
    ----------
    widget : TraceNeuronWidget
        Whose list gets them.
    traces : sequence
        Names and nodes, in voxels of the chosen layer's finest level.
    """
    if len(traces) > MOST:
        notices.show_warning(f"Select at most {MOST} traces: {len(traces)} are too many at once.")
        return 0
    count = 0
    for name, nodes in traces:
        count += widget.add_neurite(nodes[0], nodes, name) is not None if nodes else 0
    notices.show_info(f"{counted(count, 'trace')} taken into the list of neurites.")
    return count
