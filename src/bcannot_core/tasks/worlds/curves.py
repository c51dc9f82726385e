"""Plane curves made by code: figures, letters, and characters of made-up strokes.

A curve is a list of strokes, float64 (n, 2) points (x, y) with y downwards, roughly within -1 to 1.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Strokes = list[NDArray[np.float64]]

_FINE = 160

# Strokes on a grid of 4 by 6; ``~`` marks a smooth one. Two digits are a point (x, y).
_LETTERS = {
    "A": "062046 1333",
    "B": "0006 ~00303233 ~03035555 0333 ~0343465606",
    "C": "~4120000516264645",
    "D": "0006 ~002042444606",
    "E": "40000646 0333",
    "F": "400006 0333",
    "G": "~41200005164646 464323",
    "H": "0006 4046 0343",
    "J": "~4044462605",
    "K": "0006 4003 0346",
    "L": "000646",
    "M": "0600244046",
    "N": "06004640",
    "P": "0006 ~00304042330303",
    "R": "0006 ~00304042330303 1346",
    "S": "~4130000213334445361605",
    "T": "0040 2026",
    "U": "~000416264440",
    "V": "002640",
    "W": "0016223640",
    "X": "0046 4006",
    "Y": "002340 2326",
    "Z": "00400646",
}


def _line(points: NDArray[np.float64], closed: bool = False) -> NDArray[np.float64]:
    return np.concatenate([points, points[:1]]) if closed else points


def _smooth(
    points: NDArray[np.float64], closed: bool = False, rounds: int = 3
) -> NDArray[np.float64]:
    """Cut corners (Chaikin)."""
    for _ in range(rounds):
        ring = _line(points, closed)
        a, b = ring[:-1], ring[1:]
        cut = np.empty((2 * len(a), 2))
        cut[0::2], cut[1::2] = 0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b
        points = cut if closed else np.concatenate([points[:1], cut, points[-1:]])
    return _line(points, closed)


def _spiral(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0, 1, _FINE)
    angle = rng.uniform(0, 2 * np.pi) + rng.choice((-1, 1)) * 2 * np.pi * rng.uniform(1.5, 2.4) * t
    radius = 0.12 + 0.88 * t
    return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]


def _wave(rng: np.random.Generator) -> Strokes:
    x = np.linspace(-1, 1, _FINE)
    y = rng.uniform(0.4, 0.7) * np.sin(np.pi * rng.uniform(1.0, 2.2) * x + rng.uniform(0, 6.3))
    return [np.stack([x, y + rng.uniform(-0.3, 0.3) * x], axis=1)]


def _zigzag(rng: np.random.Generator) -> Strokes:
    n = int(rng.integers(4, 8))
    y = np.where(np.arange(n) % 2, 1.0, -1.0) * rng.uniform(0.45, 0.8, n)
    return [np.stack([np.linspace(-1, 1, n), y], axis=1)]


def _heart(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0, 2 * np.pi, _FINE) + np.pi
    x = np.sin(t) ** 3
    y = (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
    return [np.stack([x, -y * rng.uniform(0.9, 1.1)], axis=1)]


def _snake(rng: np.random.Generator) -> Strokes:
    rows = int(rng.integers(3, 5))
    points = []
    for row, y in enumerate(np.linspace(-0.9, 0.9, rows)):
        side = 1 if row % 2 else -1
        points += [(side * 0.95, y), (0.0, y + rng.uniform(-0.08, 0.08)), (-side * 0.95, y)]
    return [_smooth(np.array(points))]


def _infinity(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0, 2 * np.pi, _FINE) + rng.uniform(0, 2 * np.pi)
    scale = 1 / (1 + np.sin(t) ** 2)
    lift = rng.uniform(1.0, 1.6)
    return [np.stack([scale * np.cos(t), lift * scale * np.sin(t) * np.cos(t)], axis=1)]


def _mountain(rng: np.random.Generator) -> Strokes:
    peaks = int(rng.integers(2, 5))
    x = np.linspace(-1, 1, 2 * peaks + 1)
    y = np.where(np.arange(2 * peaks + 1) % 2, -1.0, 0.7)
    y = y * rng.uniform(0.4, 1.0, len(y)) + 0.1
    x[1:-1] += rng.uniform(-0.06, 0.06, len(x) - 2)
    return [np.stack([x, y], axis=1)]


def _flame(rng: np.random.Generator) -> Strokes:
    t = np.linspace(0, 2 * np.pi, _FINE)
    width = 0.55 + 0.1 * np.sin(3 * t + rng.uniform(0, 6.3))
    x = width * np.sin(t) * np.sin(t / 2) ** 1.4 * 1.5
    y = np.where(t < np.pi, t, 2 * np.pi - t) / np.pi * 2 - 1
    sway = 0.18 * np.sin(2.4 * y + rng.uniform(0, 6.3)) * (1 - y) / 2
    return [np.stack([x + sway, y], axis=1)]


def _star(rng: np.random.Generator) -> Strokes:
    inner = rng.uniform(0.38, 0.55)
    k = np.arange(11)
    radius = np.where(k % 2, inner, 1.0)
    angle = rng.uniform(-0.2, 0.2) - np.pi / 2 + k * np.pi / 5
    return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]


def _letter(rng: np.random.Generator) -> Strokes:
    letters = sorted(_LETTERS)
    strokes = []
    for stroke in _LETTERS[letters[int(rng.integers(len(letters)))]].split():
        digits = stroke.lstrip("~")
        points = np.array(
            [(int(digits[i]) / 2 - 1, int(digits[i + 1]) / 3 - 1) for i in range(0, len(digits), 2)]
        )
        strokes.append(_smooth(points) if stroke[0] == "~" else points)
    return strokes


def _character(rng: np.random.Generator) -> Strokes:
    """Return one to three strokes, each an arc, a hook, a loop or a bend, that hang together."""
    strokes: Strokes = []
    at = rng.uniform(-0.6, 0.6, 2)
    for _ in range(int(rng.integers(1, 4))):
        corners = int(rng.integers(3, 6))
        heading, turn = rng.uniform(0, 2 * np.pi), rng.choice((-1, 1)) * rng.uniform(0.3, 1.5)
        points = [at]
        for _ in range(corners):
            step = rng.uniform(0.35, 0.8)
            ahead = points[-1] + step * np.array([math.cos(heading), math.sin(heading)])
            if np.abs(ahead).max() > 1:
                heading = math.atan2(-points[-1][1], -points[-1][0]) + rng.uniform(-0.7, 0.7)
                ahead = points[-1] + step * np.array([math.cos(heading), math.sin(heading)])
            points.append(np.clip(ahead, -1, 1))
            heading += turn + rng.uniform(-0.4, 0.4)
        line = np.array(points)
        strokes.append(_smooth(line) if rng.random() < 0.75 else line)
        at = strokes[-1][int(rng.integers(len(strokes[-1])))] + rng.uniform(-0.25, 0.25, 2)
    return strokes


CURVES: Mapping[str, Callable[[np.random.Generator], Strokes]] = {
    "character": _character,
    "letter": _letter,
    "spiral": _spiral,
    "wave": _wave,
    "zigzag": _zigzag,
    "heart": _heart,
    "snake": _snake,
    "infinity": _infinity,
    "mountain": _mountain,
    "flame": _flame,
    "star": _star,
}
"""Kinds of curves, each drawn from a generator."""


def deform(strokes: Strokes, rng: np.random.Generator, strength: float = 1.0) -> Strokes:
    """Turn, stretch, shear and bend a curve, all parts alike.

    Parameters
    ----------
    strokes : list of float64 (n, 2)
        Roughly within -1 to 1.
    rng : numpy.random.Generator
        Draws how.
    strength : float
        0 for not at all.
    """
    angle = strength * rng.uniform(-0.25, 0.25)
    stretch = np.exp(strength * rng.uniform(-0.2, 0.2, 2))
    shear = strength * rng.uniform(-0.2, 0.2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.array([[stretch[0], shear], [0.0, stretch[1]]])
    bend, phase = strength * rng.uniform(-0.1, 0.1, 2), rng.uniform(0, 2 * np.pi, 2)
    bent = []
    for stroke in strokes:
        out = stroke @ matrix.T
        wave = np.sin(2.5 * out[:, ::-1] + phase)
        bent.append(out + bend * wave)
    return bent


def resample(strokes: Strokes, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points at shares 0 to 1 of a curve's length; gaps between strokes count nothing.

    Parameters
    ----------
    strokes : list of float64 (n, 2)
        With a length above 0 altogether.
    positions : float64 (k,)
        Shares of the length.
    """
    starts, ends = [], []
    for stroke in strokes:
        starts.append(stroke[:-1])
        ends.append(stroke[1:])
    start, end = np.concatenate(starts), np.concatenate(ends)
    lengths = np.hypot(*(end - start).T)
    total = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.clip(positions, 0, 1) * total[-1]
    which = np.clip(np.searchsorted(total, at, side="right") - 1, 0, len(lengths) - 1)
    part = (at - total[which]) / np.maximum(lengths[which], 1e-12)
    points: NDArray[np.float64] = start[which] + np.clip(part, 0, 1)[:, None] * (end - start)[which]
    return points


def is_closed(strokes: Strokes) -> bool:
    """Whether a curve is one stroke that ends where it begins."""
    return len(strokes) == 1 and bool(np.allclose(strokes[0][0], strokes[0][-1], atol=1e-6))
