"""The plan of cell lineage tracking: the root, then division after division in the order of time.

Mistakes are clicks beside a nucleus, on a wrong nucleus, and a wrong parent chosen; each is taken
back with Undo. What somebody else left wrong is taken back, too, until the lineage is right.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.annotators.stepping import (
    Misses,
    glance_back,
    one_too_far,
    there_and_back,
    towards,
)
from bcannot_core.errors import TaskError
from bcannot_core.session.session import Session
from bcannot_core.tasks.cell_lineage import CellLineage, LineageState, Node
from bcannot_core.tasks.frame_steps import NEXT, PREVIOUS
from bcannot_core.tasks.lineage_score import LATE_FRAMES
from bcannot_core.tasks.worlds.cell_lineage import Cell

_RIGHT_PX = 4.5
_MOST_JITTER = 3.0
_NEAR_PX = (7.0, 14.0)
_FAR_PX = 30.0
_CLEAR_PX = 6.5


class CellLineageAnnotator(PlanAnnotator[CellLineage]):
    """The scripted annotator of cell lineage tracking."""

    task_type = CellLineage
    default_behaviour: ClassVar[Behaviour] = Behaviour(
        near_miss=0.025, far_miss=0.015, wrong_object=0.045, verify=0.05, overshoot=0.05
    )

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        self.world = self.task.world
        self._divisions = self.world.divisions
        self._order = {cell.index: i for i, cell in enumerate(self._divisions)}
        self._misses = Misses(self.hand, self.task.canvas_hw, _NEAR_PX, _FAR_PX)
        self._known: tuple[tuple[Node, ...], list[int] | None] = ((), [])

    def plan(self, state: LineageState) -> Intent:
        """Return the next right click."""
        cell_of = self._cells(state.nodes)
        if cell_of is None:
            return Intent("undo", phase=Phase.CORRECT)
        if not cell_of:
            return self._place(0, min(state.frame, self.world.cells[0].last), state)
        parent = self._pending(cell_of)
        if state.selected is not None:
            chosen = self.world.cells[cell_of[state.selected]]
            if parent is None or chosen.last != parent.last or not chosen.daughters:
                return Intent("undo", phase=Phase.CORRECT)
            first, second = chosen.daughters
            missing = second if first in cell_of else first
            return self._place(missing, chosen.last + 1, state)
        if parent is None:
            return Intent("done", phase=Phase.FINISH)
        if state.frame != parent.last + 1:
            return towards(state.frame, parent.last + 1, position=self._order[parent.index] + 1)
        xy = self._on_ring(cell_of.index(parent.index), state)
        return Intent("select", xy, Phase.PLACE, self._order[parent.index] + 1, fallible=True)

    def _place(self, index: int, frame: int, state: LineageState) -> Intent:
        cell = self.world.cells[index]
        position = 0 if cell.parent is None else self._order[cell.parent] + 1
        if state.frame != frame:
            return towards(state.frame, frame, position=position)
        at = self.task.cell_xy(frame, index)
        xy = self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
        return Intent("place", xy, Phase.PLACE, position, fallible=True)

    def _on_ring(self, node: int, state: LineageState) -> tuple[int, int]:
        """Return a pixel that selects a node: near its ring's centre, where it can be."""
        centre = self.task.ring_xy(state.nodes[node], state.frame)
        xy = self.hand.around(centre, 1.5 * self.behaviour.jitter_px, 2 * _MOST_JITTER)
        return xy if self._on_canvas(xy) and self.task.ring_at(state, xy) == node else centre

    def _pending(self, cell_of: list[int]) -> Cell | None:
        """Return the cell whose division comes next: the first that is not all marked."""
        marked = set(cell_of)
        for cell in self._divisions:
            if not marked.issuperset(cell.daughters):
                return cell
        return None

    def _cells(self, nodes: tuple[Node, ...]) -> list[int] | None:
        """Return the cell of each node, None where one is wrong."""
        known, cells = self._known
        if known is not nodes:
            one_more = cells is not None and nodes[:-1] == known
            cells = self._assess(nodes, list(cells) if one_more and cells is not None else [])
            self._known = (nodes, cells)
        return cells

    def _assess(self, nodes: tuple[Node, ...], cell_of: list[int]) -> list[int] | None:
        """Return the cell of each node, of which the first ones are known already."""
        for node in nodes[len(cell_of) :]:
            candidates: tuple[int, ...] = (0,)
            if node.parent is not None:
                candidates = self.world.cells[cell_of[node.parent]].daughters
            free = [c for c in candidates if c not in cell_of and self._is_on(node, c)]
            if not free:
                return None
            cell_of.append(min(free, key=lambda c: self._squared(node, c)))
        return cell_of

    def _is_on(self, node: Node, index: int) -> bool:
        cell = self.world.cells[index]
        latest = cell.last if cell.parent is None else min(cell.last, cell.birth + LATE_FRAMES)
        in_time = cell.birth <= node.frame <= latest
        return in_time and self._squared(node, index) <= _RIGHT_PX**2

    def _squared(self, node: Node, index: int) -> float:
        x, y = self.task.cell_xy(node.frame, index)
        return (node.x - x) ** 2 + (node.y - y) ** 2

    def opening(self, state: LineageState) -> Iterator[Intent]:
        """Look through the recording, in part or to its end, and come back."""
        if not self.hand.chance(self.strategy.explore):
            return
        share = self.strategy.explore * (0.3 + 0.7 * self.hand.uniform())
        steps = min(round(share * self.world.frames), self.world.frames - 1 - state.frame)
        yield from there_and_back(steps)

    def aside(self, intent: Intent, state: LineageState) -> Iterator[Intent]:
        """Look at the frame before, to see the parent divide."""
        if state.frame > 0:
            yield from glance_back(intent.position)

    def overshoot(self, intent: Intent, state: LineageState) -> Iterator[Intent]:
        """Go one frame too far, and back."""
        if 0 < self.session.state.frame < self.world.frames - 1:
            yield from one_too_far(intent.action, intent.position)

    def closing(self, state: LineageState) -> Iterator[Intent]:
        """Look through the last divisions once more, to the end of the recording."""
        if not self.hand.chance(self.strategy.verify):
            return
        back = min(1 + self.hand.below(1 + self.world.frames // 2), state.frame)
        yield from [Intent(PREVIOUS)] * back
        yield from [Intent(NEXT)] * (self.world.frames - 1 - state.frame + back)

    def wrong(self, intent: Intent, state: LineageState, kind: Mistake) -> Iterator[Intent]:
        """Select a wrong parent, or place beside the nucleus, far away or on another one."""
        if intent.action == "select":
            xy = self._wrong_parent(state) if kind is Mistake.WRONG_OBJECT else None
        elif kind is Mistake.WRONG_OBJECT:
            xy = self._wrong_cell(intent, state)
        else:
            xy = self._miss(intent, state, near=kind is Mistake.NEAR_MISS)
        if xy is not None:
            yield intent._replace(target=xy)

    def _wrong_parent(self, state: LineageState) -> tuple[int, int] | None:
        cell_of = self._cells(state.nodes) or []
        due = {cell.index for cell in self._divisions if cell.last + 1 == state.frame}
        rings = [
            i
            for i in self.task.rings(state)
            if cell_of[i] not in due and len(state.families[i]) < 2
        ]
        if not rings:
            return None
        node = self.hand.choice(rings)
        xy = self._on_ring(node, state)
        return xy if self.task.ring_at(state, xy) == node else None

    def _wrong_cell(self, intent: Intent, state: LineageState) -> tuple[int, int] | None:
        """Return a pixel on a nucleus near by that is no right one for the selected parent."""
        right = self._right_cells(state)
        target = _canvas_xy(intent)
        others = [
            self.task.cell_xy(state.frame, c)
            for c in self.world.alive(state.frame)
            if c not in right
        ]
        if not others:
            return None
        others.sort(key=lambda xy: (xy[0] - target[0]) ** 2 + (xy[1] - target[1]) ** 2)
        at = self.hand.choice(others[:3])
        return self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)

    def _miss(self, intent: Intent, state: LineageState, near: bool) -> tuple[int, int] | None:
        def is_clear(xy: tuple[int, int]) -> bool:
            return self.task.cell_under(state.frame, xy, _CLEAR_PX) is None

        return self._misses.draw(_canvas_xy(intent), near, is_clear)

    def _right_cells(self, state: LineageState) -> set[int]:
        """Return the cells that may be placed now."""
        if state.selected is None:
            return {0}
        cell_of = self._cells(state.nodes) or []
        placed = {cell_of[d] for d in state.families[state.selected]}
        return set(self.world.cells[cell_of[state.selected]].daughters) - placed

    def onward(self, intent: Intent, state: LineageState) -> Iterator[Intent]:
        """Place a daughter under the wrong parent, or look at the next frame."""
        now: LineageState = self.session.state
        if intent.action == "select" and now.selected is not None:
            parent = now.nodes[now.selected]
            due = [c for c in self._divisions if c.last + 1 == now.frame]
            if due and parent.frame < now.frame:
                at = self.task.cell_xy(now.frame, due[0].daughters[0])
                xy = self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
                yield Intent("place", xy, Phase.PLACE, intent.position)
        elif now.frame + 1 < self.world.frames:
            yield Intent(NEXT, position=intent.position)

    def _on_canvas(self, xy: tuple[int, int]) -> bool:
        height, width = self.task.canvas_hw
        return 0 <= xy[0] < width and 0 <= xy[1] < height


def _canvas_xy(intent: Intent) -> tuple[int, int]:
    target: Any = intent.target
    if not isinstance(target, tuple):
        raise TaskError(f"the click {intent} is none on the canvas")
    return target
