"""Lanes through lessons: neurites followed where only clicks are known, on states got into."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.retina import OUTSIDE_GREY, SETTLE_LOOKS
from bcannot_core.training.follower import Follower, Past, Yx
from bcannot_core.training.lessons import Lesson, Mark
from bcannot_core.training.tissue import varied_look

NEAR_PX = 8.0
"""A click so near to the node counts as right."""

_LONGEST = 40
_SHORTEST = 4
_LOST = 2
_MARKED = 0.9
_OFF_PX = 4
_BEFORE = 4
_CORRECTED = 0.7
_TURNED = 0.5
_ZOOMS = (0.85, 1.2)


@dataclass(frozen=True)
class Hint:
    """What is known of a glance.

    Attributes
    ----------
    node : tuple of int, optional
        Pixel (y, x) of the glance on the neurite; None where it lies outside or there is none.
    wrong, others : tuple of tuple of int
        Pixels that are not on it: clicks taken back, other neurites.
    present : bool
        Whether the neurite is in this section.
    corrected : bool
        Whether a person put a policy right here.
    """

    node: Yx | None
    wrong: tuple[Yx, ...]
    others: tuple[Yx, ...]
    present: bool
    corrected: bool


def varied(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """Return a lesson turned, mirrored, perhaps run backwards, with another look."""
    grey, marks = lesson.grey, lesson.marks
    if marks[-1].node is not None and rng.random() < 0.5:
        grey, marks = grey[::-1], marks[::-1]
    if rng.random() < _TURNED:
        grey, marks = _turned(grey, marks, rng)
    grey, marks = _mirrored(grey, marks, rng)
    shown = varied_look(grey.astype(np.float32) / np.float32(255), rng)
    picture = np.clip(shown * 255, 0, 255).astype(np.uint8)
    picture[:, (grey == OUTSIDE_GREY).all(0)] = OUTSIDE_GREY
    return Lesson(picture, marks)


def _mirrored(
    grey: NDArray[np.uint8], marks: Sequence[Mark], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    """Transpose and flip, without touching a value."""
    swap, *flips = (bool(draw) for draw in rng.integers(2, size=3))
    if swap:
        grey = grey.transpose(0, 2, 1)
    for axis, flip in enumerate(flips):
        grey = np.flip(grey, axis + 1) if flip else grey
    sides = grey.shape[1:]

    def moved(at: Yx) -> Yx:
        here = (at[1], at[0]) if swap else at
        y, x = (n - 1 - a if f else a for n, a, f in zip(sides, here, flips, strict=True))
        return y, x

    return grey, _moved(marks, moved)


def _turned(
    grey: NDArray[np.uint8], marks: Sequence[Mark], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], tuple[Mark, ...]]:
    """Turn by any angle about the middle of the nodes, and zoom a little."""
    angle, zoom = rng.uniform(0, 2 * np.pi), float(np.exp(rng.uniform(*np.log(_ZOOMS))))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    middle = (np.array(grey.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle
    back = np.linalg.inv(matrix)
    turned = np.empty_like(grey)
    for plane, out in zip(grey, turned, strict=True):
        ndimage.affine_transform(
            plane, matrix, offset, output=out, order=1, mode="constant", cval=OUTSIDE_GREY
        )

    def moved(at: Yx) -> Yx:
        y, x = back @ (np.array(at) - offset)
        return round(float(y)), round(float(x))

    return turned, _moved(marks, moved)


def _moved(marks: Sequence[Mark], move: Callable[[Yx], Yx]) -> tuple[Mark, ...]:
    return tuple(
        replace(
            mark,
            node=None if mark.node is None else move(mark.node),
            wrong=tuple(map(move, mark.wrong)),
            others=tuple(map(move, mark.others)),
        )
        for mark in marks
    )


class LessonLane(Follower):
    """One neurite of a lesson under way.

    Parameters
    ----------
    config : GlanceConfig
        Size of the glance.
    rng : numpy.random.Generator
        Draws where to begin, and which errors are put right.
    """

    def __init__(self, config: GlanceConfig, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.lesson: Lesson

    @property
    def grey(self) -> NDArray[np.uint8]:
        """What is seen, (z, y, x)."""
        return self.lesson.grey

    def start(self, lesson: Lesson, near_corrections: float) -> None:
        """Begin in a section of a lesson.

        Parameters
        ----------
        lesson : Lesson
            What to follow.
        near_corrections : float
            Share of lanes that begin shortly before a correction, where there is one.
        """
        rng = self.rng
        self.lesson = lesson
        self.z = self._first(near_corrections)
        self.marks = bool(rng.random() < _MARKED)
        self.lasts = int(rng.integers(_SHORTEST, _LONGEST))
        self.age = 0
        self.missed = 0
        y, x = self._node()
        dy, dx = (int(d) for d in rng.integers(-_OFF_PX, _OFF_PX + 1, 2) * (rng.random() < 0.5))
        self._settle_at((y + dy, x + dx))

    def _first(self, near_corrections: float) -> int:
        marks = self.lesson.marks
        usable = [z for z in range(len(marks) - 1) if marks[z].node is not None]
        corrected = [z for z, mark in enumerate(marks) if mark.corrected]
        if corrected and self.rng.random() < near_corrections:
            z = corrected[self.rng.integers(len(corrected))]
            before = max(0, z - int(self.rng.integers(1, _BEFORE + 1)))
            if before in usable:
                return before
        return int(usable[self.rng.integers(len(usable))])

    def _node(self) -> Yx:
        node = self.lesson.marks[self.z].node
        assert node is not None
        return node

    def _settle_at(self, focus: Yx) -> None:
        """Look at a section anew, with nothing known but where the neurite is."""
        self.focus = focus
        self.past = []
        self.settling = SETTLE_LOOKS - 1

    def hint(self) -> Hint:
        """Return what is known of the present glance."""
        mark = self.lesson.marks[self.z]
        y0, x0 = self.corner
        size = self.config.size

        def seen(points: Sequence[Yx]) -> tuple[Yx, ...]:
            moved = ((y - y0, x - x0) for y, x in points)
            return tuple((y, x) for y, x in moved if 0 <= y < size and 0 <= x < size)

        node = seen(() if mark.node is None else (mark.node,))
        return Hint(
            node[0] if node else None,
            seen(mark.wrong),
            seen(mark.others),
            mark.node is not None,
            mark.corrected,
        )

    def advance(self, belief: NDArray[np.float32], click_yx: Yx, hint: Hint) -> bool:
        """Take in what the network said and step on; False where the lane has ended.

        A click too far from the node is mostly corrected as the person did; the rest stand.
        """
        corner = self.corner
        if self.settling:
            self.settling -= 1
            self.past = [Past(self.z, corner, belief, False)]
            return True
        click = (corner[0] + click_yx[0], corner[1] + click_yx[1])
        if hint.present:
            if is_near(click_yx, hint):
                self.missed = 0
            elif self.rng.random() < _CORRECTED:
                self._settle_at(self._node())
                return True
            else:
                self.missed += 1
        self.past = [
            Past(self.z, corner, belief, self._marked()),
            *self.past[: max(self.config.lags) - 1],
        ]
        self.age += 1
        if self.z + 1 >= len(self.lesson.marks) or self.age >= self.lasts or self.missed > _LOST:
            return False
        self.z += 1
        height, width = self.grey.shape[1:]
        self.focus = (min(max(click[0], 0), height - 1), min(max(click[1], 0), width - 1))
        return True


def is_near(click_yx: Yx, hint: Hint) -> bool:
    """Whether a click of a glance is as good as on the node."""
    if hint.node is None:
        return False
    return bool(np.hypot(click_yx[0] - hint.node[0], click_yx[1] - hint.node[1]) <= NEAR_PX)
