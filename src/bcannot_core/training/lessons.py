"""Lessons: what a person's sessions say about their tissue, without any labels.

A session that was looked after by a person tells where the neurite is in every section that carries
a node, where it is not (clicks that were taken back, nodes of other neurites), and where it had
ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bcannot_core.coords import CanvasView
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import build_task
from bcannot_core.errors import DatasetError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tasks.section_picture import render_section

if TYPE_CHECKING:
    from bcannot_core.tasks.trace_state import TraceState

Yx = tuple[int, int]

MARGIN_PX = 80
_MOST_SECTIONS = 60
_LARGEST_PX = 2048
_AFTER_END = 2
_SAME_PX = 6.0
_MISS_PX = 6.0


@dataclass(frozen=True)
class Corrected:
    """A person's session in the end: nodes, and what was taken back on the way.

    Attributes
    ----------
    task : NeuronTracing
        Its volume and lattice.
    nodes : mapping
        Places on the lattice of canvas pixels, by section.
    wrong : mapping
        Places, by section, at which a node was put that did not stay, some way from the one that
        did.
    corrections : frozenset of int
        Sections in which a person put right what a policy had done.
    ended_at : int, optional
        The first section in which the neurite was seen to be gone.
    """

    task: NeuronTracing
    nodes: Mapping[int, Yx]
    wrong: Mapping[int, tuple[Yx, ...]]
    corrections: frozenset[int]
    ended_at: int | None = None


@dataclass(frozen=True)
class Mark:
    """What is known of one section, in pixels (y, x) of a lesson's picture.

    Attributes
    ----------
    node : tuple of int, optional
        Where the neurite is; None where it has ended.
    wrong, others : tuple of tuple of int
        Where it is not: clicks that were taken back, nodes of other neurites.
    corrected : bool
        Whether a person put a policy right here.
    """

    node: Yx | None
    wrong: tuple[Yx, ...] = ()
    others: tuple[Yx, ...] = ()
    corrected: bool = False


@dataclass(frozen=True)
class Lesson:
    """A stretch of a session without a gap.

    Attributes
    ----------
    grey : uint8 (z, y, x)
        What was seen around the neurite, in the order of the trace.
    marks : tuple of Mark
        One a section.
    """

    grey: NDArray[np.uint8] = field(repr=False)
    marks: tuple[Mark, ...]

    @property
    def corrections(self) -> int:
        """How many sections a person put right."""
        return sum(mark.corrected for mark in self.marks)


def corrected_session(episode: Episode) -> Corrected:
    """Replay a session's clicks, without its frames, and return what they come to.

    Raises
    ------
    DatasetError
        It is no session of neuron tracing, or its volume is not the one it was made on.
    VolumeError
        Its volume cannot be opened.
    """
    task = build_task(episode)
    if not isinstance(task, NeuronTracing):
        raise DatasetError(f"a session of {episode.task!r} traces no neurite: leave it out")
    session = Session(task)
    placed: dict[int, list[tuple[Yx, str]]] = {}
    furthest = 0
    for click in episode.clicks:
        outcome = session.apply((click.x, click.y), click.actor)
        state: TraceState = outcome.state_after
        furthest = max(furthest, state.section)
        node = state.nodes.get(state.section)
        if outcome.action == "place" and node is not None:
            placed.setdefault(state.section, []).append((node, click.actor))
    state = session.state
    nodes = dict(state.nodes.items())
    last = max(nodes, default=-1)
    ended = last + 1 if state.terminated and 0 <= last < furthest else None
    wrong, corrections = _taken_back(placed, nodes)
    return Corrected(task, nodes, wrong, corrections, ended)


def _taken_back(
    placed: Mapping[int, Sequence[tuple[Yx, str]]], nodes: Mapping[int, Yx]
) -> tuple[dict[int, tuple[Yx, ...]], frozenset[int]]:
    """Return places of nodes that did not stay, and the sections where a policy was put right.

    Where a policy placed nodes too, what a person placed after the first one is such a section.
    """
    wrong: dict[int, tuple[Yx, ...]] = {}
    corrections = set()
    helped = any(who == "policy" for tries in placed.values() for _, who in tries)
    first = min(placed, default=0)
    for section, tries in placed.items():
        stays = nodes.get(section)
        missed = [(at, who) for at, who in tries if stays is None or _far(at, stays)]
        if missed:
            wrong[section] = tuple(dict.fromkeys(at for at, _ in missed))
        if helped and stays is not None and section != first and tries[-1][1] != "policy":
            corrections.add(section)
    return wrong, frozenset(corrections)


def _far(a: Yx, b: Yx) -> bool:
    return float(np.hypot(a[0] - b[0], a[1] - b[1])) > _MISS_PX


def lessons_of(sessions: Sequence[Corrected]) -> list[Lesson]:
    """Return the lessons of sessions; nodes of one are known not to be on another's neurite.

    Sessions that come close to each other are taken to follow the same neurite.

    Raises
    ------
    VolumeError
        A volume cannot be read.
    """
    voxels = [_in_voxels(session) for session in sessions]
    found = []
    for i, session in enumerate(sessions):
        address = session.task.world.volume.address  # type: ignore[attr-defined]
        others = [
            nodes
            for j, nodes in enumerate(voxels)
            if j != i
            and sessions[j].task.world.volume.address == address  # type: ignore[attr-defined]
            and not _meet(session.task, voxels[i], nodes)
        ]
        found += [_lesson(session, stretch, others) for stretch in _stretches(session)]
    return found


def _in_voxels(session: Corrected) -> dict[int, tuple[float, float]]:
    """Return the nodes (y, x) in voxels by z."""
    task = session.task
    return {task.z_of(section): task.point(node) for section, node in session.nodes.items()}


def _meet(
    task: NeuronTracing,
    mine: Mapping[int, tuple[float, float]],
    other: Mapping[int, tuple[float, float]],
) -> bool:
    """Whether two traces come so close that they may follow one neurite."""
    for z in mine.keys() & other.keys():
        a, b = task.offset(mine[z]), task.offset(other[z])
        if np.hypot(a[0] - b[0], a[1] - b[1]) <= _SAME_PX:
            return True
    return False


def _stretches(session: Corrected) -> list[range]:
    """Return runs of sections with a node each, short enough to hold; the end's sections too."""
    sections = sorted(session.nodes)
    if not sections:
        return []
    cuts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(sections)) if b != a + 1)]
    runs = []
    for first, last in zip(cuts, [*cuts[1:], len(sections)], strict=True):
        for begin in range(first, last, _MOST_SECTIONS):
            runs.append(range(sections[begin], sections[min(begin + _MOST_SECTIONS, last) - 1] + 1))
    if session.ended_at is not None and runs[-1].stop == session.ended_at:
        stop = min(session.ended_at + _AFTER_END, session.task.sections)
        runs[-1] = range(runs[-1].start, stop)
    return [run for run in runs if len(run) > 1]


