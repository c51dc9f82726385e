"""Marking points in the frames of a video: what tasks on filmed animals have in common."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, ClassVar, NamedTuple

from bcannot_core.screen import ButtonSpec
from bcannot_core.screen.shapes import Shape
from bcannot_core.session import NONE, Action
from bcannot_core.tasks.edits import EditTask
from bcannot_core.tasks.frame_steps import NEXT, PREVIOUS, STEPS, UNDO, unusable

VIDEO_BUTTONS = (
    ButtonSpec(NEXT, "Next", "→", "navigation"),
    ButtonSpec(PREVIOUS, "Prev", "←", "navigation"),
    ButtonSpec(UNDO, "Undo", "↶"),
    ButtonSpec("done", "Done", "✓"),
)
_OWN = frozenset(button.id for button in VIDEO_BUTTONS)


class VideoTask(EditTask):
    """A task on a video, of whose buttons some belong to its world."""

    edit_actions: ClassVar[frozenset[str]] = frozenset({"place"})
    navigation_actions: ClassVar[frozenset[str]] = STEPS
    hint_line: ClassVar[bool] = True
    world: Any
    _buttons: tuple[ButtonSpec, ...]
    _frames: int

    @property
    def buttons(self) -> tuple[ButtonSpec, ...]:  # type: ignore[override]
        """The buttons; tabs and items are those of the world."""
        return self._buttons

    def _unusable(self, state: Any) -> frozenset[str]:
        return unusable(state.frame, self._frames, state.can_undo)

    def _common_action(self, target: str, state: Any) -> Action:
        """Return what a click on a button of every video does."""
        usable = target in _OWN and target not in self._unusable(state)
        return Action(target) if usable else NONE


class _Known(NamedTuple):
    marks: tuple[Any, ...]
    parts: list[Sequence[Shape]]
    shapes: tuple[Shape, ...]


class Overlay:
    """The shapes of each frame's marks; only those of marks that changed are made anew.

    Parameters
    ----------
    shapes_of : callable
        Makes the shapes of one mark from its index and all marks of the frame.
    touched : sequence of sequence of int, optional
        For each mark, those whose shapes it is part of, too.
    """

    def __init__(
        self,
        shapes_of: Callable[[int, tuple[Any, ...]], Sequence[Shape]],
        touched: Sequence[Sequence[int]] = (),
    ) -> None:
        self._shapes_of = shapes_of
        self._touched = touched
        self._known: dict[int, _Known] = {}

    def shapes(self, frame: int, marks: tuple[Any, ...]) -> tuple[Shape, ...]:
        """Return the shapes of a frame's marks, mark by mark."""
        known = self._known.get(frame)
        parts: list[Sequence[Shape]] = [()] * len(marks)
        if known is None:
            stale = set(range(len(marks)))
        elif known.marks is marks:
            return known.shapes
        else:
            pairs = enumerate(zip(marks, known.marks, strict=True))
            stale = {i for i, (now, before) in pairs if now is not before}
            parts = list(known.parts)
            if self._touched:
                stale.update(*[self._touched[i] for i in stale])
        for i in stale:
            parts[i] = self._shapes_of(i, marks)
        shapes = tuple(chain.from_iterable(parts))
        self._known[frame] = _Known(marks, parts, shapes)
        return shapes
