"""States with Undo."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.tasks.edits import EditState, edited, finished, undone


@dataclass(frozen=True, slots=True)
class Marks(EditState):
    view: int = 0
    marks: tuple[int, ...] = ()


@settings(deadline=None)
@given(st.lists(st.sampled_from(["mark", "undo", "move"])))
def test_undo_restores_the_state_before_the_last_edit(steps: list[str]) -> None:
    state, stack, edits, undos = Marks(), [], 0, 0
    for i, step in enumerate(steps):
        if step == "mark":
            stack.append((state.view, state.marks))
            state = edited(state, marks=(*state.marks, i))
            edits += 1
        elif step == "move":
            state = Marks(view=i, marks=state.marks, edits=edits, undos=undos, before=state.before)
        else:
            assert state.can_undo == bool(stack)
            state = undone(state)
            if stack:
                undos += 1
                assert (state.view, state.marks) == stack.pop()
        assert (state.edits, state.undos) == (edits, undos)
        assert state.can_undo == bool(stack)
    assert finished(state).terminated


def test_what_undo_does_not_take_back_is_kept() -> None:
    state = edited(Marks(view=3), marks=(1,), view=5)
    assert undone(state).view == 3
    assert undone(state, view=9).view == 9
    fresh = Marks()
    assert undone(fresh) is fresh


def test_a_long_history_is_forgotten_without_overflow() -> None:
    state = Marks()
    for i in range(50_000):
        state = edited(state, view=i)
    before = undone(state)
    assert before.view == 49_998
    del state, before