def _lesson(
    session: Corrected, stretch: range, others: Iterable[Mapping[int, tuple[float, float]]]
) -> Lesson:
    """Cut the picture around a stretch; return it with what is known of its sections."""
    task = session.task
    nodes = np.array([session.nodes[s] for s in stretch if s in session.nodes])
    low, high = nodes.min(0) - MARGIN_PX, nodes.max(0) + MARGIN_PX + 1
    high = np.minimum(high, low + _LARGEST_PX)
    height, width = (int(n) for n in high - low)
    centre = (int(low[0]) + height // 2, int(low[1]) + width // 2)
    world: TracingWorld = task.world
    voxel_yx = (float(world.volume.voxel_nm[1]), float(world.volume.voxel_nm[2]))
    view = CanvasView(task.point(centre), voxel_yx, task.config.nm_per_px, (height, width))
    grey = np.empty((len(stretch), height, width), dtype=np.uint8)
    marks = []
    for plane, section in zip(grey, stretch, strict=True):
        picture = render_section(world.volume, task.z_of(section), view)
        plane[:] = picture if picture.ndim == 2 else picture[..., 1]
        there = [o[task.z_of(section)] for o in others if task.z_of(section) in o]
        node = session.nodes.get(section)
        marks.append(
            Mark(
                None if node is None else _minus(node, low),
                tuple(_minus(at, low) for at in session.wrong.get(section, ())),
                tuple(_minus(task.offset(yx), low) for yx in there),
                section in session.corrections,
            )
        )
    return Lesson(grey, tuple(marks))


def _minus(at: Yx, corner: NDArray[np.intp]) -> Yx:
    return at[0] - int(corner[0]), at[1] - int(corner[1])
