"""The base of all tasks: rules as pure functions of immutable states."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from bcannot_core.coords import CanvasView
from bcannot_core.errors import OptionError, TaskError, UsageError
from bcannot_core.screen import ButtonSpec, Content, Hit, Layout, Variant, build_layout, get_variant
from bcannot_core.session import Action, Aim

LayerData = tuple[Any, dict[str, Any], str]
"""napari's layer tuple: data, attributes, layer type."""

_Config = TypeVar("_Config")


def make_config(config_class: type[_Config], task_id: str, options: Mapping[str, Any]) -> _Config:
    """Make a task's configuration from options.

    Raises
    ------
    UsageError
        There is no such option, or its value is out of range.
    """
    known = [field.name for field in fields(config_class)]  # type: ignore[arg-type]
    for name in options:
        if name not in known:
            raise UsageError(f"{task_id} has no option {name!r}: choose from {', '.join(known)}")
    return config_class(**options)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """See that an option is a number within its range; whole numbers for whole bounds.

    Raises
    ------
    OptionError
        It is not; the message names it, its value and the range.
    """
    number = isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)
    whole = isinstance(low, int) and isinstance(high, int)
    if isinstance(value, bool) or not number or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        message = f"{name} is {value!r}: give a {kind} from {low} to {high}"
        raise OptionError(message, name, low=low, high=high)
    if not low <= value <= high:
        message = f"{name} is {value}: give a value from {low} to {high}"
        raise OptionError(message, name, low=low, high=high)


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """See that an option is one of its choices.

    Raises
    ------
    OptionError
        It is not; the message names it, its value and the choices.
    """
    known = tuple(choices)
    if value not in known:
        listed = ", ".join(str(choice) for choice in known)
        message = f"{name} is {value!r}: choose one of {listed}"
        raise OptionError(message, name, choices=known)


class TaskBase(ABC):
    """A task: what is asked, on one world, with one configuration.

    A subclass names its ``id``, ``buttons`` and ``edit_actions`` and is found through the entry
    point group ``bcannot.tasks``. Its instances hold no state of a session, so that sessions may
    share one.

    Attributes
    ----------
    id : str
        Task id.
    buttons : tuple of ButtonSpec
        The buttons of its screen.
    edit_actions : frozenset of str
        Actions that Undo takes back.
    navigation_actions : frozenset of str
        Actions that only change what is looked at, for statistics.
    canvas_hw, window_wh : tuple of int
        Pixels of the canvas and of the window.
    """

    id: ClassVar[str]
    buttons: ClassVar[tuple[ButtonSpec, ...]]
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place"})
    navigation_actions: ClassVar[frozenset[str]] = frozenset({"next_section", "previous_section"})
    canvas_hw: ClassVar[tuple[int, int]] = (256, 256)
    window_wh: ClassVar[tuple[int, int]] = (426, 436)
    panel_hw: ClassVar[tuple[int, int] | None] = None
    hint_line: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random world; ``options`` are the task's own, and ``variant``."""

    def files_fingerprint(self) -> str:
        """Return a short hash of the user's files that the world was drawn from.

        Empty where seed and configuration alone decide the world, and where episodes refer to the
        data in another way.
        """
        return ""

    @property
    def variant(self) -> Variant:
        """The interface variant; by default the one that the configuration names."""
        return get_variant(getattr(self, "config").variant)  # noqa: B009 - every task has its own

    def layout(self) -> Layout:
        """Return the layout of its screen."""
        return build_layout(
            self.buttons,
            self.variant,
            self.canvas_hw,
            self.window_wh,
            panel_hw=self.panel_hw,
            hint=self.hint_line,
        )

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

    @property
    def in_memory(self) -> bool:
        """Whether frames and scores need nothing from a disk or a server; by default so."""
        return True

    def at_hand(self, state: Any) -> bool:
        """Whether the frame of a state can be drawn at once, without a disk or a server."""
        return self.in_memory

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
