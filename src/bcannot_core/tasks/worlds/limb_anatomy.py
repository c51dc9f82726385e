"""Anatomy of the animals whose limbs are tracked: what is marked, under which tab."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.creatures import Layer

SPECIES = ("bird", "spider", "snake", "insect")


@dataclass(frozen=True)
class Tab:
    """A part of the body and its keypoints, in the order in which they are asked for.

    Attributes
    ----------
    label : str
        What stands on the tab.
    colour : tuple of int
        Of its keypoints, (r, g, b).
    names : tuple of str
        Keypoints.
    """

    label: str
    colour: tuple[int, int, int]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Anatomy:
    """The keypoints of a species.

    Attributes
    ----------
    species : str
        One of ``SPECIES``.
    tabs : tuple of Tab
        Parts of the body.
    bones : tuple of (int, int)
        Keypoints that are joined by a line.
    """

    species: str
    tabs: tuple[Tab, ...]
    bones: tuple[tuple[int, int], ...]

    @cached_property
    def firsts(self) -> tuple[int, ...]:
        """The number of the first keypoint of each tab, and the number of all keypoints."""
        counts = np.cumsum([0] + [len(tab.names) for tab in self.tabs])
        return tuple(int(n) for n in counts)

    @property
    def count(self) -> int:
        """How many keypoints there are."""
        return self.firsts[-1]

    @cached_property
    def tab_of(self) -> tuple[int, ...]:
        """The tab of each keypoint."""
        return tuple(t for t, tab in enumerate(self.tabs) for _ in tab.names)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The full name of each keypoint."""
        return tuple(f"{tab.label} {name}" for tab in self.tabs for name in tab.names)

    @cached_property
    def joined(self) -> tuple[tuple[int, ...], ...]:
        """The earlier keypoints that each keypoint is joined to."""
        return tuple(
            tuple(min(bone) for bone in self.bones if max(bone) == k) for k in range(self.count)
        )

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The later keypoints that are joined to each keypoint."""
        return tuple(
            tuple(k for k, joined in enumerate(self.joined) if j in joined)
            for j in range(self.count)
        )

    @cached_property
    def most_in_tab(self) -> int:
        """How many keypoints the largest tab has."""
        return max(len(tab.names) for tab in self.tabs)


@dataclass(frozen=True, eq=False)
class Animal:
    """An animal in motion.

    Attributes
    ----------
    anatomy : Anatomy
        What is marked.
    points_xy : float32 (frames, keypoints, 2)
        Where it is, canvas pixels.
    layers : tuple of Layer
        How it is drawn.
    travel_xy : float64 (frames, 2)
        How far the camera went to follow it.
    """

    anatomy: Anatomy
    points_xy: NDArray[np.float32]
    layers: tuple[Layer, ...]
    travel_xy: NDArray[np.float64]


YELLOW, CYAN, PINK = (255, 214, 64), (84, 208, 255), (255, 122, 178)
GREEN, ORANGE = (132, 236, 106), (255, 152, 66)


def _chain(first: int, count: int) -> tuple[tuple[int, int], ...]:
    return tuple((k, k + 1) for k in range(first, first + count - 1))


_WING = ("shoulder", "elbow", "wrist", "tip")
_LEG = ("knee", "ankle", "foot")
BIRD = Anatomy(
    "bird",
    (
        Tab("Body", YELLOW, ("beak", "head", "back", "tail base", "tail tip")),
        Tab("Wing L", CYAN, _WING),
        Tab("Wing R", PINK, _WING),
    ),
    (*_chain(0, 5), (2, 5), *_chain(5, 4), (2, 9), *_chain(9, 4)),
)
SPIDER = Anatomy(
    "spider",
    (
        Tab("Body", YELLOW, ("eyes", "waist", "spinneret")),
        *(Tab(f"L{i}", (CYAN, GREEN)[i % 2], _LEG) for i in range(1, 5)),
        *(Tab(f"R{i}", (PINK, ORANGE)[i % 2], _LEG) for i in range(1, 5)),
    ),
    _chain(0, 3) + tuple(bone for leg in range(8) for bone in _chain(3 + 3 * leg, 3)),
)
SNAKE = Anatomy(
    "snake",
    (Tab("Spine", YELLOW, ("snout", "neck", *(f"saddle {i}" for i in range(1, 9)), "tail tip")),),
    _chain(0, 11),
)
INSECT = Anatomy(
    "insect",
    (
        Tab("Body", YELLOW, ("antenna L", "antenna R", "head", "thorax", "tail")),
        Tab("Wing L", CYAN, ("root", "fore tip", "hind tip")),
        Tab("Wing R", PINK, ("root", "fore tip", "hind tip")),
        Tab("Legs L", GREEN, ("front", "middle", "hind")),
        Tab("Legs R", ORANGE, ("front", "middle", "hind")),
    ),
    ((0, 2), (1, 2), (2, 3), (3, 4), (5, 6), (5, 7), (8, 9), (8, 10)),
)
FRAMES = {"bird": 20, "spider": 10, "snake": 28, "insect": 16}
"""Frames of an episode by species, so that all are about as long."""
