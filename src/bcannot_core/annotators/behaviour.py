"""What all scripted annotators share: habits, strategies, aim and reaction times."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from bcannot_core.annotators.labels import CORRECTION as CORRECTION
from bcannot_core.annotators.labels import MISTAKE as MISTAKE
from bcannot_core.annotators.labels import OVERSHOOT as OVERSHOOT
from bcannot_core.annotators.labels import VERIFY as VERIFY
from bcannot_core.annotators.labels import Flag as Flag
from bcannot_core.errors import UsageError
from bcannot_core.screen.geometry import Rect

_BLOCK = 512
_T = TypeVar("_T")

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
    "next_frame": 516.0,
    "previous_frame": 616.0,
    "rotate": 616.0,
    "vertex": 900.0,
    "connect": 1289.0,
}
"""Median reaction times of people by action.

Those of next_section, previous_section, place, toggle and done were measured on people placing
dots; frames are taken like sections, a selection like a toggle, the others are estimates.
"""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way of working through one episode.

    Attributes
    ----------
    name : str
        Its name.
    share : float
        How often it is drawn, relative to the others.
    mistakes : float
        Factor on the behaviour's rates of mistakes; 1 on average over the shares.
    explore, verify : float
        How much is looked around before the first decision, and checked before Done: 0 to 1.
    pace : float
        Factor on reaction times.
    """

    name: str
    share: float
    mistakes: float = 1.0
    explore: float = 0.0
    verify: float = 0.0
    pace: float = 1.0


STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        Strategy("cautious", 0.2, 0.6, explore=0.8, verify=1.0, pace=1.25),
        Strategy("thorough", 0.2, 0.8, explore=1.0, verify=0.6, pace=1.1),
        Strategy("steady", 0.3, 1.0, explore=0.5, verify=0.3),
        Strategy("efficient", 0.2, 1.1, explore=0.1, verify=0.05, pace=0.85),
        Strategy("hasty", 0.1, 2.0, explore=0.25, verify=0.0, pace=0.75),
        Strategy("direct", 0.0),
    )
}
"""Named strategies, from cautious to efficient; ``direct`` neither explores nor verifies."""


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
    strategy : str
        Name of the one way of working, a key of ``STRATEGIES``; empty to draw one for each
        episode. Neuron tracing has no strategies.
    lenient : bool
        Whether a mark that looks right is left where it is, on a dot out of its order or on another
        neuron, and nothing is looked for where only a long memory knows it to be. What cannot be
        seen cannot be learnt.

    Raises
    ------
    UsageError
        A rate is not between 0 and 1, the rates of mistakes add up to more than 0.9, or there is
        no such strategy.
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
    strategy: str = ""
    lenient: bool = False

    def __post_init__(self) -> None:
        """Refuse rates that cannot be."""
        if self.strategy and self.strategy not in STRATEGIES:
            raise UsageError(
                f"behaviour strategy={self.strategy!r} is unknown: there are "
                f"{', '.join(STRATEGIES)}"
            )
        for field in fields(self):
            if field.name in _NO_RATES:
                continue
            value = getattr(self, field.name)
            most = 1.0 if field.name not in _FREE else math.inf
            if not (math.isfinite(value) and 0 <= value <= most):
                raise UsageError(
                    f"behaviour {field.name}={value}: choose a number from 0 to {most:g}"
                )
        if self.mistakes > 0.9 + 1e-9:
            raise UsageError(
                f"behaviour: {self.mistakes:g} of the placements would be mistakes; "
                "near_miss, far_miss and wrong_object must add up to at most 0.9"
            )

    @property
    def mistakes(self) -> float:
        """Share of placements that are mistakes."""
        return self.near_miss + self.far_miss + self.wrong_object

    def with_mistakes(self, share: float) -> "Behaviour":
        """Return the same behaviour with another share of mistakes, their kinds as they are.

        Parameters
        ----------
        share : float
            Of the placements, 0 to 0.9.

        Raises
        ------
        UsageError
            The share is none.
        """
        if not 0 <= share <= 0.9:
            raise UsageError(f"a share of {share} mistakes: choose a number from 0 to 0.9")
        kinds = (self.near_miss, self.far_miss, self.wrong_object)
        near, far, wrong = (
            (share * kind / self.mistakes for kind in kinds) if self.mistakes else (share, 0.0, 0.0)
        )
        return replace(self, near_miss=near, far_miss=far, wrong_object=wrong)


_NO_RATES = ("strategy", "lenient")
_FREE = ("jitter_px", "pace", "pace_spread")

BEHAVIOURS: Mapping[str, Behaviour] = {
    "default": Behaviour(),
    "cautious": Behaviour(
        near_miss=0.025, far_miss=0.01, wrong_object=0.015, notice_late=0.1, verify=0.12,
        overshoot=0.01, jitter_px=0.8, pace=1.3, strategy="cautious",
    ),
    "hasty": Behaviour(
        near_miss=0.07, far_miss=0.03, wrong_object=0.05, notice_late=0.5, verify=0.01,
        overshoot=0.06, jitter_px=1.5, pace=0.7, strategy="hasty",
    ),
    "efficient": Behaviour(
        near_miss=0.01, far_miss=0.0, wrong_object=0.005, verify=0.0, overshoot=0.0, pace=0.8,
        strategy="efficient",
    ),
    "flawless": Behaviour(
        near_miss=0.0, far_miss=0.0, wrong_object=0.0, verify=0.0, overshoot=0.0,
        strategy="direct",
    ),
}  # fmt: skip
"""Named behaviours, from cautious to efficient; ``flawless`` is the plain oracle."""

LENIENT = replace(BEHAVIOURS["flawless"], lenient=True)
"""The oracle that says what to learn from a policy's own sessions."""


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

    def choice(self, items: Sequence[_T]) -> _T:
        """Return one of the items, which are not none."""
        return items[self.below(len(items))]

    def around(self, xy: tuple[float, float], sd: float, most: float) -> tuple[int, int]:
        """Return a pixel near a point: normal with a standard deviation, at most so far away.

        Where no draw comes near enough it is the point's own pixel.
        """
        own = math.floor(xy[0] + 0.5), math.floor(xy[1] + 0.5)
        if sd <= 0:
            return own
        for _ in range(4):
            x = math.floor(xy[0] + sd * self.normal() + 0.5)
            y = math.floor(xy[1] + sd * self.normal() + 0.5)
            if (x - xy[0]) ** 2 + (y - xy[1]) ** 2 <= most * most:
                return x, y
        return own

    def ring(self, xy: tuple[float, float], low: float, high: float) -> tuple[int, int]:
        """Return a pixel in any direction from a point, between two distances (rounded)."""
        angle = 2 * math.pi * self.uniform()
        radius = low + (high - low) * self.uniform()
        return round(xy[0] + radius * math.cos(angle)), round(xy[1] + radius * math.sin(angle))

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
