"""Immutable states with Undo: every edit keeps the state before it."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

from bcannot_core.errors import TaskError
from bcannot_core.session import Action
from bcannot_core.tasks.base import TaskBase


@dataclass(frozen=True, slots=True, kw_only=True)
class EditState:
    """What the states of tasks with Undo have in common.

    Attributes
    ----------
    terminated : bool
        Whether Done was clicked.
    edits, undos : int
        How many there were; edits that were taken back are counted.
    before : EditState or None
        The state before the last edit that stands, None where none does.
    """

    terminated: bool = False
    edits: int = 0
    undos: int = 0
    before: "EditState | None" = field(default=None, repr=False, compare=False)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self.before is not None


State = TypeVar("State", bound=EditState)


def edited(state: State, **changes: Any) -> State:
    """Return the state after an edit that changes these fields."""
    return replace(state, **changes, edits=state.edits + 1, before=state)


def undone(state: State, **kept: Any) -> State:
    """Return the state before the last edit, its view included; ``state`` where there is none.

    Parameters
    ----------
    state : EditState
        Where Undo was clicked.
    **kept
        Fields that Undo does not take back, with their values.
    """
    before = state.before
    if before is None:
        return state
    if not isinstance(before, type(state)):
        raise TaskError(f"an edit of {type(before).__name__} stands before {type(state).__name__}")
    return replace(before, edits=state.edits, undos=state.undos + 1, **kept)


def finished(state: State) -> State:
    """Return the state after Done."""
    return replace(state, terminated=True)


class EditTask(TaskBase):
    """A task whose states are :class:`EditState`: Undo and Done mean the same in all of them.

    ``kept_by_undo`` names the fields of the state that Undo does not take back.
    """

    kept_by_undo: ClassVar[tuple[str, ...]] = ()

    def apply(self, state: Any, action: Action) -> Any:
        """Return the state after an action.

        Raises
        ------
        TaskError
            The task knows no such action.
        """
        if state.terminated or action.name == "none":
            return state
        if action.name == "undo":
            return undone(state, **{name: getattr(state, name) for name in self.kept_by_undo})
        if action.name == "done":
            return finished(state)
        after = self.change(state, action)
        if after is None:
            raise TaskError(f"{self.id} knows no action {action}")
        return after

    @abstractmethod
    def change(self, state: Any, action: Action) -> Any:
        """Return the state after an action other than Undo and Done; None for an unknown one."""

    def terminated(self, state: Any) -> bool:
        """Whether Done was clicked."""
        return bool(state.terminated)
