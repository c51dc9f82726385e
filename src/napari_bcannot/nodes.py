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
    before, after, same = _without_same_ends(before, after)
    old, new = _count(before), _count(after)
    places = {_section(row): row for row in (new - old)}
    kept = {_section(row) for row in (old & new)}
    kept |= {z for z in {_section(row) for row in (old - new)} if z in same}
    gone = {_section(row) for row in (old - new)} - kept - places.keys()
    removals: list[Edit] = [Remove(z) for z in sorted(gone)]
    return removals + [Place((z, places[z][1], places[z][2])) for z in sorted(places)]


def _without_same_ends(before: "Rows", after: "Rows") -> "tuple[Rows, Rows, NDArray[np.int64]]":
    """Return what stands between the rows that both begin and end with, and these rows' sections.

    An edit changes few of many rows; only those are looked at one by one.
    """
    shorter = min(len(before), len(after))
    differ = np.flatnonzero((before[:shorter] != after[:shorter]).any(axis=1))
    head = int(differ[0]) if len(differ) else shorter
    differ = np.flatnonzero(
        (before[::-1][: shorter - head] != after[::-1][: shorter - head]).any(axis=1)
    )
    tail = int(differ[0]) if len(differ) else shorter - head
    end = len(before) - tail
    sections = np.concatenate([before[:head, 0], before[end:, 0]])
    same = np.rint(sections[np.isfinite(sections)]).astype(np.int64)
    return before[head:end], after[head : len(after) - tail], same


def _count(rows: "Rows") -> Counter[tuple[float, float, float]]:
    finite = (row for row in rows if np.isfinite(row).all())
    return Counter((float(z), float(y), float(x)) for z, y, x in finite)


def _section(row: tuple[float, float, float]) -> int:
    return int(np.rint(row[0]))
