"""What is known of a trace's nodes: where they are, who placed them, how sure the policy was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.annotators.labels import Flag
from bcannot_core.session import ClickToken, Outcome
from bcannot_core.tasks.trace_state import Nodes, Offset

EditKind = Literal["made", "undone", "redone"]
"""What a click did to the history: a new edit, one taken back, one made again."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """Who placed a node, and how.

    Attributes
    ----------
    actor : str
        ``"person"``, ``"policy"`` or ``"annotator"``.
    confidence : float or None
        0 to 1, the policy's when it proposed the node; None where it did not, or where it is not
        known any more.
    click : int
        Which of the session's clicks placed it, counted from 0.
    accepted : bool
        Whether a person accepted it as the policy proposed it (`Flag.VERIFY` in the click's flags).
    corrects : bool
        Whether a person placed it in place of a node, or a proposal, of a policy
        (`Flag.CORRECTION` in the click's flags).
    """

    actor: str
    confidence: float | None = None
    click: int = 0
    accepted: bool = False
    corrects: bool = False

    @classmethod
    def of(cls, token: ClickToken, confidence: float | None, click: int) -> Self:
        """Return what a click says of the node that it places."""
        accepted, corrects = bool(token.flags & Flag.VERIFY), bool(token.flags & Flag.CORRECTION)
        return cls(token.actor, confidence, click, accepted, corrects)


class NodeBook:
    """Knows of every place where a node was ever put who put it there, so also after Undo."""

    def __init__(self) -> None:
        self._by_place: dict[tuple[int, Offset], NodeInfo] = {}

    def note(self, outcome: Outcome, info: NodeInfo, *, again: bool = False) -> None:
        """Take note of a click; a node that is only put back (``again``) is whose it was."""
        if outcome.action != "place":
            return
        state = outcome.state_after
        place = state.section, state.nodes.get(state.section)
        if not (again and place in self._by_place):
            self._by_place[place] = info

    def get(self, section: int, node: Offset) -> NodeInfo:
        """Return what is known of a node."""
        return self._by_place.get((section, node), NodeInfo("person"))

    def put(self, section: int, node: Offset, info: NodeInfo) -> None:
        """Say of a node what is known from elsewhere."""
        self._by_place[section, node] = info


class NodeTable:
    """The nodes in voxels, as rows and as a mapping; what did not change is not made anew.

    Parameters
    ----------
    z_of, point : callable
        From a section and a place on the lattice to voxels.
    """

    def __init__(
        self, z_of: Callable[[int], int], point: Callable[[Offset], tuple[float, float]]
    ) -> None:
        self._z_of, self._point = z_of, point
        self._parts: list[tuple[Any, dict[int, tuple[float, float]], Rows]] = []
        self._of: Nodes | None = None
        self._nodes: Mapping[int, tuple[float, float]] = {}
        self._rows: Rows = np.zeros((0, 3))

    def nodes(self, nodes: Nodes) -> Mapping[int, tuple[float, float]]:
        """Return the nodes as ``{z: (y, x)}``, in the order of the sections."""
        self._bring_up(nodes)
        return self._nodes

    def rows(self, nodes: Nodes) -> Rows:
        """Return the nodes as (n, 3) read-only rows (z, y, x), by z."""
        self._bring_up(nodes)
        return self._rows

    def _bring_up(self, nodes: Nodes) -> None:
        if nodes is self._of:
            return
        known = self._parts
        self._parts = [
            known[i] if i < len(known) and known[i][0] is chunk else self._part(i, chunk, nodes)
            for i, chunk in enumerate(nodes.chunks)
        ]
        merged: dict[int, tuple[float, float]] = {}
        for _, part, _ in self._parts:
            merged.update(part)
        rows = np.concatenate([rows for _, _, rows in self._parts] or [self._rows[:0]])
        if len(rows) > 1 and rows[0, 0] > rows[-1, 0]:
            rows = rows[::-1].copy()
        rows.flags.writeable = False
        self._nodes, self._rows, self._of = merged, rows, nodes

    def _part(
        self, index: int, chunk: tuple[Offset | None, ...], nodes: Nodes
    ) -> tuple[Any, dict[int, tuple[float, float]], Rows]:
        first = index * len(chunk)
        part = {
            self._z_of(first + i): self._point(node)
            for i, node in enumerate(chunk)
            if node is not None
        }
        rows = np.array([(z, *yx) for z, yx in part.items()], dtype=np.float64).reshape(-1, 3)
        return chunk, part, rows


class EditLog:
    """Counts the edits in force and those taken back, as the session's own history does."""

    def __init__(self, edit_actions: frozenset[str]) -> None:
        self._edit_actions = edit_actions
        self._done: list[tuple[str, Any]] = []
        self._undone: list[tuple[str, Any]] = []

    def record(self, outcome: Outcome, token: ClickToken) -> EditKind | None:
        """Take note of a click; say what it did to the history."""
        if token.action == "undo":
            if self._done:
                self._undone.append(self._done.pop())
            return "undone"
        if token.action not in self._edit_actions:
            return None
        edit = (outcome.action, outcome.detail)
        again = bool(self._undone) and self._undone[-1] == edit
        if again:
            self._undone.pop()
        else:
            self._undone.clear()
        self._done.append(edit)
        return "redone" if again else "made"

    @property
    def done(self) -> int:
        """How many edits can be taken back."""
        return len(self._done)

    @property
    def undone(self) -> int:
        """How many edits can be made again."""
        return len(self._undone)
