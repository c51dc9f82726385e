"""The plan of neuron tracking: every neuron in the order of its number, group after group.

Mistakes are clicks beside a neuron, on the background, on another neuron, and a wrong number
chosen in the list; they are mended by Undo, or by choosing and placing again.
"""

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Phase
from bcannot_core.annotators.plan import Intent, Mistake, PlanAnnotator
from bcannot_core.annotators.stepping import (
    Faults,
    Misses,
    glance_back,
    one_too_far,
    there_and_back,
    towards,
)
from bcannot_core.session.session import Session
from bcannot_core.tasks.frame_steps import PREVIOUS
from bcannot_core.tasks.neuron_tracking import (
    Group,
    NeuronTracking,
    Placed,
    TrackingState,
    item_id,
)

_RIGHT_PX = 4.5
_MOST_JITTER = 3.0
_NEAR_PX = (8.0, 15.0)
_FAR_PX = 30.0
_CLEAR_PX = 7.0


class NeuronTrackingAnnotator(PlanAnnotator[NeuronTracking]):
    """The scripted annotator of neuron tracking."""

    task_type = NeuronTracking
    default_behaviour: ClassVar[Behaviour] = Behaviour(
        near_miss=0.025, far_miss=0.015, wrong_object=0.04, verify=0.05, overshoot=0.03
    )
    kinds: ClassVar[tuple[Mistake, ...]] = (
        Mistake.NEAR_MISS,
        Mistake.FAR_MISS,
        Mistake.WRONG_OBJECT,
        Mistake.WRONG_CLASS,
    )

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        world = self.task.world
        self._groups, self._count = world.groups, world.neurons
        self._truth: list[list[tuple[float, float]]] = [
            [(x, y) for y, x in group] for group in world.yx.tolist()
        ]
        self._all: list[list[tuple[float, float]]] = [
            [*named, *((x, y) for y, x in others)]
            for named, others in zip(self._truth, world.others_yx.tolist(), strict=True)
        ]
        self._faults: Faults[int] = Faults(self._groups, self._assess)
        self._misses = Misses(self.hand, self.task.canvas_hw, _NEAR_PX, _FAR_PX)

    def plan(self, state: TrackingState) -> Intent:
        """Return the next right click."""
        faults = self._faults
        faults.update(state.placed)
        group = faults.nearest_wrong(state.group)
        if group is not None:
            last = self._last_edit(state)
            if last is not None and last[1] in faults.wrong.get(last[0], ()):
                return Intent("undo", phase=Phase.CORRECT)
            return self._placement(group, faults.wrong[group][0], state, Phase.CORRECT)
        if not faults.missing:
            return Intent("done", phase=Phase.FINISH)
        group = min(faults.missing)
        return self._placement(group, faults.missing[group][0], state, Phase.NAVIGATE)

    def count_wrong(self, state: TrackingState) -> int:
        """Return how many marks are wrong in a state."""
        return self._faults.count(state.placed)

    def _placement(self, group: int, neuron: int, state: TrackingState, phase: Phase) -> Intent:
        position = (group - 1) * self._count + neuron
        if state.group != group:
            return towards(state.group, group, phase, position)
        if state.selected != neuron:
            target = item_id(neuron)
            return Intent("select", target, Phase.PLACE, position, fallible=True)
        at = self._truth[group][neuron]
        xy = self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
        return Intent("place", xy, Phase.PLACE, position, fallible=True)

    def _assess(self, group: int, points: Group) -> tuple[list[int], list[int]]:
        """Return the neurons of a group that are wrong, and those that are missing."""
        wrong: list[int] = []
        missing: list[int] = []
        if group == 0:  # the reference
            return wrong, missing
        passing = self._exchanged(group, points) if self.behaviour.lenient else ()
        for i, (at, true) in enumerate(zip(points, self._truth[group], strict=True)):
            if at is None:
                missing.append(i)
            elif not _is_at(at, true) and i not in passing:
                wrong.append(i)
        return wrong, missing

    def _exchanged(self, group: int, points: Group) -> list[int]:
        """Return the neurons whose marks lie on others, each of which bears no other mark."""
        marks = [at for at in points if at is not None]
        alone = [true for true in self._all[group] if sum(_is_at(at, true) for at in marks) == 1]
        return [
            i
            for i, at in enumerate(points)
            if at is not None and any(_is_at(at, true) for true in alone)
        ]

    def _last_edit(self, state: TrackingState) -> tuple[int, int] | None:
        """Return the group and neuron of the edit that Undo would take back."""
        before = state.before
        if not isinstance(before, TrackingState) or before.selected is None:
            return None
        return before.group, before.selected

    def opening(self, state: TrackingState) -> Iterator[Intent]:
        """Look through some groups, or all, and come back to the reference."""
        if not self.hand.chance(self.strategy.explore):
            return
        most = self._groups - 1 - state.group
        steps = min(1 + self.hand.below(max(1, round(self.strategy.explore * most))), most)
        yield from there_and_back(steps)

    def aside(self, intent: Intent, state: TrackingState) -> Iterator[Intent]:
        """Compare with the group before."""
        if intent.action == "place":
            yield from glance_back(intent.position)

    def overshoot(self, intent: Intent, state: TrackingState) -> Iterator[Intent]:
        """Go one group too far, and back."""
        if 0 < self.session.state.group < self._groups - 1:
            yield from one_too_far(intent.action, intent.position)

    def closing(self, state: TrackingState) -> Iterator[Intent]:
        """Look back through the groups."""
        if self.hand.chance(self.strategy.verify):
            yield from [Intent(PREVIOUS)] * (1 + self.hand.below(max(1, state.group)))

    def wrong(self, intent: Intent, state: TrackingState, kind: Mistake) -> Iterator[Intent]:
        """Choose a wrong number, or place beside the neuron, far away or on another one."""
        if intent.action == "select":
            other = self._other(intent, state) if kind is Mistake.WRONG_CLASS else None
            if other is not None:
                yield intent._replace(target=item_id(other))
        elif kind is Mistake.WRONG_OBJECT:
            at = self._other_neuron(intent, state)
            if at is not None:
                yield intent._replace(
                    target=self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
                )
        elif kind is not Mistake.WRONG_CLASS:
            xy = self._miss(intent, state, near=kind is Mistake.NEAR_MISS)
            if xy is not None:
                yield intent._replace(target=xy)

    def _other(self, intent: Intent, state: TrackingState) -> int | None:
        """Return another number than the intended and the selected one, most often a neighbour."""
        right = self._neuron(intent)
        others = [i for i in range(self._count) if i not in (right, state.selected)]
        near = [i for i in others if abs(i - right) == 1]
        if near and self.hand.chance(0.7):
            others = near
        return self.hand.choice(others) if others else None

    def _other_neuron(self, intent: Intent, state: TrackingState) -> tuple[float, float] | None:
        """Return a cell body near by that is another one."""
        x, y = self._truth[state.group][self._neuron(intent)]
        others = [
            (ox, oy) for ox, oy in self._all[state.group] if (ox - x) ** 2 + (oy - y) ** 2 > 1.0
        ]
        others.sort(key=lambda at: (at[0] - x) ** 2 + (at[1] - y) ** 2)
        return self.hand.choice(others[:3]) if others else None

    def _miss(self, intent: Intent, state: TrackingState, near: bool) -> tuple[int, int] | None:
        """Return a pixel of the background."""
        everybody = self._all[state.group]

        def is_clear(xy: tuple[int, int]) -> bool:
            return all(math.dist(xy, other) > _CLEAR_PX for other in everybody)

        target = self._truth[state.group][self._neuron(intent)]
        return self._misses.draw(target, near, is_clear)

    def onward(self, intent: Intent, state: TrackingState) -> Iterator[Intent]:
        """Place under the wrong number, or choose the next one before noticing."""
        now: TrackingState = self.session.state
        neuron = self._neuron(intent)
        if intent.action == "select":
            at = self._truth[now.group][neuron]
            xy = self.hand.around(at, self.behaviour.jitter_px, _MOST_JITTER)
            yield Intent("place", xy, Phase.PLACE, intent.position)
        elif neuron + 1 < self._count:
            yield Intent("select", item_id(neuron + 1), position=intent.position)

    def _neuron(self, intent: Intent) -> int:
        return (intent.position or 0) % self._count


def _is_at(mark: Placed, true: tuple[float, float]) -> bool:
    return (mark.x - true[0]) ** 2 + (mark.y - true[1]) ** 2 <= _RIGHT_PX**2
