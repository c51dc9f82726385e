"""What the *Review* widget does, without Qt and napari.

`ReviewDesk` looks at every neurite of the list again with a policy (off the GUI thread), keeps the
queue of doubtful places, worst first, and turns what the person says of a place into edits of the
neurite and a verdict that is recorded.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from bcannot_core.session import ClickToken
from bcannot_core.tracing.doubts import Doubt
from bcannot_core.tracing.review import EVENT, Decision, Place, ReviewQueue, Verdict
from napari_bcannot.neurites import Neurite, NeuriteList
from napari_bcannot.nodes import Remove
from napari_bcannot.review_record import recorded_verdicts
from napari_bcannot.review_shown import Entry, ReviewSnapshot, entry_of
from napari_bcannot.review_work import (
    EDITS,
    LEAST_NODES,
    Glance,
    Looked,
    clicks_that_count,
    glance_at,
)

if TYPE_CHECKING:
    from bcannot_core.session import Session
    from napari_bcannot.controller import TraceController

Zyx = tuple[float, float, float]


@dataclass
class _At:
    """The place at hand and the node that was there when it was begun to look at."""

    neurite: Neurite
    place: Place
    z: int
    zyx: Zyx
    corrected: bool = False


class ReviewDesk:
    """A review of all neurites of a controller.

    Parameters
    ----------
    controller : TraceController
        Whose neurites are reviewed; edits go through it.

    Attributes
    ----------
    comment : str
        What the person says of the correction that comes next.
    changed : Signal
        Emitted after every change: `snapshot` says what is to be shown now.
    decided : Signal
        Emits a `Neurite` and a `Verdict`, which is recorded with the session.
    shown : Signal
        Emits a `Neurite` and the point (z, y, x) in voxels that the person should look at.
    """

    changed = Signal()
    decided = Signal(Neurite, Verdict)
    shown = Signal(Neurite, tuple)

    def __init__(self, controller: "TraceController") -> None:
        self.controller = controller
        self.queue = ReviewQueue()
        self.least = 0.0
        self.looking = False
        self.verdicts: list[Verdict] = []
        self._progress = (0, 0)
        self._known: dict[int, tuple[Session, int]] = {}
        self._at: _At | None = None
        self._skipped: set[tuple[int, int]] = set()
        self._gone: list[tuple[int, int]] = []
        self.comment = ""
        self._said = "Press Look to find the places that are worth a look."
        self._deciding = False
        neurites = self.neurites
        neurites.clicked.connect(self._on_click)
        neurites.removed.connect(self._on_removed)
        neurites.changed.connect(self._on_changed)
        neurites.added.connect(self._on_changed)
        self._read: set[int] = set()
        self._read_record()

    def close(self) -> None:
        """Take no notice of the neurites any more."""
        neurites = self.neurites
        neurites.clicked.disconnect(self._on_click)
        neurites.removed.disconnect(self._on_removed)
        neurites.changed.disconnect(self._on_changed)
        neurites.added.disconnect(self._on_changed)

    def _read_record(self) -> None:
        """Take up what was decided before of neurites that came with a session."""
        numbers = {one.number for one in self.neurites}
        if not numbers <= self._read:
            self._read |= numbers
            known = recorded_verdicts(self.controller.recorder, self.neurites)
            self.verdicts += [verdict for verdict in known if verdict not in self.verdicts]

    @property
    def neurites(self) -> NeuriteList:
        """The neurites that are reviewed."""
        return self.controller.neurites

    @property
    def at_hand(self) -> bool:
        """Whether a place is looked at that can be decided."""
        return self._at is not None

    # --------------------------------------------------------------------------- looking
    def stale(self) -> list[Neurite]:
        """Return the neurites that were not looked at since they changed."""
        return [one for one in self.neurites if self._is_stale(one)]

    def glances(self) -> list[Glance]:
        """Return what a worker needs to look at the neurites that are stale."""
        self._read_record()
        self.looking = True
        wanted = [glance_at(one) for one in self.stale()]
        self._progress = (0, len(wanted))
        self._tell()
        return wanted

    def take(self, looked: Looked) -> None:
        """Take what came of looking at a neurite; what is out of date by now is left stale."""
        done, total = self._progress
        self._progress = (done + 1, total)
        neurite = self._numbered(looked.number)
        if neurite is not None and not _differs(neurite, looked.session, looked.clicks):
            self.queue.put(looked.number, looked.doubts)
            self.queue.settle(self.verdicts)
            self._known[looked.number] = looked.session, looked.clicks
        self._tell()

    def finish(self, problem: str = "") -> None:
        """End looking; the worst place is shown if none is at hand."""
        self.looking = False
        count = len(self.queue.places(self.least))
        self._said = problem or _say_found(count)
        if self._at is None and not problem and count:
            self.next()
        else:
            self._tell()

    def _is_stale(self, neurite: Neurite) -> bool:
        if neurite.trace.count < LEAST_NODES:
            return False
        known = self._known.get(neurite.number)
        return known is None or _differs(neurite, *known)

    # -------------------------------------------------------------------------- going round
    def entries(self) -> list[tuple[Entry, Place]]:
        """Return the places of the queue, worst first."""
        found = []
        for place in self.queue.places(self.least):
            neurite = self._numbered(int(place.trace))
            if neurite is not None:
                found.append((entry_of(neurite, place), place))
        return found

    def next(self) -> bool:
        """Go to the worst place that was not skipped; return whether there is one."""
        for entry, place in self.entries():
            if (entry.number, entry.section) not in self._skipped:
                self._go(place)
                return True
        self._at = None
        self._said = "Nothing is left to look at."
        if self._skipped:
            self._said = "That was the last one. Press Next to see those again that were left."
            self._skipped.clear()
        self._tell()
        return False

    def skip(self) -> bool:
        """Leave the place at hand undecided and go to the next one."""
        if self._at is not None:
            self._skipped.add((self._at.neurite.number, self._at.place.worst.section))
        return self.next()

    def back(self) -> bool:
        """Go back to the place before, decided or not; return whether there is one."""
        if self._at is not None and self._gone:
            self._gone.pop()
        if not self._gone:
            return False
        number, section = self._gone.pop()
        return self.go(number, section)

    def go(self, number: int, section: int) -> bool:
        """Go to a node of a neurite; return whether it is there."""
        neurite = self._numbered(number)
        if neurite is None or neurite.trace.task.z_of(section) not in neurite.trace.nodes:
            return False
        known = [place for _, place in self.entries()]
        at = (place for place in known if (place.trace, place.worst.section) == (number, section))
        zyx = _node(neurite, neurite.trace.task.z_of(section))
        there = Doubt(section, zyx, 0.0, "")
        self._go(next(at, Place(number, there, there, section, 0.0, 1)))
        return True

    def _go(self, place: Place) -> None:
        neurite = self._numbered(int(place.trace))
        if neurite is None:
            return
        z = neurite.trace.task.z_of(place.worst.section)
        if z not in neurite.trace.nodes:  # taken away since: look at what is there now
            self.queue.correct(place.trace, place.worst.section, None)
            self.next()
            return
        self._at = _At(neurite, place, z, _node(neurite, z))
        self.comment = ""
        self._gone.append((neurite.number, place.worst.section))
        self._said = ""
        self._deciding = True
        try:
            self.controller.jump_to(neurite, z)
        finally:
            self._deciding = False
        self.shown.emit(neurite, self._at.zyx)
        self._tell()

    # --------------------------------------------------------------------------- decisions
    def accept(self, comment: str = "") -> None:
        """Say that the node at hand is right, and go on; after a correction, go on."""
        at = self._at
        if at is None:
            return
        if not at.corrected and _node_or_none(at.neurite, at.z) is not None:
            self._decide(at, Decision.ACCEPT, comment=comment)
            self.queue.accept(at.neurite.number, at.place.worst.section)
        self.next()

    def split(self, comment: str = "", z: int | None = None) -> Neurite | None:
        """Cut the neurite before a node, and go on; return what came after.

        Parameters
        ----------
        comment : str
            What the person says of it.
        z : int, optional
            Section of the node, where it is not the one at hand: a person has gone back to where
            the trace left its neurite.
        """
        at = self._at
        if at is None:
            return None
        if z is not None and z != at.z and z in at.neurite.trace.nodes:
            at = replace(at, z=z, zyx=_node(at.neurite, z))
        section = at.neurite.trace.task.section_of(at.z)
        self._deciding = True
        try:
            rest = self.controller.split(at.z, at.neurite)
        finally:
            self._deciding = False
        if rest is None or section is None:
            return None
        self._decide(at, Decision.SPLIT, comment=comment)
        self.queue.split(at.neurite.number, section)
        session = at.neurite.trace.session
        self._known[at.neurite.number] = session, len(session.clicks)
        self._at = None
        self.next()
        return rest

    def remove(self) -> None:
        """Take the node at hand away: a correction."""
        at = self._at
        if at is not None and _node_or_none(at.neurite, at.z) is not None:
            self.controller.activate(at.neurite)
            self.controller.edit([Remove(at.z)])

    def _decide(
        self, at: _At, decision: Decision, moved_to: Zyx | None = None, comment: str = ""
    ) -> None:
        worst = at.place.worst
        verdict = Verdict(
            at.neurite.number, at.zyx, decision, at.place.doubt, worst.why, moved_to, comment
        )
        self.verdicts.append(verdict)
        fields = verdict.to_fields()
        del fields["neurite"]  # the recorder has numbers of its own
        self.controller.recorder.note(EVENT, at.neurite, **fields)
        self.decided.emit(at.neurite, verdict)

    # ------------------------------------------------------------------------------ events
    def _on_click(self, neurite: Neurite, token: ClickToken) -> None:
        """See whether the person has just corrected the node at hand."""
        at = self._at
        if self._deciding or token.action not in EDITS:
            return
        if at is not None and neurite is at.neurite and token.actor == "person":
            now = _node_or_none(neurite, at.z)
            if now != at.zyx:
                self._decide(at, Decision.CORRECT, now, self.comment)
                self.queue.correct(neurite.number, at.place.worst.section, now)
                self._at = None if now is None else replace(at, zyx=now, corrected=True)
                self._said = "Corrected. Go on to the next place, or click again."
        self._tell()

    def _on_removed(self, neurite: Neurite) -> None:
        self.queue.drop(neurite.number)
        self._known.pop(neurite.number, None)
        if self._at is not None and self._at.neurite is neurite:
            self._at = None
        self._tell()

    def _on_changed(self, *_: Any) -> None:
        self._tell()

    # ---------------------------------------------------------------------------- internal
    def snapshot(self) -> ReviewSnapshot:
        """Return what is to be shown."""
        entries = tuple(entry for entry, _ in self.entries())
        at = self._at
        here = -1
        if at is not None:
            wanted = (at.neurite.number, at.place.worst.section)
            marks = [(entry.number, entry.section) for entry in entries]
            here = marks.index(wanted) if wanted in marks else -1
        return ReviewSnapshot(
            entries,
            here,
            len(self.stale()),
            self.looking,
            self._progress,
            len(self.verdicts),
            self._said or _describe(at),
            len(self._gone) > (at is not None),
        )

    def _numbered(self, number: int) -> Neurite | None:
        return next((one for one in self.neurites if one.number == number), None)

    def _tell(self) -> None:
        self.changed.emit()


def _differs(neurite: Neurite, session: "Session", clicks: int) -> bool:
    """Whether a neurite was edited since its session had so many clicks."""
    now = neurite.trace.session
    return now is not session or clicks_that_count(now) > clicks


def _node(neurite: Neurite, z: int) -> Zyx:
    return float(z), *neurite.trace.nodes[z]


def _node_or_none(neurite: Neurite, z: int) -> Zyx | None:
    return _node(neurite, z) if z in neurite.trace.nodes else None


def _say_found(count: int) -> str:
    if not count:
        return "No place is doubted that much."
    return f"{count} place{'' if count == 1 else 's'} to look at, worst first."


def _describe(at: _At | None) -> str:
    if at is None:
        return ""
    return (
        f"{at.neurite.name}, section {at.z}: {at.place.worst.why or 'decided before'} · "
        f"doubt {at.place.doubt:.0%}"
    )
