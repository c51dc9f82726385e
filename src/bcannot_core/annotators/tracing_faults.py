"""What is wrong with a trace: misplaced nodes, nodes beyond the end, and gaps."""

from enum import Enum

from bcannot_core.annotators.tracing_aim import TracingAim
from bcannot_core.tasks.trace_state import Offset, TraceState


class Fault(Enum):
    """What is wrong in a section."""

    NONE = "none"
    MISSING = "missing"
    MISPLACED = "misplaced"
    EXTRA = "extra"


class Faults:
    """Finds faults in states; parts of the trace that did not change are not looked at again.

    Parameters
    ----------
    aim : TracingAim
        Knows where nodes are right.
    sections : int
        Sections of the task.
    """

    def __init__(self, aim: TracingAim, sections: int) -> None:
        self._aim = aim
        self._sections = sections
        self._known: list[tuple[tuple[Offset | None, ...], list[int]]] = []

    def at(self, section: int, node: Offset | None) -> Fault:
        """Return what is wrong in a section with this node."""
        if section >= len(self._aim.targets):
            return Fault.NONE if node is None else Fault.EXTRA
        if node is None:
            return Fault.MISSING
        return Fault.NONE if self._aim.is_right(section, node) else Fault.MISPLACED

    def nearest(self, state: TraceState) -> tuple[Fault, int]:
        """Return the fault to mend next and its section.

        A wrong node in the present section comes first, then the nearest fault behind, then a gap
        in the present section, then the nearest fault ahead.
        """
        here = self.at(state.section, state.nodes.get(state.section))
        if here in (Fault.MISPLACED, Fault.EXTRA):
            return here, state.section
        section = self._last_before(state, state.section)
        if section is None and here is not Fault.NONE:
            section = state.section
        if section is None:
            section = self._first_after(state, state.section)
        if section is None:
            return Fault.NONE, state.section
        return self.at(section, state.nodes.get(section)), section

    def _last_before(self, state: TraceState, section: int) -> int | None:
        size = len(state.nodes.chunks[0])
        for c in range(section // size, -1, -1):
            for faulty in reversed(self._in_chunk(state, c)):
                if faulty < section:
                    return faulty
        return None

    def _first_after(self, state: TraceState, section: int) -> int | None:
        size = len(state.nodes.chunks[0])
        for c in range(section // size, len(state.nodes.chunks)):
            for faulty in self._in_chunk(state, c):
                if faulty > section:
                    return faulty
        return None

    def _in_chunk(self, state: TraceState, c: int) -> list[int]:
        """Return the faulty sections of one chunk of the nodes, in order."""
        chunks = state.nodes.chunks
        while len(self._known) < len(chunks):
            self._known.append(((), []))
        known, faulty = self._known[c]
        chunk = chunks[c]
        if known is not chunk:
            first = c * len(chunk)
            last = min(first + len(chunk), self._sections)
            faulty = [
                section
                for section, node in zip(range(first, last), chunk, strict=False)
                if self.at(section, node) is not Fault.NONE
            ]
            self._known[c] = (chunk, faulty)
        return faulty
