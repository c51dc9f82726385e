"""The neurites of a sitting: each a tracing session of its own, one of them active.

No Qt and no napari here. Everything that happens is told by signals, so that whoever shows,
records or reviews neurites need not know of one another.
"""

from collections.abc import Container, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from psygnal import Signal

from bcannot_core.errors import UsageError
from bcannot_core.session import ClickToken
from bcannot_core.skeletons import SkeletonSet
from napari_bcannot.node_info import EditKind
from napari_bcannot.timeline import Change, Timeline
from napari_bcannot.tracing import TraceSession
from napari_bcannot.trees import skeleton_set

COLOURS = (
    "#59c7ff", "#ff8a5c", "#7ee081", "#d68cff", "#ffd166", "#4de3d1", "#ff7aa8", "#a3b3ff",
    "#c6e86b", "#e8a36b",
)  # fmt: skip
"""Colours of neurites, in the order in which they are given."""

Parent = tuple[str, int]


class Status(StrEnum):
    """How far a neurite is."""

    OPEN = "open"
    """Being traced."""
    CHECK = "to check"
    """A stop rule or a review asks for a look at it."""
    DONE = "done"
    """Done was pressed."""


@dataclass(eq=False)
class Neurite:
    """One neurite: a tracing session with a name. Change it through its `NeuriteList` alone.

    Attributes
    ----------
    name : str
        Unique in its list; people may change it.
    colour : str
        ``"#rrggbb"``.
    trace : TraceSession
        The session: nodes, clicks, history; ``trace.node_info(z)`` says who placed a node.
    status : Status
        How far it is.
    parent : tuple or None
        (name, z) of the node of another neurite that this one begins at.
    note : str
        Why it has this status, in one line; empty where there is nothing to say.
    number : int
        Its own as long as the list lives, whatever its name.
    """

    name: str
    colour: str
    trace: TraceSession
    status: Status = Status.OPEN
    parent: Parent | None = None
    note: str = ""
    number: int = field(default=0)


