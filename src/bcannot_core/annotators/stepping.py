"""What annotators of recordings share: stepping through frames, and what is wrong in each."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from bcannot_core.annotators.behaviour import Hand
from bcannot_core.annotators.labels import Flag, Phase
from bcannot_core.annotators.plan import Intent
from bcannot_core.tasks.frame_steps import NEXT, PREVIOUS

Point = tuple[int, int]
Item = TypeVar("Item")


def towards(
    frame: int, to: int, phase: Phase = Phase.NAVIGATE, position: int | None = None
) -> Intent:
    """Return the step from one frame towards another."""
    return Intent(NEXT if to > frame else PREVIOUS, None, phase, position)


def there_and_back(steps: int) -> Iterator[Intent]:
    """Yield steps ahead and the way back."""
    yield from [Intent(NEXT)] * steps
    yield from [Intent(PREVIOUS)] * steps


def glance_back(position: int | None = None) -> Iterator[Intent]:
    """Yield a look at the frame before, and the way back."""
    yield Intent(PREVIOUS, position=position)
    yield Intent(NEXT, position=position)


def one_too_far(action: str, position: int | None = None) -> Iterator[Intent]:
    """Yield one more step in a direction, and the way back."""
    back = PREVIOUS if action == NEXT else NEXT
    yield Intent(action, position=position, events=Flag.OVERSHOOT)
    yield Intent(back, position=position, events=Flag.CORRECTION)


def on_canvas(xy: Point, canvas_hw: tuple[int, int]) -> Point:
    """Return the nearest pixel of the canvas."""
    height, width = canvas_hw
    return min(max(xy[0], 0), width - 1), min(max(xy[1], 0), height - 1)


class Misses:
    """Clicks on the background, near a target or far from it.

    Parameters
    ----------
    hand : Hand
        Draws them.
    canvas_hw : tuple of int
        Size of the canvas.
    near_px : tuple of float
        Least and largest distance of a near one.
    far_px : float
        Least distance of a far one.
    """

    def __init__(
        self, hand: Hand, canvas_hw: tuple[int, int], near_px: tuple[float, float], far_px: float
    ) -> None:
        self._hand = hand
        self._canvas_hw = canvas_hw
        self._near_px = near_px
        self._far_px = far_px

    def draw(
        self, target: tuple[float, float], near: bool, is_clear: Callable[[Point], bool]
    ) -> Point | None:
        """Return a canvas pixel that is clear of objects, None where a few draws find none."""
        height, width = self._canvas_hw
        for _ in range(_TRIES):
            if near:
                x, y = self._hand.ring(target, *self._near_px)
            else:
                x, y = self._hand.below(width), self._hand.below(height)
                if (x - target[0]) ** 2 + (y - target[1]) ** 2 < self._far_px**2:
                    continue
            if 0 <= x < width and 0 <= y < height and is_clear((x, y)):
                return x, y
        return None


_TRIES = 12


class Faults(Generic[Item]):
    """What is wrong and what is missing, frame by frame.

    Parameters
    ----------
    frames : int
        How many there are.
    assess : callable
        Returns what is wrong and what is missing in a frame, from its index and its marks.

    Attributes
    ----------
    wrong, missing : dict of int to sequence
        By frame, where there is any.
    """

    def __init__(
        self, frames: int, assess: Callable[[int, Any], tuple[Sequence[Item], Sequence[Item]]]
    ) -> None:
        self._assess = assess
        self._seen: list[Any] = [None] * frames
        self.wrong: dict[int, Sequence[Item]] = {}
        self.missing: dict[int, Sequence[Item]] = {}

    def update(self, marks: Sequence[Any]) -> None:
        """Assess the frames whose marks are other objects than they were."""
        for frame, now in enumerate(marks):
            if now is not self._seen[frame]:
                self._seen[frame] = now
                wrong, missing = self._assess(frame, now)
                _put(self.wrong, frame, wrong)
                _put(self.missing, frame, missing)

    def count(self, marks: Sequence[Any]) -> int:
        """Return how many things are wrong in all frames."""
        self.update(marks)
        return sum(len(items) for items in self.wrong.values())

    def forget(self) -> None:
        """Assess all frames anew next time: what is right has changed."""
        self._seen = [None] * len(self._seen)

    def nearest_wrong(self, frame: int) -> int | None:
        """Return the frame with something wrong that is nearest, None where nothing is."""
        return min(self.wrong, key=lambda other: (abs(other - frame), other), default=None)


def _put(known: dict[int, Sequence[Item]], frame: int, items: Sequence[Item]) -> None:
    if items:
        known[frame] = items
    else:
        known.pop(frame, None)
