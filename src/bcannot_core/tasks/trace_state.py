"""The state of a trace: immutable, with everything shared that did not change."""

from collections.abc import Iterator
from dataclasses import dataclass

Offset = tuple[int, int]
"""Canvas pixels (y, x) from the start point; all views and nodes lie on this lattice."""

PAN_MARGIN = 16
"""Canvas pixels from the border within which a click pans."""

RECENTRE_MARGIN = 64
"""Canvas pixels from the border within which a placed node becomes the centre."""

_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Nodes:
    """At most one node for each section, in a persistent array: ``set`` shares all but a chunk."""

    chunks: tuple[tuple[Offset | None, ...], ...]
    count: int = 0

    @classmethod
    def empty(cls, sections: int) -> "Nodes":
        """Return an array without nodes."""
        return cls(((None,) * _CHUNK,) * -(-sections // _CHUNK))

    def get(self, section: int) -> Offset | None:
        """Return the node of a section, None where there is none (outside the trace too)."""
        if not 0 <= section < len(self.chunks) * _CHUNK:
            return None
        return self.chunks[section // _CHUNK][section % _CHUNK]

    def set(self, section: int, node: Offset | None) -> "Nodes":
        """Return the array with one section's node changed."""
        c, i = divmod(section, _CHUNK)
        chunk = self.chunks[c]
        count = self.count + (node is not None) - (chunk[i] is not None)
        changed = (*chunk[:i], node, *chunk[i + 1 :])
        return Nodes((*self.chunks[:c], changed, *self.chunks[c + 1 :]), count)

    def items(self) -> Iterator[tuple[int, Offset]]:
        """Yield (section, node) in order."""
        for c, chunk in enumerate(self.chunks):
            for i, node in enumerate(chunk):
                if node is not None:
                    yield c * _CHUNK + i, node


@dataclass(frozen=True, slots=True, eq=False)
class EditRecord:
    """An edit that Undo can take back; the records form a chain, the latest first."""

    action: str
    section: int
    view: Offset
    node_before: Offset | None
    earlier: "EditRecord | None"


@dataclass(frozen=True, slots=True, eq=False)
class PlacementRecord:
    """A placement that was made, whether it still stands or not; a chain, the latest first."""

    section: int
    node: Offset
    earlier: "PlacementRecord | None"


@dataclass(frozen=True, slots=True)
class TraceState:
    """A trace under way.

    Attributes
    ----------
    section : int
        Place among the task's sections, 0 at the start point.
    view : tuple of int
        The canvas's centre, canvas pixels (y, x) from the start point.
    nodes : Nodes
        Nodes by section.
    terminated : bool
        Whether Done was clicked.
    placements, undos, edits : int
        How many there were; ``edits`` counts places and removes.
    last_edit, last_placement : record or None
        The chains of what can be undone, and of all that was placed.
    """

    section: int
    view: Offset
    nodes: Nodes
    terminated: bool = False
    placements: int = 0
    undos: int = 0
    edits: int = 0
    last_edit: EditRecord | None = None
    last_placement: PlacementRecord | None = None
