"""A session from its beginning to its end: what stood at each moment, for a slider.

Nothing of the volume is read: states follow from the clicks, and the volume's shape is noted beside
them. So a session can be looked at whose volume has moved or whose server is away.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.episodes.worlds import open_shared
from bcannot_core.errors import BcannotError, JournalError
from bcannot_core.session import Session
from bcannot_core.session.journal import JournalContents
from bcannot_core.sittings import facts as kinds
from bcannot_core.sittings.facts import NeuriteFacts, NeuriteRecord
from bcannot_core.sittings.lines import SittingEvent, is_whole
from bcannot_core.sittings.reader import SittingReader
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Contrast, Volume

SHAPE = "shape_zyx"
"""In a journal's ``meta``: shape of the volume traced in, so that nothing has to be opened."""
CLICK = "click"
_MAX_SIZE = 1 << 31
_MAX_VOXELS = 1 << 62
_SHOWN_KINDS = (kinds.NEURITE, kinds.CHANGED, kinds.REMOVED, kinds.RESTORED)


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened.

    Attributes
    ----------
    at_ms : int
        When, milliseconds since 1970 (UTC).
    neurite : int
        Number of the neurite that it happened to.
    kind : str
        ``"click"``, or the kind of another event.
    actor, action : str
        Who clicked and what the click did; empty for other events.
    """

    at_ms: int
    neurite: int
    kind: str
    actor: str = ""
    action: str = ""


@dataclass(frozen=True)
class Drawn:
    """A neurite as it stood at a moment.

    Attributes
    ----------
    number : int
        The neurite's.
    facts : NeuriteFacts
        Its name, colour and so on.
    nodes_zyx : float64 (n, 3)
        Nodes, voxels, in the order of their sections.
    at_zyx : tuple of float
        The section at hand and the centre of the canvas, voxels.
    """

    number: int
    facts: NeuriteFacts
    nodes_zyx: NDArray[np.float64]
    at_zyx: tuple[float, float, float]


@dataclass(frozen=True)
class Picture:
    """What stood after a moment: the moment (None before the first) and the neurites."""

    moment: Moment | None
    neurites: tuple[Drawn, ...]

    @property
    def acted_on(self) -> Drawn | None:
        """The neurite that the moment happened to, where it is there."""
        found = (one for one in self.neurites if self.moment and one.number == self.moment.neurite)
        return next(found, None)


@dataclass
class _Course:
    """One neurite from moment to moment."""

    number: int
    facts: NeuriteFacts
    steps: "list[_Step]"
    task: NeuronTracing | None = None
    state: Any = None
    there: bool = True
    changed_at: list[int] = field(default_factory=list)
    versions: list[tuple[NeuriteFacts, NeuronTracing | None, Any, bool]] = field(
        default_factory=list
    )

    def keep(self, index: int) -> None:
        self.changed_at.append(index)
        self.versions.append((self.facts, self.task, self.state, self.there))


@dataclass(frozen=True, slots=True)
class _Step:
    """A click that was made: its moment and the state after it."""

    moment: Moment
    task: NeuronTracing
    state: Any


class Timeline:
    """All moments of a session in order, and what stood after each.

    Parameters
    ----------
    reader : SittingReader
        The session.

    Attributes
    ----------
    moments : sequence of Moment
        What happened, in order.
    problems : list of str
        A line for each neurite that cannot be shown, or only in part.
    """

    def __init__(self, reader: SittingReader) -> None:
        self.problems: list[str] = []
        self._courses: dict[int, _Course] = {}
        self._nodes: dict[int, tuple[Any, NDArray[np.float64]]] = {}  # of the latest picture
        for number, neurite in reader.facts.neurites.items():
            steps = self._steps(reader, neurite)
            self._courses[number] = _Course(number, neurite.facts, steps)
        self.moments: Sequence[Moment] = self._merge(reader)

    def __len__(self) -> int:
        return len(self.moments)

    def at(self, count: int) -> Picture:
        """Return what stood after the first ``count`` moments."""
        count = max(0, min(count, len(self.moments)))
        drawn = []
        for course in self._courses.values():
            version = bisect_right(course.changed_at, count - 1) - 1
            if version >= 0:
                facts, task, state, there = course.versions[version]
                if there and task is not None:
                    drawn.append(self._draw(course.number, facts, task, state))
        return Picture(self.moments[count - 1] if count else None, tuple(drawn))

    # ---------------------------------------------------------------------------- internal
    def _draw(self, number: int, facts: NeuriteFacts, task: NeuronTracing, state: Any) -> Drawn:
        known, nodes = self._nodes.get(number, (None, None))
        if known is not state.nodes or nodes is None:
            nodes = np.array(task.nodes_zyx(state), dtype=np.float64).reshape(-1, 3)
            self._nodes[number] = state.nodes, nodes
        return Drawn(
            number, facts, nodes, (float(task.z_of(state.section)), *task.point(state.view))
        )

    def _steps(self, reader: SittingReader, neurite: NeuriteRecord) -> list[_Step]:
        """Make the clicks of a neurite again; a journal that cannot be read is reported."""
        steps: list[_Step] = []
        for which, carried in enumerate(neurite.carried):
            try:
                contents = reader.journal(neurite, which)
                task = _task(contents)
                _play(steps, neurite.number, task, contents, carried, reader)
            except BcannotError as error:
                self.problems.append(f"{neurite.facts.name}: {' '.join(str(error).split())}")
        return steps

    def _merge(self, reader: SittingReader) -> list[Moment]:
        shown = [event for event in reader.events if event.kind in _SHOWN_KINDS]
        # of one millisecond clicks come first: what is said of a neurite mostly follows from them
        streams: list[list[tuple[int, SittingEvent | tuple[int, _Step]]]] = []
        for course in self._courses.values():
            steps = [(course.number, step) for step in course.steps]
            streams.append(list(_in_order(steps, lambda s: s[1].moment.at_ms)))
        streams.append(list(_in_order(shown, lambda e: e.at_ms)))
        for event in shown:  # what it was called at first, before anything was changed
            if event.kind == kinds.NEURITE:
                course = self._courses[event.fields["neurite"]]
                course.facts = NeuriteFacts("").changed(event.fields)
        moments: list[Moment] = []
        for at_ms, one in heapq.merge(*streams, key=lambda item: item[0]):
            moments.append(self._apply(one, at_ms, len(moments)))
        return moments

    def _apply(self, one: "SittingEvent | tuple[int, _Step]", at_ms: int, index: int) -> Moment:
        if isinstance(one, SittingEvent):
            number = int(one.fields["neurite"])
            course, moment = self._courses[number], Moment(at_ms, number, one.kind)
            if one.kind == kinds.CHANGED:
                course.facts = course.facts.changed(one.fields)
            elif one.kind != kinds.NEURITE:
                course.there = one.kind == kinds.RESTORED
        else:
            number, step = one
            course, moment = self._courses[number], step.moment
            course.task, course.state = step.task, step.state
        course.keep(index)
        return moment


def _in_order(items: Sequence[Any], when: Any) -> Iterator[tuple[int, Any]]:
    """Yield items with their times, which never go back even where the clock was set."""
    latest = 0
    for item in items:
        latest = max(latest, when(item))
        yield latest, item


def _task(contents: JournalContents) -> NeuronTracing:
    """Return the task of a journal on a volume of which only the shape is known.

    Raises
    ------
    BcannotError
        The journal is of another task, or the volume of an older journal cannot be opened.
    """
    episode = Episode.from_header(contents.header, ())
    if episode.data is None or episode.task != NeuronTracing.id:
        raise JournalError(f"it is a journal of {episode.task!r}, not of a neurite")
    try:
        config = TracingConfig(**{**episode.config, "variant": episode.variant})
    except TypeError as error:
        raise JournalError(f"its configuration does not fit: {error}") from error
    return NeuronTracing(
        TracingWorld(_stand_in(contents, episode.data), episode.data.start_zyx), config
    )


def _stand_in(contents: JournalContents, data: DataRef) -> Volume:
    shape = contents.header.meta.get(SHAPE)
    if not (isinstance(shape, list) and len(shape) == 3 and all(map(is_whole, shape))):
        return open_shared(data.volume, contrast=data.contrast)
    if not all(1 <= n <= _MAX_SIZE for n in shape) or math.prod(shape) >= _MAX_VOXELS:
        raise JournalError(f"its volume has the shape {shape}, which no volume has"[:300])
    nothing = np.broadcast_to(np.uint8(0), shape)
    return Volume.from_array(
        nothing, voxel_nm=data.voxel_nm, address=data.volume, contrast=Contrast(*data.contrast)
    )


def _play(
    steps: list[_Step],
    number: int,
    task: NeuronTracing,
    contents: JournalContents,
    carried: int,
    reader: SittingReader,
) -> None:
    session = Session(task)
    at_ms = steps[-1].moment.at_ms if steps else reader.record.header.begun_ms
    for i, (token, noted) in enumerate(zip(contents.clicks, contents.times, strict=True)):
        session.apply((token.x, token.y), token.actor, token.flags, token.ms)
        at_ms = at_ms + token.ms if noted is None else noted
        if i >= carried:
            moment = Moment(at_ms, number, CLICK, token.actor, token.action)
            steps.append(_Step(moment, task, session.state))
