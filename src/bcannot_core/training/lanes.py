"""Lanes: neurites that the glance network follows during training, on states it gets into itself.

A lane walks through a block from section to section. What the network believed and where it
clicked is its next input, so that it meets its own drifted nodes and mistakes; the ground truth of
the neurite it began with stays the target.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.policy.config import GlanceConfig
from bcannot_core.policy.glance import AFFINITIES
from bcannot_core.policy.retina import SETTLE_LOOKS, crop
from bcannot_core.training.follower import Follower, Past, Yx
from bcannot_core.training.tissue import Block

_LONGEST = 45
_SHORTEST = 3
_BRIEF = 0.4
_LOST = 2
_AFTER_END = 3
_MARKED = 0.9
_OFF_CENTRE = 0.6
_CARELESS = 0.04
_CORRECTED = 0.5
_POOR = 0.5


@dataclass(frozen=True)
class Target:
    """What the network should have said.

    Attributes
    ----------
    mask : bool (size, size)
        The neurite, as far as it has been followed.
    weight : bool (size, size)
        Where the mask counts: not on parts of the neurite that were never connected to it.
    click_yx : tuple of int, optional
        The reference point in the glance, None where there is none.
    present : bool
        Whether the neurite is in this section.
    affinities : bool (k, size, size)
        Which pixels belong to one neurite, see :data:`~bcannot_core.policy.glance.AFFINITIES`.
    """

    mask: NDArray[np.bool_]
    weight: NDArray[np.bool_]
    click_yx: Yx | None
    present: bool
    affinities: NDArray[np.bool_]


class Lane(Follower):
    """One neurite of a labelled block under way.

    Parameters
    ----------
    config : GlanceConfig
        Size of the glance.
    rng : numpy.random.Generator
        Draws start points, careless clicks and lengths.
    ends : float
        Share of lanes that begin shortly before their neurite ends.
    """

    def __init__(self, config: GlanceConfig, rng: np.random.Generator, ends: float = 0.0) -> None:
        super().__init__(config, rng)
        self.ends = ends
        self.block_id = -1

    @property
    def grey(self) -> NDArray[np.uint8]:
        """What is seen, (z, y, x)."""
        return self.block.grey

    def start(self, block: Block, block_id: int) -> None:
        """Begin a neurite drawn uniformly among those of a block."""
        rng = self.rng
        self.block, self.block_id = block, block_id
        starts = block.starts[block.neurites[rng.integers(len(block.neurites))]]
        ending = block.before_ending(rng) if rng.random() < self.ends else None
        self.z, self.section = ending or starts[rng.integers(len(starts))]
        self.tracked = {self.section}
        self.focus = block.reference(self.z, self.section, None)
        if rng.random() < _OFF_CENTRE:
            self.focus = self._towards_border(self.focus)
        self.past: list[Past] = []
        self.marks = bool(rng.random() < _MARKED)
        self.missed = self.age = self.absent = 0
        self.settling = SETTLE_LOOKS - 1
        longest = _LONGEST // 5 if ending is None and rng.random() < _BRIEF else _LONGEST
        self.lasts = int(rng.integers(_SHORTEST, longest))

    def _towards_border(self, point: Yx) -> Yx:
        other, share = self._any_pixel(), self.rng.random()
        y, x = (round(a + (b - a) * share) for a, b in zip(point, other, strict=True))
        return (y, x) if self.block.sections[self.z, y, x] == self.section else point

    def _any_pixel(self) -> Yx:
        ys, xs = self.block.pixels(self.z, self.section)
        i = self.rng.integers(ys.size)
        return int(ys[i]), int(xs[i])

    def target(self) -> Target:
        """Return the ground truth of the present glance."""
        size = self.config.size
        y0, x0 = self.focus[0] - size // 2, self.focus[1] - size // 2
        sections = self._sections(self.z, (x0, y0))
        mask = np.isin(sections, list(self.tracked))
        own = self.block.label_of[sections] == self.block.label_of[self.section]
        weight = ~(own & ~mask & (sections > 0))
        before = self._sections(self.past[0].z, (x0, y0)) if self.past else None
        together = affinities(self.block.label_of, sections, before)
        if not self.tracked:
            return Target(mask, np.ones_like(mask), None, False, together)
        y, x = self.block.reference(self.z, self.section, self.focus)
        click = (y - y0, x - x0)
        inside = 0 <= click[0] < size and 0 <= click[1] < size
        return Target(mask, weight, click if inside else None, True, together)

    def _sections(self, z: int, corner_xy: Yx) -> NDArray[np.int32]:
        """Return the numbers of the cross-sections in the glance."""
        numbers = np.zeros((self.config.size, self.config.size), dtype=np.int32)
        crop(self.block.sections[z], corner_xy, numbers, 0)
        return numbers

    def advance(
        self, belief: NDArray[np.float32], click_yx: Yx, target: Target, guided: float = 0.0
    ) -> bool:
        """Take in what the network said and step on; False where the lane has ended.

        A misplaced click, or a belief that has little in common with the neurite, is corrected
        now and then, and stands otherwise: without corrections the network sees little but its
        own confusion and never learns to rely on what it believed.

        Parameters
        ----------
        belief : float32 (size, size)
            Probability of the neurite.
        click_yx : tuple of int
            Where the network clicks, in the glance.
        target : Target
            What :meth:`target` returned for this section.
        guided : float
            Share of sections in which the ground truth takes the network's place, as in the
            first updates, when the network knows nothing yet.
        """
        good = bool(target.mask[click_yx]) and _overlap(belief, target.mask) >= _POOR
        help_share = max(guided, 0.0 if good else _CORRECTED)
        if target.click_yx is not None and self.rng.random() < help_share:
            belief, click_yx = target.mask.astype(np.float32), target.click_yx
        half = self.config.size // 2
        corner = (self.focus[0] - half, self.focus[1] - half)
        if self.settling:
            self.settling -= 1
            self.past = [Past(self.z, corner, belief, False)]
            return True
        click = self._clicked((corner[0] + click_yx[0], corner[1] + click_yx[1]))
        now = Past(self.z, corner, belief, self._marked())
        self.past = [now, *self.past[: max(self.config.lags) - 1]]
        self.age += 1
        if not self.tracked:
            self.absent += 1
            if self.absent >= _AFTER_END:
                return False
        if self.z + 1 >= len(self.block.grey) or self.age >= self.lasts or self.missed > _LOST:
            return False
        self._step()
        self.focus = click
        return True

    def _clicked(self, click: Yx) -> Yx:
        """Count misses; now and then click carelessly, anywhere in the cross-section."""
        height, width = self.block.grey.shape[1:]
        click = (min(max(click[0], 0), height - 1), min(max(click[1], 0), width - 1))
        if self.tracked and self.rng.random() < _CARELESS:
            careless = self._any_pixel()
            reach = self.config.size // 2 - 8
            if max(abs(careless[0] - self.focus[0]), abs(careless[1] - self.focus[1])) < reach:
                click = careless
        hit = int(self.block.sections[self.z, click[0], click[1]])
        if not self.tracked:
            return click
        if hit in self.tracked:
            self.missed, self.section = 0, hit
        else:
            self.missed += 1
        return click

    def _step(self) -> None:
        followers = self.block.followers
        reached = {f for s in self.tracked for f, _ in followers.get(s, ())}
        own = followers.get(self.section, ())
        self.z += 1
        self.tracked = reached
        if own:
            self.section = max(own, key=lambda link: link[1])[0]
        elif reached:
            self.section = max(reached, key=lambda s: int(self.block.area_of[s]))

    # -- kept in checkpoints -----------------------------------------------------------

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the lane as plain values and arrays."""
        values = {
            "block_id": self.block_id,
            "z": self.z,
            "section": self.section,
            "tracked": sorted(self.tracked),
            "focus": list(self.focus),
            "counts": [self.missed, self.age, self.lasts, self.settling, self.absent],
            "past": [[p.z, *p.corner_yx, int(p.marked)] for p in self.past],
            "marks": self.marks,
            "rng": self.rng.bit_generator.state,
        }
        beliefs = [p.belief for p in self.past]
        return values, {
            "beliefs": np.stack(beliefs) if beliefs else np.zeros((0, 1, 1), np.float32)
        }

    def restore(
        self, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], block: Block
    ) -> None:
        """Continue from what :meth:`state` returned."""
        self.block, self.block_id = block, int(values["block_id"])
        self.z, self.section = int(values["z"]), int(values["section"])
        self.tracked = set(values["tracked"])
        self.focus = (values["focus"][0], values["focus"][1])
        self.missed, self.age, self.lasts, self.settling, self.absent = values["counts"]
        self.past = [
            Past(z, (y, x), belief, bool(marked))
            for (z, y, x, marked), belief in zip(values["past"], arrays["beliefs"], strict=True)
        ]
        self.marks = bool(values["marks"])
        self.rng.bit_generator.state = values["rng"]


def affinities(
    label_of: NDArray[np.int64], sections: NDArray[np.int32], before: NDArray[np.int32] | None
) -> NDArray[np.bool_]:
    """Return which pixels of a glance belong to one neurite, for every step and the view before.

    Pixels at the far edge, which have no partner, count as apart, as do those of the first view.
    """
    together = np.zeros((len(AFFINITIES) + 1, *sections.shape), dtype=np.bool_)
    height, width = sections.shape
    for out, (down, right) in zip(together, AFFINITIES, strict=False):
        here, there = sections[: height - down, : width - right], sections[down:, right:]
        out[: height - down, : width - right] = (here == there) & (here > 0)
    if before is not None:
        names, former = label_of[sections], label_of[before]
        together[-1] = (names == former) & (names > 0)
    return together


def _overlap(belief: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return intersection over union of what is believed and what is true."""
    believed = belief > 0.5
    return int((believed & mask).sum()) / max(1, int((believed | mask).sum()))
