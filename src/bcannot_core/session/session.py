"""The session: the one way to change a task's state, whoever clicks."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import ClickError, TaskError, UsageError
from bcannot_core.screen import Screen
from bcannot_core.session.clicks import ACTORS, ClickToken, Outcome
from bcannot_core.session.history import History
from bcannot_core.session.protocol import NONE, Aim, Task

_MOST_FLAGS, _MOST_MS = 0xFFFF, 0xFFFF_FFFF  # what datasets and journals can store

Listener = Callable[[Outcome, ClickToken], None]


class Session:
    """A task under way: its state, its clicks, its history and its listeners.

    Parameters
    ----------
    task : Task
        The rules; sessions may share one.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.screen = Screen(task.layout())
        self._state = task.initial_state()
        self._clicks: list[ClickToken] = []
        self._history = History(task.edit_actions)
        self._listeners: list[Listener] = []
        self._notifying = False

    @property
    def state(self) -> Any:
        """The task's present state, immutable."""
        return self._state

    @property
    def clicks(self) -> Sequence[ClickToken]:
        """All clicks so far, in order; grows, and nothing is ever taken from it."""
        return self._clicks

    @property
    def terminated(self) -> bool:
        """Whether the task has ended; clicks have no effect then."""
        return self.task.terminated(self._state)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._history.can_undo and not self.terminated

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to do again."""
        return self._history.next_redo is not None and not self.terminated

    def frame(self) -> NDArray[np.uint8]:
        """Return the frame of the present state.

        Returns
        -------
        uint8 (h, w, 3)
            Read-only; its pixels change with the next call, so copy what is to be kept.
        """
        return self.screen.draw(self.task.content(self._state))

    def apply(
        self,
        click_xy: tuple[SupportsIndex, SupportsIndex],
        actor: str = "person",
        flags: int = 0,
        ms: int = 0,
    ) -> Outcome:
        """Click: the one way to change anything.

        Parameters
        ----------
        click_xy : tuple of int
            Frame pixel (x, y).
        actor : str
            ``"person"``, ``"policy"`` or ``"annotator"``.
        flags : int
            Bit field kept in the token.
        ms : int
            Milliseconds since the click before.

        Raises
        ------
        ClickError
            The click lies outside the frame or between its pixels; nothing is changed.
        UsageError
            The actor is unknown, or flags or time cannot be stored.
        TaskError
            Called by a listener of this session.
        """
        x, y = self._checked(click_xy, actor, flags, ms)
        before = self._state
        hit = self.screen.hit(x, y)
        action = NONE if self.task.terminated(before) else self.task.action_for(hit, before)
        after = self.task.apply(before, action)
        outcome = Outcome(action.name, self.task.detail(before, action, after), before, after)
        token = ClickToken(x, y, actor, int(flags), int(ms), action.name)
        self._state = after
        self._clicks.append(token)
        self._history.record(action, outcome)
        self._notify(outcome, token)
        return outcome

    def _checked(
        self, click_xy: tuple[SupportsIndex, SupportsIndex], actor: str, flags: int, ms: int
    ) -> tuple[int, int]:
        """Return the frame pixel of a click that can be carried out and recorded."""
        if self._notifying:
            raise TaskError("a listener of a session clicked in it: click after it has returned")
        if actor not in ACTORS:
            raise UsageError(f"unknown actor {actor!r}: choose one of {', '.join(ACTORS)}")
        try:
            x, y = (operator.index(c) for c in click_xy)
        except (TypeError, ValueError):
            raise ClickError(f"click {click_xy!r} is not a pair (x, y) of whole numbers") from None
        if not (0 <= flags <= _MOST_FLAGS and 0 <= ms <= _MOST_MS):
            raise UsageError(
                f"flags {flags} or time {ms} ms is out of range: "
                f"give flags from 0 to {_MOST_FLAGS} and a time from 0 to {_MOST_MS}"
            )
        return x, y

    def _notify(self, outcome: Outcome, token: ClickToken) -> None:
        if not self._listeners:
            return
        self._notifying = True
        try:
            for listener in tuple(self._listeners):
                listener(outcome, token)
        finally:
            self._notifying = False

    def subscribe(self, callback: Listener) -> Callable[[], None]:
        """Call ``callback(outcome, token)`` after every click.

        Returns
        -------
        callable
            Call it to unsubscribe; calling it again does nothing.
        """
        self._listeners.append(callback)

        def unsubscribe() -> None:
            self._listeners[:] = [other for other in self._listeners if other is not callback]

        return unsubscribe

    def undo(self, actor: str = "person", flags: int = 0, ms: int = 0) -> list[Outcome]:
        """Take back the last edit by a click; an empty list where there is none."""
        if not self.can_undo:
            return []
        return [self.apply(self.click_for("undo"), actor, flags, ms)]

    def redo(self, actor: str = "person", flags: int = 0, ms: int = 0) -> list[Outcome]:
        """Do the edit undone last again, with the clicks that lead back to where it was made.

        The time goes to the first of them.

        Returns
        -------
        list of Outcome
            Of each click, the edit's last; empty where there is nothing to redo.
        """
        edit = self._history.next_redo
        if edit is None or self.terminated:
            return []
        aims = self.task.retrace(self._state, edit.outcome.state_before, edit.action)
        return [
            self.apply(self.click_for(aim), actor, flags, ms if i == 0 else 0)
            for i, aim in enumerate(aims)
        ]

    def click_for(self, aim: Aim) -> tuple[int, int]:
        """Return the frame pixel (x, y) for a named action or a canvas pixel.

        Parameters
        ----------
        aim : str or tuple of int
            A button's id, which is its action (``"next_section"``): the middle of the button. Or
            a canvas pixel (x, y).

        Raises
        ------
        UsageError
            There is no such button or canvas pixel.
        """
        layout = self.screen.layout
        if isinstance(aim, str):
            if aim not in layout.buttons:
                raise UsageError(
                    f"no button does {aim!r}: choose one of {', '.join(layout.buttons)}"
                )
            return layout.buttons[aim].centre
        x, y = aim
        if not (0 <= x < layout.canvas.w and 0 <= y < layout.canvas.h):
            raise UsageError(
                f"canvas pixel {aim} lies outside the canvas of {layout.canvas.w}×{layout.canvas.h}"
            )
        return layout.canvas.x + x, layout.canvas.y + y

    def click_at(self, yx: tuple[float, float]) -> tuple[int, int] | None:
        """Return the frame pixel (x, y) that shows a point of the present section.

        None where the point is not on the canvas. Whether a click there places a node or pans is
        the task's to say.
        """
        x, y = self.task.view(self._state).to_canvas(yx)
        canvas = self.screen.layout.canvas
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        if not (0 <= column < canvas.w and 0 <= row < canvas.h):
            return None
        return canvas.x + column, canvas.y + row
