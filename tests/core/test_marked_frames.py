"""What tasks on videos share: the shapes of marks, and actions that do not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcannot_core.errors import TaskError
from bcannot_core.screen import Disc, Line
from bcannot_core.session import Action
from bcannot_core.tasks.marked_frames import Overlay
from bcannot_core.tasks.registry import make_task

COLOUR = (255, 255, 255)
COUNT = 5


@pytest.mark.parametrize("task_id", ["animal_limb_tracking", "animal_behavior_tracking"])
def test_unknown_actions_are_errors(task_id: str) -> None:
    task = make_task(task_id, 0, frames=2)
    with pytest.raises(TaskError, match="knows no action"):
        task.apply(task.initial_state(), Action("dance"))


class Chain:
    """Discs, each joined to the one before; counts what is made."""

    touched = [(k + 1,) if k + 1 < COUNT else () for k in range(COUNT)]  # noqa: RUF012

    def __init__(self) -> None:
        self.made = 0

    def shapes_of(self, k: int, marks: tuple) -> list:
        self.made += 1
        if marks[k] is None:
            return []
        before = marks[k - 1] if k else None
        line = [] if before is None else [Line(*before, *marks[k], COLOUR)]
        return [*line, Disc(*marks[k], 2, COLOUR)]


MARK = st.none() | st.tuples(st.integers(0, 255), st.integers(0, 255))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, COUNT - 1), MARK), max_size=30))
def test_shapes_are_those_of_the_marks_however_they_came(edits: list) -> None:
    chain = Chain()
    overlay = Overlay(chain.shapes_of, chain.touched)
    frames = [(None,) * COUNT, (None,) * COUNT]
    for frame, k, mark in edits:
        frames[frame] = (*frames[frame][:k], mark, *frames[frame][k + 1 :])
        afresh = Overlay(Chain().shapes_of, chain.touched)
        assert overlay.shapes(frame, frames[frame]) == afresh.shapes(frame, frames[frame])


def test_only_what_changed_is_made_anew() -> None:
    chain = Chain()
    overlay = Overlay(chain.shapes_of, chain.touched)
    marks = tuple((10 * k, 20) for k in range(COUNT))
    first = overlay.shapes(0, marks)
    assert overlay.shapes(0, marks) is first
    assert chain.made == COUNT
    moved = (*marks[:2], (99, 99), *marks[3:])
    assert overlay.shapes(0, moved)[0] is first[0]
    assert chain.made == COUNT + 2, "the moved one, and the one that is joined to it"
