"""The review of traces: a queue of doubtful places, worst first, and what was decided there."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from bcannot_core.errors import JournalError
from bcannot_core.tracing.doubts import Doubt, pass_on

EVENT = "review"
"""Kind of the events that decisions are recorded as."""

COMES_BACK = 0.1
"""How much is left of the doubts before a node that is right."""

Key = int | str
Zyx = tuple[float, float, float]


class Decision(StrEnum):
    """What a person says of a place."""

    ACCEPT = "accept"
    """The node is right."""
    CORRECT = "correct"
    """The node was moved, or taken away."""
    SPLIT = "split"
    """From this node on it is another neurite."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the queue: nodes that share a doubt, and the worst of them, to be looked at.

    Attributes
    ----------
    trace : int or str
        Which trace.
    first : Doubt
        Of the node at which the trace may have left its neurite.
    worst : Doubt
        Of the node that is most likely misplaced: where that one is right, so are those before.
    last_section : int
        Of the last node that shares the doubt, at least by a quarter.
    doubt : float
        How likely the worst of these nodes is misplaced, 0…1.
    nodes : int
        How many nodes follow from there to the next place, the first included.
    """

    trace: Key
    first: Doubt
    worst: Doubt
    last_section: int
    doubt: float
    nodes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided at a place: what is recorded of a review.

    Attributes
    ----------
    trace : int or str
        Which trace.
    zyx : tuple of float
        The node that was looked at, voxels.
    decision : Decision
        What the person said.
    doubt : float
        How likely the node was held to be misplaced.
    why : str
        What had spoken against it.
    moved_to : tuple of float, optional
        Where a corrected node is now, voxels; None where it was taken away.
    comment : str
        What the person says of it.
    """

    trace: Key
    zyx: Zyx
    decision: Decision
    doubt: float
    why: str = ""
    moved_to: Zyx | None = None
    comment: str = ""

    def to_fields(self) -> dict[str, Any]:
        """Return JSON values: the fields of an event of the kind ``EVENT``."""
        return {
            "neurite": self.trace,
            "zyx": list(self.zyx),
            "decision": str(self.decision),
            "doubt": round(self.doubt, 4),
            "why": self.why,
            "moved_to": None if self.moved_to is None else list(self.moved_to),
            "comment": self.comment,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Build a verdict from an event's fields, checked.

        Raises
        ------
        JournalError
            A field is missing or of the wrong kind.
        """
        try:
            trace, moved = fields["neurite"], fields.get("moved_to")
            if isinstance(trace, bool) or not isinstance(trace, int | str):
                raise TypeError(f"{trace!r} names no trace")
            return cls(
                trace,
                _zyx(fields["zyx"]),
                Decision(fields["decision"]),
                float(fields["doubt"]),
                str(fields.get("why", "")),
                None if moved is None else _zyx(moved),
                str(fields.get("comment", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(f"a decision of a review cannot be read: {error!r}") from error


@dataclass
class _Trace:
    """The doubts of one trace, and of which nodes it is settled that they are right."""

    doubts: list[Doubt]
    settled: set[int] = field(default_factory=set)
    misplaced: list[float] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)

    def weigh(self) -> None:
        """Pass the doubts on from node to node."""
        own = [doubt.own for doubt in self.doubts]
        settled = [doubt.section in self.settled for doubt in self.doubts]
        self.misplaced, self.begins = pass_on(own, settled)


class ReviewQueue:
    """The doubtful places of any number of traces, worst first.

    A decision changes what is doubted of the nodes that follow: a node that is right puts an end
    to the doubts passed on to it.
    """

    def __init__(self) -> None:
        self._traces: dict[Key, _Trace] = {}

    def put(self, trace: Key, doubts: Sequence[Doubt]) -> None:
        """Add a trace, or what is doubted of it now; nodes that were settled and stayed are so."""
        known = self._traces.get(trace)
        now = {doubt.section: doubt.zyx for doubt in doubts}
        settled: set[int] = set()
        if known is not None:
            before = {doubt.section: doubt.zyx for doubt in known.doubts}
            settled = {s for s in known.settled if s in now and now[s] == before.get(s)}
        self._traces[trace] = made = _Trace(list(doubts), settled)
        made.weigh()

    def drop(self, trace: Key) -> None:
        """Forget a trace."""
        self._traces.pop(trace, None)

    def __contains__(self, trace: object) -> bool:
        return trace in self._traces

    def ranked(self) -> list[tuple[Key, Doubt, float]]:
        """Return all nodes that are not settled, worst first: trace, node, how likely misplaced."""
        found = [
            (key, doubt, misplaced)
            for key, trace in self._traces.items()
            for doubt, misplaced in zip(trace.doubts, trace.misplaced, strict=True)
            if doubt.section not in trace.settled
        ]
        return sorted(found, key=lambda entry: -entry[2])

    def places(self, least: float = 0.0) -> list[Place]:
        """Return the places that are doubted at least so much, worst first."""
        found = [place for key in self._traces for place in self._places_of(key)]
        wanted = (place for place in found if place.doubt >= least)
        return sorted(wanted, key=lambda place: -place.doubt)

    def _places_of(self, key: Key) -> Iterator[Place]:
        trace = self._traces[key]
        groups: dict[int, list[int]] = {}
        for i, begin in enumerate(trace.begins):
            if trace.doubts[i].section not in trace.settled:
                groups.setdefault(begin, []).append(i)
        for begin, members in groups.items():
            at = max(members, key=lambda i: (trace.misplaced[i], i))
            worst = trace.misplaced[at]
            shares = [i for i in members if trace.misplaced[i] >= worst / 4]
            last = trace.doubts[shares[-1]].section
            yield Place(key, trace.doubts[begin], trace.doubts[at], last, worst, len(members))

    # -------------------------------------------------------------------------- decisions
    def accept(self, trace: Key, section: int) -> None:
        """Take a node for right; what was doubted of the next ones because of it is so no more.

        Those before it are doubted much less: a trace that left its neurite seldom comes back.
        """
        known = self._traces.get(trace)
        if known is not None:
            known.settled.add(section)
            known.doubts = [
                replace(doubt, own=COMES_BACK * doubt.own) if doubt.section < section else doubt
                for doubt in known.doubts
            ]
            known.weigh()

    def correct(self, trace: Key, section: int, zyx: Zyx | None) -> None:
        """Take note that a node was moved, or taken away (None): the next one is doubted now.

        That holds until the trace is looked at again and ``put`` anew.
        """
        known = self._traces.get(trace)
        at = None if known is None else _index(known.doubts, section)
        if known is None or at is None:
            return
        old = known.doubts[at]
        if at + 1 < len(known.doubts):
            following = known.doubts[at + 1]
            if following.own < old.own:
                known.doubts[at + 1] = replace(following, own=old.own, why=old.why)
        if zyx is None:
            del known.doubts[at]
        else:
            known.doubts[at] = replace(old, zyx=zyx, own=0.0)
            known.settled.add(section)
        known.weigh()

    def split(self, trace: Key, section: int) -> None:
        """Take note that a trace ends before a node: those from there on are another's."""
        known = self._traces.get(trace)
        if known is not None:
            known.doubts = [doubt for doubt in known.doubts if doubt.section < section]
            known.weigh()

    def settle(self, verdicts: Iterable[Verdict]) -> None:
        """Settle what earlier verdicts were on, where the nodes are where they were then."""
        for verdict in verdicts:
            known = self._traces.get(verdict.trace)
            right = verdict.zyx if verdict.decision is Decision.ACCEPT else verdict.moved_to
            if known is None or right is None:
                continue
            known.settled |= {d.section for d in known.doubts if _close(d.zyx, right)}
            known.weigh()


def _index(doubts: Sequence[Doubt], section: int) -> int | None:
    return next((i for i, doubt in enumerate(doubts) if doubt.section == section), None)


def _close(one: Zyx, other: Zyx) -> bool:
    return math.dist(one, other) < 1e-6


def _zyx(value: Any) -> Zyx:
    z, y, x = (float(c) for c in value)
    if not all(math.isfinite(c) for c in (z, y, x)):
        raise ValueError(f"{value!r} is no point")
    return z, y, x
