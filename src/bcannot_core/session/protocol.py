"""What a session needs of a task."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from bcannot_core.coords import CanvasView
from bcannot_core.screen import ButtonSpec, Content, Hit, Layout

Aim = str | tuple[int, int]
"""Where to click, before the layout is known: a button id, or a canvas pixel (x, y)."""


class Action(NamedTuple):
    """What a click asks for, after hit testing.

    Attributes
    ----------
    name : str
        As in ``info["action"]``.
    canvas_xy : tuple of int or None
        Canvas pixel (x, y), None for a button.
    target : str
        Id of the button where several do what the name says; empty otherwise.
    """

    name: str
    canvas_xy: tuple[int, int] | None = None
    target: str = ""


NONE = Action("none")


class Task(Protocol):
    """The rules of a task: pure functions of immutable states."""

    @property
    def id(self) -> str:
        """Task id."""
        ...

    @property
    def buttons(self) -> tuple[ButtonSpec, ...]:
        """Its buttons; their ids are action names."""
        ...

    @property
    def edit_actions(self) -> frozenset[str]:
        """Names of the actions that Undo takes back, one at a time, the last one first."""
        ...

    def layout(self) -> Layout:
        """Return the layout of its screen."""
        ...

    def initial_state(self) -> Any:
        """Return the state at the start."""
        ...

    def action_for(self, hit: Hit, state: Any) -> Action:
        """Return what a click means in this state; ``none`` where it would have no effect."""
        ...

    def apply(self, state: Any, action: Action) -> Any:
        """Return the state after an action; ``state`` itself is never changed."""
        ...

    def detail(self, before: Any, action: Action, after: Any) -> Mapping[str, Any]:
        """Describe the effect of an action in plain values, without the view."""
        ...

    def content(self, state: Any) -> Content:
        """Return what the screen shows."""
        ...

    def terminated(self, state: Any) -> bool:
        """Whether the task has ended."""
        ...

    def view(self, state: Any) -> CanvasView:
        """Return which point each canvas pixel shows."""
        ...

    def retrace(self, state: Any, before: Any, action: Action) -> list[Aim]:
        """Return the clicks that do again, from ``state``, what ``action`` did to ``before``."""
        ...
