"""Moves of a trace as clicks: to a section, to a point, back to a view.

Everything is planned on states, so that nothing happens until the clicks are applied.
"""

from collections.abc import Iterator, Sequence

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session import Action, Aim, Outcome, Session
from bcannot_core.tasks.trace_lattice import TraceLattice
from bcannot_core.tasks.trace_state import PAN_MARGIN, Offset, TraceState

_HALF = 128
_LOW, _HIGH = -_HALF, _HALF - 1  # how far one click can pan
_RING = (*range(_LOW, _LOW + PAN_MARGIN), *range(_HIGH - PAN_MARGIN + 1, _HIGH + 1))


def clicks_to_section(session: Session, z: float) -> list[tuple[int, int]]:
    """Return the clicks that lead to the section at ``z``.

    Raises
    ------
    UsageError
        It is not among the task's sections.
    """
    task = _task(session)
    return _clicks(session, _aims_to_section(session.state, _section(task, z)))


def clicks_to_view(session: Session, yx: tuple[float, float]) -> list[tuple[int, int]]:
    """Return the clicks that bring a point of the section far enough into view to place there.

    Raises
    ------
    UsageError
        The point lies outside the volume.
    """
    task = _task(session)
    aims, _ = _aims_to_show(session.state.view, _target(task, yx))
    return _clicks(session, aims)


def clicks_to_place(session: Session, zyx: Sequence[float]) -> list[tuple[int, int]]:
    """Return the clicks that place a node at a point of the volume, the last one the placement.

    The node comes to lie on the nearest canvas pixel.

    Raises
    ------
    UsageError
        The point lies outside the volume or its section is not among the task's.
    """
    task = _task(session)
    z, y, x = zyx
    section, target = _section(task, z), _target(task, (y, x))
    aims: list[Aim] = _aims_to_section(session.state, section)
    pans, view = _aims_to_show(session.state.view, target)
    return _clicks(session, [*aims, *pans, _pixel(target, view)])


def clicks_to_remove(session: Session, z: float) -> list[tuple[int, int]]:
    """Return the clicks that remove the node of the section at ``z``.

    Raises
    ------
    UsageError
        The section is not among the task's or carries no node.
    """
    task = _task(session)
    section = _section(task, z)
    if session.state.nodes.get(section) is None:
        raise UsageError(f"there is no node in section z = {z:g} to remove")
    return _clicks(session, [*_aims_to_section(session.state, section), "remove"])


def click_all(
    session: Session,
    clicks: Sequence[tuple[int, int]],
    actor: str = "person",
    flags: int = 0,
    ms: int = 0,
) -> list[Outcome]:
    """Apply clicks in turn; the time goes to the first one."""
    return [
        session.apply(click, actor, flags, ms if i == 0 else 0) for i, click in enumerate(clicks)
    ]


def aims_to_redo(
    task: TraceLattice, state: TraceState, before: TraceState, action: Action
) -> list[Aim]:
    """Return the clicks that do an edit again that was made in the state ``before``."""
    aims = _aims_to_section(state, before.section)
    if action.canvas_xy is None:
        return [*aims, action.name]
    route = _aims_to_return(task, state.view, before.view)
    if route is not None:
        return [*aims, *route, action.canvas_xy]
    x, y = action.canvas_xy
    target = (before.view[0] + y - _HALF, before.view[1] + x - _HALF)
    pans, view = _aims_to_show(state.view, target)
    return [*aims, *pans, _pixel(target, view)]


def _task(session: Session) -> TraceLattice:
    if not isinstance(session.task, TraceLattice):
        raise TaskError(f"{session.task.id} is no neuron tracing")
    return session.task


def _section(task: TraceLattice, z: float) -> int:
    section = task.section_of(z)
    if section is None:
        first, last = sorted((task.z_of(0), task.z_of(task.sections - 1)))
        raise UsageError(
            f"section z = {z:g} is not among the sections {first} to {last} of this trace"
        )
    return section


def _target(task: TraceLattice, yx: tuple[float, float]) -> Offset:
    """Return the place nearest to a point, moved into the volume where rounding left it."""
    offset = task.offset(yx)
    if task.inside(offset):
        return offset
    ys = sorted(range(offset[0] - 1, offset[0] + 2), key=lambda v: abs(v - offset[0]))
    xs = sorted(range(offset[1] - 1, offset[1] + 2), key=lambda v: abs(v - offset[1]))
    for near in ((y, x) for y in ys for x in xs):
        if task.inside(near):
            return near
    raise UsageError(f"point (y, x) = ({yx[0]:g}, {yx[1]:g}) lies outside the volume")


def _clicks(session: Session, aims: Sequence[Aim]) -> list[tuple[int, int]]:
    return [session.click_for(aim) for aim in aims]


def _aims_to_section(state: TraceState, section: int) -> list[Aim]:
    steps = section - state.section
    return ["next_section" if steps > 0 else "previous_section"] * abs(steps)


def _pixel(target: Offset, view: Offset) -> tuple[int, int]:
    return target[1] - view[1] + _HALF, target[0] - view[0] + _HALF


def _clamped(value: int) -> int:
    return max(_LOW, min(_HIGH, value))


def _placeable(dy: int, dx: int) -> bool:
    low, high = _LOW + PAN_MARGIN, _HIGH - PAN_MARGIN
    return low <= dy <= high and low <= dx <= high


def _aims_to_show(view: Offset, target: Offset) -> tuple[list[Aim], Offset]:
    """Return the pans after which ``target`` can be placed, and the view then.

    Every pan goes straight towards the target, so that all centres lie in the box spanned by the
    first one and the target, inside the volume.
    """
    aims: list[Aim] = []
    while not _placeable(target[0] - view[0], target[1] - view[1]):
        step = _clamped(target[0] - view[0]), _clamped(target[1] - view[1])
        aims.append((step[1] + _HALF, step[0] + _HALF))
        view = (view[0] + step[0], view[1] + step[1])
    return aims, view


def _aims_to_return(task: TraceLattice, view: Offset, to: Offset) -> list[Aim] | None:
    """Return the pans that lead to exactly this view; None where there are none."""
    aims: list[Aim] = []
    if view != to:
        aims, view = _aims_to_show(view, to)
    dy, dx = to[0] - view[0], to[1] - view[1]
    if (dy, dx) == (0, 0):
        return aims
    for uy, ux in _detours(dy, dx):
        if task.inside((view[0] + uy, view[1] + ux)):
            back = (dx - ux + _HALF, dy - uy + _HALF)
            return [*aims, (ux + _HALF, uy + _HALF), back]
    return None


def _detours(dy: int, dx: int) -> Iterator[tuple[int, int]]:
    """Yield the first of two pans that together move by a little."""
    for ux in _RING:
        rest = dx - ux
        if not _LOW <= rest <= _HIGH:
            continue
        if rest in _RING:
            # Both pans are long along x; along y any division does: stay close.
            yield (_clamped(dy), ux)
            continue
        for r in _RING:
            if _LOW <= dy - r <= _HIGH:
                yield (dy - r, ux)
    for uy in _RING:
        rest = dy - uy
        if not _LOW <= rest <= _HIGH:
            continue
        if rest in _RING:
            yield (uy, _clamped(dx))
            continue
        for r in _RING:
            if _LOW <= dx - r <= _HIGH:
                yield (uy, dx - r)