class NeuriteList:
    """The neurites of one volume, in the order in which they were begun.

    Attributes
    ----------
    added : Signal
        Emits a `Neurite`; also one that was removed and comes back by Undo: the same object.
    removed : Signal
        Emits a `Neurite`.
    changed : Signal
        Emits a `Neurite` and what of it changed: ``"name"``, ``"colour"``, ``"status"``,
        ``"parent"``.
    activated : Signal
        Emits the active `Neurite`, or None.
    clicked : Signal
        Emits a `Neurite` and the `ClickToken` of a click just made in it, by whomever.
    reopened : Signal
        Emits a `Neurite` that goes on after Done: its session was begun anew, with all clicks but
        Done in ``trace.session.clicks``. ``clicked`` tells of the clicks from here on.
    timeline : Timeline
        What can be taken back, across all neurites.
    """

    added = Signal(Neurite)
    removed = Signal(Neurite)
    changed = Signal(Neurite, str)
    activated = Signal(object)
    clicked = Signal(Neurite, ClickToken)
    reopened = Signal(Neurite)

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.active: Neurite | None = None
        self._neurites: list[Neurite] = []
        self._begun = 0

    def __iter__(self) -> Iterator[Neurite]:
        return iter(tuple(self._neurites))

    def __len__(self) -> int:
        return len(self._neurites)

    def __contains__(self, neurite: object) -> bool:
        return any(neurite is one or neurite == one.name for one in self._neurites)

    def __getitem__(self, name: str) -> Neurite:
        """Return the neurite of this name.

        Raises
        ------
        UsageError
            There is none.
        """
        for neurite in self._neurites:
            if neurite.name == name:
                return neurite
        raise UsageError(f"there is no neurite named {name!r}")

    def children(self, neurite: Neurite) -> list[Neurite]:
        """Return the neurites that begin at a node of this one."""
        return [one for one in self._neurites if one.parent and one.parent[0] == neurite.name]

    # ---------------------------------------------------------------------------- changes
    def add(
        self,
        trace: TraceSession,
        *,
        name: str = "",
        colour: str = "",
        parent: Parent | None = None,
        status: Status = Status.OPEN,
        activate: bool = True,
    ) -> Neurite:
        """Add a neurite; what its session can take back comes along.

        Parameters
        ----------
        trace : TraceSession
            New, or with clicks made already (restored, imported, from a batch).
        name, colour : str, optional
            The next free ones by default.
        parent : tuple, optional
            (name, z) of the node that it begins at.
        status : Status
            How far it is.
        activate : bool
            Whether it becomes the active one.

        Raises
        ------
        UsageError
            The name is taken.
        """
        self._begun += 1
        name = self._checked(name) if name else self._next_name()
        colour = colour or COLOURS[(self._begun - 1) % len(COLOURS)]
        neurite = Neurite(name, colour, trace, status, parent, number=self._begun)
        trace.on_click = lambda token: self.clicked.emit(neurite, token)
        trace.on_edit = lambda kind: self._on_edit(neurite, kind)
        before = self.active
        self._put(neurite, len(self._neurites))
        if len(self._neurites) > 1:  # without the first one there would be nothing to act on
            self._did(
                neurite, lambda: self._take_back(neurite, before), lambda: self._come(neurite)
            )
        self.timeline.seed(neurite, trace.edits.done, trace.edits.undone)
        if activate:
            self.activate(neurite)
        return neurite

    def remove(self, neurite: Neurite) -> None:
        """Delete a neurite; its branches become neurites of their own. Undo brings it back."""
        if neurite not in self:
            return
        with self.together():
            for child in self.children(neurite):
                self.begin_at(child, None)
            at = self._neurites.index(neurite)
            self._did(neurite, lambda: self._come(neurite, at), lambda: self._go(neurite))
            self._go(neurite)

    def activate(self, neurite: Neurite | None) -> None:
        """Let clicks and commands act on a neurite."""
        if neurite is not self.active and (neurite is None or neurite in self):
            self.active = neurite
            self.activated.emit(neurite)

    def rename(self, neurite: Neurite, name: str) -> None:
        """Give a neurite another name.

        Raises
        ------
        UsageError
            The name is empty or taken; nothing is changed.
        """
        if name.strip() != neurite.name:
            self._set(neurite, "name", self._checked(name))

    def recolour(self, neurite: Neurite, colour: str) -> None:
        """Give a neurite another colour, ``"#rrggbb"``."""
        self._set(neurite, "colour", colour)

    def begin_at(self, neurite: Neurite, parent: tuple[str, int] | None) -> None:
        """Let a neurite begin at a node (name, z) of another one, or at none."""
        self._set(neurite, "parent", parent)

    def set_status(self, neurite: Neurite, status: Status, note: str = "") -> None:
        """Say how far a neurite is, and why; this is no change of its own to take back."""
        if (neurite.status, neurite.note) != (status, note):
            neurite.status, neurite.note = status, note
            self.changed.emit(neurite, "status")

    def clear(self) -> None:
        """Let go of all neurites; nothing can be taken back then."""
        self.activate(None)
        while self._neurites:
            self._go(self._neurites[-1])
        self.timeline.clear()

    def is_blank(self, neurite: Neurite) -> bool:
        """Whether there is nothing in a neurite, and nothing that was taken out could come back."""
        trace = neurite.trace
        return not (trace.count or trace.edits.done or self.children(neurite))

    def drop(self, neurite: Neurite) -> None:
        """Let go of a neurite for good: nothing was done in it."""
        self._go(neurite)
        self.timeline.forget(neurite)

    def together(self) -> AbstractContextManager[None]:
        """Take the changes that are made inside back as one."""
        return self.timeline.together()

    # ----------------------------------------------------------------------------- output
    def skeletons(self, only: Neurite | None = None, **header: str) -> SkeletonSet:
        """Return each tree as one skeleton, a branch joined to the node that it begins at.

        Parameters
        ----------
        only : Neurite, optional
            The tree that it is part of; all by default.
        **header : str
            Written as comments of the file.

        Raises
        ------
        UsageError
            There are no nodes.
        """
        return skeleton_set(self, only, header)

    # --------------------------------------------------------------------------- internal
    def _on_edit(self, neurite: Neurite, kind: EditKind) -> None:
        self.timeline.note(neurite, kind)

    def _did(self, neurite: Neurite, undo: Any, redo: Any) -> None:
        self.timeline.push(Change(neurite, undo, redo))

    def _set(self, neurite: Neurite, what: str, value: Any) -> None:
        before = getattr(neurite, what)
        if value == before:
            return

        def change(to: Any) -> None:
            setattr(neurite, what, to)
            if what == "name":
                self._follow_name(neurite, value if to == before else before)
            self.changed.emit(neurite, what)

        self._did(neurite, lambda: change(before), lambda: change(value))
        change(value)

    def _follow_name(self, neurite: Neurite, old: str) -> None:
        """Let branches name their parent as it is called now."""
        for child in self._neurites:
            if child.parent and child.parent[0] == old:
                child.parent = (neurite.name, child.parent[1])

    def _put(self, neurite: Neurite, at: int) -> None:
        self._neurites.insert(min(at, len(self._neurites)), neurite)
        self.added.emit(neurite)

    def _come(self, neurite: Neurite, at: int | None = None) -> None:
        self._put(neurite, len(self._neurites) if at is None else at)
        self.activate(neurite)

    def _take_back(self, neurite: Neurite, before: Neurite | None) -> None:
        self._go(neurite)
        if before is not None and before in self:
            self.activate(before)

    def _go(self, neurite: Neurite) -> None:
        at = self._neurites.index(neurite)
        self._neurites.remove(neurite)
        if self.active is neurite:
            self.activate(self._neurites[min(at, len(self._neurites) - 1)] if len(self) else None)
        self.removed.emit(neurite)

    def _checked(self, name: str) -> str:
        name = " ".join(name.split())
        if not name:
            raise UsageError("a neurite needs a name")
        if name in self:
            raise UsageError(f"there is a neurite named {name!r} already: choose another name")
        return name

    def free_name(self, name: str) -> str:
        """Return a name, with a number behind it where it is taken."""
        return free_name(name, self)

    def _next_name(self) -> str:
        number = self._begun
        while f"neurite {number}" in self:
            number += 1
        return f"neurite {number}"


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name, with a number behind it where it is taken."""
    name = " ".join(name.split()) or "neurite"
    free, number = name, 2
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def confidences(neurite: Neurite) -> np.ndarray:
    """Return how sure the policy was of each node, in the order of ``trace.rows``; NaN unknown."""
    sure = [info.confidence for info in neurite.trace.node_infos()]
    return np.array([np.nan if one is None else one for one in sure], dtype=np.float32)
