"""What the trace layers hold, and what an edit of them means. numpy only."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """A node was added or moved: the section's node is now at ``zyx`` (voxels)."""

    zyx: tuple[int, float, float]


@dataclass(frozen=True, slots=True)
class Remove:
    """The node of section ``z`` was taken away."""

    z: int


Edit = Place | Remove


def nodes_to_rows(nodes: "Mapping[int, tuple[float, float]]") -> "Rows":
    """Return the (n, 3) rows (z, y, x) of nodes ``{z: (y, x)}``, in the order of their sections."""
    rows = [(z, *nodes[z]) for z in sorted(nodes)]
    return np.asarray(rows, dtype=np.float64).reshape(-1, 3)


def rows_to_edges(rows: "Rows") -> "Rows":
    """Return the (n - 1, 2, 3) vectors (start, direction) from each node to the one before.

    An edge starts at the later node: in a 2-D view napari draws a vector on the section it starts
    on, so each section shows where its node came from.
    """
    if len(rows) < 2:
        return np.zeros((0, 2, 3))
    return np.stack([rows[1:], rows[:-1] - rows[1:]], axis=1)


def diff_rows(before: "Rows", after: "Rows") -> list[Edit]:
    """Say what changed between two contents of the points layer, as at most one edit a section.

    Whatever changed the layer (a click, a drag, Delete, an assignment, a paste), the meaning is in
    the rows. Where a section got several new rows, the last one counts; rows that are not finite
    are ignored.

    Parameters
    ----------
    before, after : ndarray
        Rows (z, y, x) in voxels, (n, 3) and (m, 3).

    Returns
    -------
    list of Edit
        Removals, then placements, each by section.
    """
    old, new = _count(before), _count(after)
    places = {_section(row): row for row in (new - old)}
    kept = {_section(row) for row in (old & new)}
    gone = {_section(row) for row in (old - new)} - kept - places.keys()
    removals: list[Edit] = [Remove(z) for z in sorted(gone)]
    return removals + [Place((z, places[z][1], places[z][2])) for z in sorted(places)]


def _count(rows: "Rows") -> Counter[tuple[float, float, float]]:
    finite = (row for row in rows if np.isfinite(row).all())
    return Counter((float(z), float(y), float(x)) for z, y, x in finite)


def _section(row: tuple[float, float, float]) -> int:
    return int(np.rint(row[0]))
