"""What can be taken back, across all neurites of a sitting, in the order in which it happened.

Edits of nodes are taken back by a click of the neurite's own session; what happens to the list of
neurites (one more, another name, one deleted) by the change that reverses it. Nothing is
forgotten: what was taken back can be done again until something new happens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from napari_bcannot.node_info import EditKind


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that can be taken back.

    Attributes
    ----------
    neurite : Neurite
        What it happened to.
    undo, redo : callable or None
        Reverses it and does it again; None for an edit of nodes, which the neurite's session
        takes back.
    group : int
        Changes of one group are taken back together; 0 for none.
    """

    neurite: Any
    undo: Callable[[], None] | None = None
    redo: Callable[[], None] | None = None
    group: int = 0


class Timeline:
    """Changes in force and changes taken back, the last one last."""

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._group = self._groups = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Take what happens inside as one change."""
        outer, self._group = self._group, self._group or self._groups + 1
        self._groups = max(self._groups, self._group)
        try:
            yield
        finally:
            self._group = outer

    def note(self, neurite: Any, kind: EditKind) -> None:
        """Take note of what a click did to the history of a neurite.

        An edit equal to one that the neurite had taken back does that one again. Where something
        else happened since, it is a new one here: what was taken back before has been given up.
        """
        if kind == "undone":
            _move(self._done, self._undone, neurite)
        elif kind == "made" or not _move(self._undone, self._done, neurite):
            self.push(Change(neurite))

    def push(self, change: Change) -> None:
        """Add a change that was just made; what was taken back before is given up."""
        self._undone.clear()
        group = Change(change.neurite, change.undo, change.redo, self._group)
        self._done.append(group)

    def seed(self, neurite: Any, done: int, undone: int) -> None:
        """Add the edits of a neurite that was traced before it came into the list."""
        self._done += [Change(neurite) for _ in range(done)]
        if not self._undone:
            self._undone += [Change(neurite) for _ in range(undone)]

    def forget(self, neurite: Any) -> None:
        """Drop everything about a neurite that will not come back."""
        self._done = [change for change in self._done if change.neurite is not neurite]
        self._undone = [change for change in self._undone if change.neurite is not neurite]

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()

    @property
    def next_undo(self) -> Change | None:
        """What would be taken back next."""
        return self._done[-1] if self._done else None

    @property
    def next_redo(self) -> Change | None:
        """What would be done again next."""
        return self._undone[-1] if self._undone else None

    def undo(self, edit: Callable[[Any], None]) -> None:
        """Take back the last change, or all of its group; ``edit`` does so in a neurite."""
        for change in _last_group(self._done):
            if change.undo is None:
                edit(change.neurite)  # the neurite's session tells `note`, which moves the change
            else:
                change.undo()
                self._undone.append(self._done.pop())

    def redo(self, edit: Callable[[Any], None]) -> None:
        """Do the change again that was taken back last, or all of its group."""
        for change in _last_group(self._undone):
            if change.redo is None:
                edit(change.neurite)
            else:
                change.redo()
                self._done.append(self._undone.pop())


def _last_group(changes: list[Change]) -> list[Change]:
    """Return the last change and those before it of the same group, the last one first."""
    last = changes[-1:]
    for change in reversed(changes[:-1]):
        if not (change.group and change.group == last[0].group):
            break
        last.append(change)
    return last


def _move(here: list[Change], there: list[Change], neurite: Any) -> bool:
    """Move the last edit of a neurite's nodes from one list to the other; False without one."""
    for i in range(len(here) - 1, -1, -1):
        if here[i].neurite is neurite and here[i].undo is None:
            there.append(here.pop(i))
            return True
    return False
