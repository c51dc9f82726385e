"""A small stroke font of our own, rasterised with whole numbers only.

Each glyph is a list of strokes on a grid of half units: y 0 is the top of the capitals, 4 the top
of the small letters, 14 the base line, 18 the lowest descender. A point is two base-36 digits. A
stroke begins with ``-`` (straight), ``~`` (smooth), ``@`` (smooth and closed) or ``.`` (a dot).
The same text gives the same bytes on every machine.
"""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_SUB = 4  # samples per pixel and axis
_ROUNDS = 2  # of corner cutting; every round multiplies coordinates by 4
_FINE = 512  # positions per pixel
_GAP = 5  # half units between glyphs
_SPACE = 5
_TOP, _BOTTOM = 2, 20  # half units above the capitals and down to below the descenders

_GLYPHS = {
    "A": "-0e50ae -2989",
    "B": "-50000e5e -0757 ~50909757 ~57a7ae5e",
    "C": "~a390000e9eab",
    "D": "-40000e4e ~40a0ae4e",
    "E": "-80000e8e -0767",
    "F": "-80000e -0767",
    "G": "~a390000e9eab -aba767",
    "H": "-000e -a0ae -07a7",
    "I": "-000e",
    "J": "-707a ~7a7e0e0b",
    "K": "-000e -9009 -369e",
    "L": "-000e8e",
    "M": "-0e006bc0ce",
    "N": "-0e00aea0",
    "O": "@00a0ae0e",
    "P": "-0e0050 ~50a0a858 -5808",
    "Q": "@00a0ae0e -6aaf",
    "R": "-0e0050 ~50a0a858 -5808 -489e",
    "S": "~93900006a8ae0e0b",
    "T": "-00a0 -505e",
    "U": "-0008 ~080eaea8 -a8a0",
    "V": "-005ea0",
    "W": "-003e639ec0",
    "X": "-009e -900e",
    "Y": "-0057a0 -575e",
    "Z": "-00900e9e",
    "a": "-848e @04848e0e",
    "b": "-000e @04848e0e",
    "c": "~7674040e7e7c",
    "d": "-808e @04848e0e",
    "e": "-0989 ~8984040e7e8c",
    "f": "~602025 -252e -0454",
    "g": "-848e @04848e0e ~8e8i1i0g",
    "h": "-000e ~09048489 -898e",
    "i": "-040e .01",
    "j": "-343f ~3f3i0i .31",
    "k": "-000e -740a -387e",
    "l": "-000e",
    "m": "-040e ~09046469 -696e ~6964c4c9 -c9ce",
    "n": "-040e ~09048489 -898e",
    "o": "@04848e0e",
    "p": "-040i @04848e0e",
    "q": "-848i @04848e0e",
    "r": "-040e ~090454",
    "s": "~76740408898e0e0c",
    "t": "-202a ~2a2e6e -0464",
    "u": "-0409 ~090e8e89 -848e",
    "v": "-044e84",
    "w": "-043e567ea4",
    "x": "-047e -740e",
    "y": "-044e -842i",
    "z": "-04740e7e",
    "0": "@00808e0e",
    "1": "-13505e",
    "2": "~030080860e -0e8e",
    "3": "~0210808636 ~36868e0e0b",
    "4": "-6e600a8a",
    "5": "-801006 ~0625858e0e0b",
    "6": "@06868e0e ~70000a",
    "7": "-00803e",
    "8": "@10707616 @06868e0e",
    "9": "@00808808 ~848e1e",
    "+": "-0989 -454d",
    "−": "-0989",
    "-": "-0959",
    "/": "-0f80",
    ".": ".0e",
    ",": "-1e0g",
    ":": ".06 .0e",
    "%": "-0e90 @00404505 @59999e5e",
    "(": "~30040b3f",
    ")": "~00343b0f",
    "?": "~03008086474a .4e",
    "!": "-000a .0e",
    "=": "-0787 -0b8b",
    "×": "-058d -850d",
    "_": "-0e8e",
    "#": "-303e -707e -0595 -0a9a",
    "↶": "-511559 -1575 ~75b5be5e -5e3e",
    "✕": "-03ad -a30d",
    "✓": "-084da2",
    "□": "-00808e0e00",
    "<": "-7417 -177a",
    ">": "-0467 -670a",
    "'": "-0003",
    '"': "-0003 -4043",
    "*": "-3137 -0255 -5205",
    "[": "-3000 -000f -0f3f",
    "]": "-0030 -303f -3f0f",
    "•": "@25455525 .36",
    "·": ".07",
    "…": ".0e .5e .ae",
    "°": "@00404404",
    "←": "-08c8 -0852 -085e",
    "→": "-08c8 -c872 -c87e",
    "↑": "-525e -5206 -52a6",
    "↓": "-525e -5e0a -5eaa",
    "↷": "-61a569 -a545 ~45050e6e -6e8e",
    "○": "@02c2ce0e",
    "▲": "-5208 -52a8 -08a8",
    "↺": "~244282a5ab7e3e0b08 -202464",
    "↻": "~846222050b3e7eaba8 -808444",
}


