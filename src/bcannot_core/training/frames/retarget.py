"""An episode on another interface: the same actions, clicked where that interface has them."""

from dataclasses import replace
from typing import Any

from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import build_task
from bcannot_core.errors import DatasetError
from bcannot_core.screen import Layout, build_layout
from bcannot_core.screen.geometry import Rect
from bcannot_core.session.protocol import Task

Point = tuple[int, int]


def retarget(episode: Episode, variant: str, *, task: Task | None = None) -> Episode:
    """Carry an episode's clicks over to another interface variant.

    A click on the canvas stays at its canvas pixel, one on a button at the same relative place in
    that button, one beside everything stays beside everything.

    Parameters
    ----------
    episode : Episode
        What to carry over.
    variant : str
        Name of the interface variant.
    task : Task, optional
        The episode's task with that variant, where the caller has built it.

    Raises
    ------
    DatasetError
        The episode's task cannot be built, or it was clicked beside everything and the other
        interface has no such place.
    UsageError
        The variant is unknown or has no room for the task.
    """
    moved = replace(episode, variant=variant)
    built: Any = build_task(moved) if task is None else task
    there: Layout = built.layout()
    here = build_layout(
        built.buttons,
        episode.variant,
        (there.canvas.h, there.canvas.w),
        there.size_wh,
        panel_hw=None if there.panel is None else (there.panel.h, there.panel.w),
        hint=there.hint is not None,
    )
    clicks = []
    for click in episode.clicks:
        x, y = carry_over((click.x, click.y), here, there)
        clicks.append(click._replace(x=x, y=y))
    return replace(moved, clicks=tuple(clicks))


def carry_over(click_xy: Point, here: Layout, there: Layout) -> Point:
    """Return the pixel (x, y) of one layout that does what a pixel does in another.

    Raises
    ------
    DatasetError
        The click does nothing, and every pixel of the other layout does something.
    """
    x, y = click_xy
    if here.canvas.contains(x, y):
        return there.canvas.x + x - here.canvas.x, there.canvas.y + y - here.canvas.y
    for name, rect in here.buttons.items():
        if rect.contains(x, y):
            return _same_place((x, y), rect, there.buttons[name])
    return _beside(click_xy, there)


def _same_place(click_xy: Point, here: Rect, there: Rect) -> Point:
    """Return the same relative place, from the middle of a pixel to the middle of a pixel."""
    x = (2 * (click_xy[0] - here.x) + 1) * there.w // (2 * here.w)
    y = (2 * (click_xy[1] - here.y) + 1) * there.h // (2 * here.h)
    return there.x + x, there.y + y


def _beside(click_xy: Point, layout: Layout) -> Point:
    """Return the pixel nearest to a click, in steps, that neither canvas nor button covers."""
    taken = (layout.canvas, *layout.buttons.values())
    width, height = layout.size_wh
    grid = [click_xy, *((x, y) for y in range(0, height, 4) for x in range(0, width, 4))]
    free = [xy for xy in grid if not any(rect.contains(*xy) for rect in taken)]
    if not free:
        raise DatasetError(f"{layout.variant.name} has no place where a click does nothing")
    return min(free, key=lambda xy: (xy[0] - click_xy[0]) ** 2 + (xy[1] - click_xy[1]) ** 2)
