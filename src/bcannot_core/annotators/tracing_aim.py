"""Where nodes belong, and where hands go wrong: places on the lattice of canvas pixels."""

import math

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour, Hand
from bcannot_core.tasks.neuron_tracing import PAN_MARGIN, NeuronTracing
from bcannot_core.tasks.trace_state import Offset, TraceState

_NEAR_PX = (4.0, 12.0)
_FAR_PX = 40.0
_OTHER_PX = 60
_TRIES = 16
_PAN_INSET = 4
_RAY_PX = 400
_AROUND = sorted(
    ((dy, dx) for dy in range(-3, 4) for dx in range(-3, 4)),
    key=lambda d: (d[0] * d[0] + d[1] * d[1], d),
)


class TracingAim:
    """Targets of a trace, and places beside them.

    Parameters
    ----------
    task : NeuronTracing
        With labels in its world.
    hand : Hand
        Draws the places.

    Attributes
    ----------
    targets : list of Offset
        For each section of the neurite the canvas pixel nearest to its reference point that lies
        in the cross-section.
    """

    def __init__(self, task: NeuronTracing, hand: Hand) -> None:
        self._task = task
        self._path = task.path
        self._hand = hand
        self._right: dict[tuple[int, Offset], bool] = {}
        self._reachable: list[bool] = []
        self.targets: list[Offset] = [self._target(i) for i in range(len(self._path))]
        height, width = task.canvas_hw
        self._low = (-(height // 2) + PAN_MARGIN, -(width // 2) + PAN_MARGIN)
        self._high = (height - height // 2 - PAN_MARGIN, width - width // 2 - PAN_MARGIN)

    def is_right(self, section: int, node: Offset) -> bool:
        """Whether a node lies in the cross-section.

        Where no canvas pixel hits the cross-section, because it is smaller than one, the pixel
        nearest to the reference point is right.
        """
        key = (section, node)
        right = self._right.get(key)
        if right is None:
            right = self._path.sections[section].contains(self._task.point(node))
            if not right and not self._reachable[section]:
                right = node == self.targets[section]
            self._right[key] = right
        return right

    def placeable(self, at: Offset, view: Offset) -> bool:
        """Whether a click on the place puts a node there: on the canvas, not near its border."""
        dy, dx = at[0] - view[0], at[1] - view[1]
        return (
            self._low[0] <= dy < self._high[0]
            and self._low[1] <= dx < self._high[1]
            and self._task.inside(at)
        )

    def towards(self, target: Offset, view: Offset) -> Offset:
        """Return the place near the canvas's border that a pan towards a target clicks on."""
        reach = PAN_MARGIN - _PAN_INSET
        dy, dx = (
            max(low - reach, min(high - 1 + reach, t - v))
            for t, v, low, high in zip(target, view, self._low, self._high, strict=True)
        )
        return view[0] + dy, view[1] + dx

    def near_target(self, section: int, view: Offset, behaviour: Behaviour) -> Offset:
        """Return a place about the target, jittered but inside the cross-section."""
        target = self.targets[section]
        if behaviour.jitter_px > 0:
            for _ in range(4):
                at = (
                    target[0] + round(behaviour.jitter_px * self._hand.normal()),
                    target[1] + round(behaviour.jitter_px * self._hand.normal()),
                )
                if self.is_right(section, at) and self.placeable(at, view):
                    return at
        return target

    def near_miss(self, state: TraceState) -> Offset | None:
        """Return a place just outside the cross-section, None where there is none in view."""
        target = self.targets[state.section]
        for _ in range(_TRIES):
            angle = 2 * math.pi * self._hand.uniform()
            uy, ux = math.sin(angle), math.cos(angle)
            low, high = _NEAR_PX
            beyond = low + (high - low) * self._hand.uniform()
            radius = next(
                (
                    r
                    for r in range(_RAY_PX)
                    if not self._holds(state.section, _along(target, uy, ux, r))
                ),
                None,
            )
            if radius is not None:
                at = _along(target, uy, ux, radius + beyond)
                if self._is_miss(at, state):
                    return at
        return None

    def far_miss(self, state: TraceState) -> Offset | None:
        """Return a place anywhere in view, far from the target; None where there is none."""
        target = self.targets[state.section]
        for _ in range(_TRIES):
            at = (
                state.view[0] + self._low[0] + self._hand.below(self._high[0] - self._low[0]),
                state.view[1] + self._low[1] + self._hand.below(self._high[1] - self._low[1]),
            )
            if math.dist(at, target) >= _FAR_PX and self._is_miss(at, state):
                return at
        return None

    def other_neurite(self, state: TraceState) -> Offset | None:
        """Return a place in another neurite near by, None where there is none in view."""
        labels = self._task.world.labels
        if labels is None:
            return None
        target = self.targets[state.section]
        steps = range(-_OTHER_PX, _OTHER_PX + 1, 2)
        points = [self._task.point((target[0] + d, target[1] + d)) for d in steps]
        ys = np.floor(np.array([p[0] for p in points]) + 0.5).astype(np.int64)
        xs = np.floor(np.array([p[1] for p in points]) + 0.5).astype(np.int64)
        _, height, width = labels.shape
        rows = np.flatnonzero((ys >= 0) & (ys < height))
        columns = np.flatnonzero((xs >= 0) & (xs < width))
        if rows.size == 0 or columns.size == 0:
            return None
        y0, x0 = int(ys[rows[0]]), int(xs[columns[0]])
        y1, x1 = int(ys[rows[-1]]) + 1, int(xs[columns[-1]]) + 1
        z = self._task.z_of(state.section)
        box = labels.read(z, z + 1, y0, y1, x0, x1)[0]
        seen = box[np.ix_(ys[rows] - y0, xs[columns] - x0)]
        found_y, found_x = np.nonzero((seen != 0) & (seen != self._path.label))
        if found_y.size == 0:
            return None
        for _ in range(_TRIES):
            i = self._hand.below(found_y.size)
            dy, dx = steps[int(rows[found_y[i]])], steps[int(columns[found_x[i]])]
            at = (target[0] + dy, target[1] + dx)
            if self._is_miss(at, state):
                return at
        return None

    def _target(self, section: int) -> Offset:
        y, x = (float(c) for c in self._path.points_yx[section])
        nearest = self._task.offset((y, x))
        for dy, dx in _AROUND:
            at = (nearest[0] + dy, nearest[1] + dx)
            if self._holds(section, at) and self._task.inside(at):
                self._reachable.append(True)
                return at
        self._reachable.append(False)
        inside = (a for a in _AROUND if self._task.inside((nearest[0] + a[0], nearest[1] + a[1])))
        dy, dx = next(inside, (0, 0))
        return nearest[0] + dy, nearest[1] + dx

    def _holds(self, section: int, at: Offset) -> bool:
        return self._path.sections[section].contains(self._task.point(at))

    def _is_miss(self, at: Offset, state: TraceState) -> bool:
        """Whether a node there is wrong beyond doubt: not even elsewhere on the same neurite."""
        if not self.placeable(at, state.view) or self.is_right(state.section, at):
            return False
        labels = self._task.world.labels
        if labels is None:
            return True
        y, x = (math.floor(c + 0.5) for c in self._task.point(at))
        z = self._task.z_of(state.section)
        there = labels.read(z, z + 1, y, y + 1, x, x + 1)
        return there.size == 0 or int(there[0, 0, 0]) != self._path.label


def _along(start: Offset, uy: float, ux: float, distance: float) -> Offset:
    return start[0] + round(uy * distance), start[1] + round(ux * distance)