@lru_cache(maxsize=4096)
def text_mask(text: str, size: int, weight: int = 0) -> NDArray[np.uint8]:
    """Draw a line of text.

    Parameters
    ----------
    text : str
        Characters that the font lacks are drawn as a box.
    size : int
        Sixteenths of a pixel per unit, 16 for capitals of 7 pixels.
    weight : int
        Width of the strokes in sixteenths of a pixel; 0 to follow the size.

    Returns
    -------
    uint8 (h, w)
        Coverage, 0 to 255; of the same height for every text of this size. Read-only.
    """
    weight = weight or 6 + 3 * size // 4
    advance = 0
    masks = []
    for char in text:
        if char == " ":
            advance += _SPACE + _GAP
            continue
        glyph = char if char in _GLYPHS else "□"
        masks.append((advance, _glyph_mask(glyph, size, weight, advance * size % 32 // 8 * 8)))
        advance += _glyph_width(glyph) + _GAP
    width = _px(max(advance - _GAP, 0), size) + 3
    out = np.zeros((_px(_BOTTOM + _TOP, size) + 1, width), dtype=np.uint8)
    for at, mask in masks:
        x = at * size // 32
        part = out[:, x : x + mask.shape[1]]
        np.maximum(part, mask[:, : part.shape[1]], out=part)
    out.flags.writeable = False
    return out


def baseline(size: int) -> int:
    """Return the row of a text's base line in its mask."""
    return (14 + _TOP) * size // 32


def _px(half_units: int, size: int) -> int:
    return -(-half_units * size // 32)


@lru_cache(maxsize=256)
def _strokes(glyph: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return a glyph's polylines, corners cut; coordinates times ``4 ** _ROUNDS``."""
    scale = 4**_ROUNDS
    lines = []
    for stroke in _GLYPHS[glyph].split():
        kind, digits = stroke[0], stroke[1:]
        points = [
            (int(digits[i], 36) * scale, int(digits[i + 1], 36) * scale)
            for i in range(0, len(digits), 2)
        ]
        if kind in "~@":
            for _ in range(_ROUNDS):
                points = _cut_corners(points, closed=kind == "@")
        if kind == "@":
            points.append(points[0])
        lines.append(tuple(points))
    return tuple(lines)


def _cut_corners(points: list[tuple[int, int]], *, closed: bool) -> list[tuple[int, int]]:
    """One round of Chaikin's corner cutting; exact as long as coordinates divide by four."""
    ring = [*points, points[0]] if closed else points
    cut = [] if closed else [points[0]]
    for (x0, y0), (x1, y1) in pairwise(ring):
        cut.append(((3 * x0 + x1) // 4, (3 * y0 + y1) // 4))
        cut.append(((x0 + 3 * x1) // 4, (y0 + 3 * y1) // 4))
    return cut if closed else [*cut, points[-1]]


def _glyph_width(glyph: str) -> int:
    width: int = max(x for line in _strokes(glyph) for x, _ in line)
    return int(width // 4**_ROUNDS)


@lru_cache(maxsize=2048)
def _glyph_mask(glyph: str, size: int, weight: int, shift: int) -> NDArray[np.uint8]:
    """Rasterise a glyph whose left edge is ``shift`` 32ths of a pixel right of the pixel's."""
    per_half = _FINE * size // 32
    radius = weight * _FINE // 32
    width = _px(_glyph_width(glyph), size) + 4
    height = _px(_BOTTOM + _TOP, size) + 1
    step = _FINE // _SUB
    xs = (np.arange(width * _SUB, dtype=np.int64) * step + step // 2)[None, :]
    ys = (np.arange(height * _SUB, dtype=np.int64) * step + step // 2)[:, None]
    # Grid lines run through pixel centres, one pixel from the left and _TOP from the top.
    left = _FINE + _FINE // 2 + shift * (_FINE // 32)
    top = _FINE // 2 + _TOP * per_half
    inside = np.zeros((height * _SUB, width * _SUB), dtype=bool)
    for line in _strokes(glyph):
        fine = [
            (left + x * per_half // 4**_ROUNDS, top + y * per_half // 4**_ROUNDS) for x, y in line
        ]
        for a, b in zip(fine, fine[1:] or fine, strict=False):
            inside |= _near_segment(xs, ys, a, b, radius)
    counts = inside.reshape(height, _SUB, width, _SUB).sum(axis=(1, 3), dtype=np.int64)
    return np.asarray(counts * 255 // _SUB**2, dtype=np.uint8)


def _near_segment(
    xs: NDArray[np.int64],
    ys: NDArray[np.int64],
    a: tuple[int, int],
    b: tuple[int, int],
    radius: int,
) -> NDArray[np.bool_]:
    """Return where a point lies within ``radius`` of a segment, in whole numbers."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length2 = dx * dx + dy * dy
    px, py = xs - a[0], ys - a[1]
    near: NDArray[np.bool_] = px * px + py * py <= radius * radius
    if length2:
        along = px * dx + py * dy
        cross = px * dy - py * dx
        beside = (along >= 0) & (along <= length2) & (np.abs(cross) <= radius * math.isqrt(length2))
        qx, qy = xs - b[0], ys - b[1]
        near = near | beside | (qx * qx + qy * qy <= radius * radius)
    return near
