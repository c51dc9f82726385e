"""The base of all tasks: rules as pure functions of immutable states."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.coords import CanvasView
from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Hit, Layout, Variant, build_layout
from bcannot_core.session import Action, Aim

LayerData = tuple[Any, dict[str, Any], str]
"""napari's layer tuple: data, attributes, layer type."""


class TaskBase(ABC):
    """A task: what is asked, on one world, with one configuration.

    A subclass names its ``id``, ``buttons`` and ``edit_actions`` and is found through the entry
    point group ``bcannot.tasks``. Its instances hold no state of a session, so that sessions may
    share one.
    """

    id: ClassVar[str]
    buttons: ClassVar[tuple[ButtonSpec, ...]]
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place"})
    canvas_hw: ClassVar[tuple[int, int]] = (256, 256)
    window_wh: ClassVar[tuple[int, int]] = (426, 436)

    @classmethod
    @abstractmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random world; ``options`` are the task's own, and ``variant``."""

    @property
    @abstractmethod
    def variant(self) -> Variant:
        """The interface variant."""

    def layout(self) -> Layout:
        """Return the layout of its screen."""
        return build_layout(self.buttons, self.variant, self.canvas_hw, self.window_wh)

    @abstractmethod
    def initial_state(self) -> Any:
        """Return the state at the start."""

    @abstractmethod
    def action_for(self, hit: Hit, state: Any) -> Action:
        """Return what a click means in this state; ``none`` where it would have no effect."""

    @abstractmethod
    def apply(self, state: Any, action: Action) -> Any:
        """Return the state after an action; ``state`` itself is never changed."""

    def detail(self, before: Any, action: Action, after: Any) -> Mapping[str, Any]:
        """Describe the effect of an action in plain values, without the view."""
        return {}

    @abstractmethod
    def content(self, state: Any) -> Content:
        """Return what the screen shows."""

    @abstractmethod
    def terminated(self, state: Any) -> bool:
        """Whether the task has ended."""

    def view(self, state: Any) -> CanvasView:
        """Return which point each canvas pixel shows; by default the pixel itself."""
        height, width = self.canvas_hw
        return CanvasView((height // 2, width // 2), (1.0, 1.0), 1.0, self.canvas_hw)

    def retrace(self, state: Any, before: Any, action: Action) -> list[Aim]:
        """Return the clicks that do again, from ``state``, what ``action`` did to ``before``.

        Raises
        ------
        TaskError
            The action was no click on the canvas; tasks with more edits override this.
        """
        if action.canvas_xy is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        return [action.canvas_xy]

    @abstractmethod
    def score(self, state: Any) -> dict[str, Any]:
        """Return the task's metrics, with ``"success"``: bool."""

    @abstractmethod
    def layers(self, state: Any = None) -> list[LayerData]:
        """Return the world, and the state where one is given, as napari layers."""
