"""What all scripted annotators share: habits, mistakes, aim and reaction times."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntFlag

import numpy as np

from bcannot_core.errors import UsageError
from bcannot_core.screen.geometry import Rect

_BLOCK = 512


class Flag(IntFlag):
    """Bits of ``ClickToken.flags``: what an annotator knows of its own click."""

    NONE = 0
    MISTAKE = 1
    CORRECTION = 2
    VERIFY = 4
    OVERSHOOT = 8


MISTAKE, CORRECTION, VERIFY, OVERSHOOT = Flag.MISTAKE, Flag.CORRECTION, Flag.VERIFY, Flag.OVERSHOOT

REACTION_MS: Mapping[str, float] = {
    "next_section": 516.0,
    "previous_section": 616.0,
    "place": 1289.0,
    "toggle": 1118.0,
    "select": 1118.0,
    "done": 1950.0,
    "undo": 900.0,
    "remove": 1000.0,
    "pan": 900.0,
}
"""Median reaction times of people by action; undo, remove and pan are estimates."""


@dataclass(frozen=True)
class Behaviour:
    """How an annotator works: rates of mistakes and habits.

    Attributes
    ----------
    near_miss, far_miss, wrong_object : float
        Share of placements that miss the target narrowly, that land anywhere, and that lie in
        another object; each is taken back and corrected.
    notice_late : float
        Share of mistakes that are noticed only after going on.
    verify : float
        Chance, after a placement, of going back to check earlier work.
    overshoot : float
        Chance, when going on, of going one too far and coming back.
    jitter_px : float
        Standard deviation of a correct placement about its reference point, canvas pixels;
        it stays inside the object.
    pace : float
        Factor on reaction times.
    pace_spread : float
        Standard deviation of the logarithm of reaction times.

    Raises
    ------
    UsageError
        A rate is not between 0 and 1, or the rates of mistakes add up to more than 0.9.
    """

    near_miss: float = 0.04
    far_miss: float = 0.02
    wrong_object: float = 0.03
    notice_late: float = 0.3
    verify: float = 0.03
    overshoot: float = 0.02
    jitter_px: float = 1.0
    pace: float = 1.0
    pace_spread: float = 0.4

    def __post_init__(self) -> None:
        """Refuse rates that cannot be."""
        for field in fields(self):
            value = getattr(self, field.name)
            most = 1.0 if field.name not in _FREE else math.inf
            if not (math.isfinite(value) and 0 <= value <= most):
                raise UsageError(
                    f"behaviour {field.name}={value}: choose a number from 0 to {most:g}"
                )
        if self.mistakes > 0.9:
            raise UsageError(
                f"behaviour: {self.mistakes:g} of the placements would be mistakes; "
                "near_miss, far_miss and wrong_object must add up to at most 0.9"
            )

    @property
    def mistakes(self) -> float:
        """Share of placements that are mistakes."""
        return self.near_miss + self.far_miss + self.wrong_object


_FREE = ("jitter_px", "pace", "pace_spread")

BEHAVIOURS: Mapping[str, Behaviour] = {
    "default": Behaviour(),
    "cautious": Behaviour(
        near_miss=0.025, far_miss=0.01, wrong_object=0.015, notice_late=0.1, verify=0.12,
        overshoot=0.01, jitter_px=0.8, pace=1.3,
    ),
    "hasty": Behaviour(
        near_miss=0.07, far_miss=0.03, wrong_object=0.05, notice_late=0.5, verify=0.01,
        overshoot=0.06, jitter_px=1.5, pace=0.7,
    ),
    "efficient": Behaviour(
        near_miss=0.01, far_miss=0.0, wrong_object=0.005, verify=0.0, overshoot=0.0, pace=0.8
    ),
    "flawless": Behaviour(
        near_miss=0.0, far_miss=0.0, wrong_object=0.0, verify=0.0, overshoot=0.0
    ),
}  # fmt: skip
"""Named behaviours, from cautious to efficient; ``flawless`` is the plain oracle."""


def named_behaviour(name: str) -> Behaviour:
    """Return a behaviour by name.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in BEHAVIOURS:
        raise UsageError(f"behaviour {name!r} is unknown: there are {', '.join(BEHAVIOURS)}")
    return BEHAVIOURS[name]


class Hand:
    """A source of human imprecision, seeded; draws are made in blocks and so cost little.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where all randomness comes from.
    behaviour : Behaviour
        Pace and its spread.
    """

    def __init__(self, rng: np.random.Generator, behaviour: Behaviour) -> None:
        self.rng = rng
        self._behaviour = behaviour
        self._normals: list[float] = []
        self._uniforms: list[float] = []

    def normal(self) -> float:
        """Return a standard normal number."""
        if not self._normals:
            self._normals = self.rng.standard_normal(_BLOCK).tolist()
        return self._normals.pop()

    def uniform(self) -> float:
        """Return a uniform number from [0, 1)."""
        if not self._uniforms:
            self._uniforms = self.rng.random(_BLOCK).tolist()
        return self._uniforms.pop()

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self.uniform() < probability

    def below(self, n: int) -> int:
        """Return a uniform whole number from 0 to ``n`` - 1."""
        return min(int(self.uniform() * n), n - 1)

    def on_button(self, rect: Rect) -> tuple[int, int]:
        """Return a click on a button: mean 0.5, sd 0.2 of its size, kept within 0.1 to 0.9."""
        return (
            rect.x + min(int(self._fraction() * rect.w), rect.w - 1),
            rect.y + min(int(self._fraction() * rect.h), rect.h - 1),
        )

    def reaction_ms(self, action: str) -> int:
        """Return a log-normal reaction time about the median of an action."""
        median = REACTION_MS.get(action, 1000.0) * self._behaviour.pace
        return min(int(median * math.exp(self._behaviour.pace_spread * self.normal())), 600_000)

    def _fraction(self) -> float:
        while True:
            value = 0.5 + 0.2 * self.normal()
            if 0.1 <= value <= 0.9:
                return value
