"""The lineage as a tree, time running down, and the colours of its cells."""

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]

PANEL_HW = (96, 112)
_INSET = 6
_PAPER = 20
_GRID = 44


@lru_cache(maxsize=256)
def node_colour(node: int) -> Colour:
    """Return a node's colour: hues far apart for neighbours in the order of marking."""
    hue = (0.14 + node * 0.381966) % 1.0
    r, g, b = colorsys.hsv_to_rgb(hue, 0.6 if node % 2 else 0.8, 1.0)
    return round(r * 255), round(g * 255), round(b * 255)


def draw_tree(nodes: Sequence[tuple[int, int | None]], frames: int) -> NDArray[np.uint8]:
    """Draw a lineage.

    Parameters
    ----------
    nodes : sequence of (frame, parent)
        The first is the root; parents come before their daughters.
    frames : int
        Frames of the recording.

    Returns
    -------
    uint8 (96, 112, 3)
        Read-only.
    """
    paper, rows = _paper(frames)
    out = paper.copy()
    daughters: list[list[int]] = [[] for _ in nodes]
    for i, (_, parent) in enumerate(nodes):
        if parent is not None:
            daughters[parent].append(i)
    columns = _columns(daughters)
    for i, (frame, _) in enumerate(nodes):
        x, colour = columns[i], _ink(i)
        if not daughters[i]:
            out[rows[frame] : rows[-1] + 1, x : x + 2] = colour
            continue
        first = min([nodes[d][0] for d in daughters[i]])
        bottom = rows[first]
        out[rows[frame] : bottom + 1, x : x + 2] = colour
        ends = [x, *[columns[d] for d in daughters[i]]]
        out[bottom, min(ends) : max(ends) + 2] = colour
        for d in daughters[i]:
            if nodes[d][0] > first:  # the others begin there themselves
                out[bottom : rows[nodes[d][0]] + 1, columns[d] : columns[d] + 2] = _ink(d)
    out.flags.writeable = False
    return out


@lru_cache(maxsize=64)
def _paper(frames: int) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Return an empty tree with a line for each frame, and the lines' rows."""
    height, width = PANEL_HW
    rows = [_INSET + frame * (height - 2 * _INSET - 1) // (frames - 1) for frame in range(frames)]
    paper = np.full((height, width, 3), _PAPER, dtype=np.uint8)
    paper[rows, _INSET : width - _INSET] = _GRID
    return paper, tuple(rows)


@lru_cache(maxsize=256)
def _ink(node: int) -> NDArray[np.uint8]:
    return np.array(node_colour(node), dtype=np.uint8)


def _columns(daughters: Sequence[Sequence[int]]) -> list[int]:
    """Return the column of each node: leaves side by side, parents between their daughters."""
    if not daughters:
        return []
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(daughters[node]))
    leaves = [node for node in order if not daughters[node]]
    room = PANEL_HW[1] - 2 * _INSET - 2
    columns = [0] * len(daughters)
    for rank, node in enumerate(leaves):
        columns[node] = _INSET + room * (2 * rank + 1) // (2 * len(leaves))
    for node in reversed(order):
        if daughters[node]:
            columns[node] = sum(columns[d] for d in daughters[node]) // len(daughters[node])
    return columns
