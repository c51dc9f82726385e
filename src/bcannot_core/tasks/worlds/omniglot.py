"""Drawn characters from folders in the format of the Omniglot data set.

Strokes are text files: a line ``START``, then lines ``x,y,t`` (y negative downwards), and ``BREAK``
after each stroke. Characters without strokes are pictures of dark ink on light ground (or the
other way round, the rarer being the ink): their thinned lines are followed.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.morphology import skeletonize

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.curves import Strokes
from bcannot_core.tasks.worlds.file_prints import fingerprint_files

_PICTURES = (".png", ".bmp", ".gif", ".jpg", ".jpeg", ".tif", ".tiff")
_MOST_BYTES = 4_000_000
_MOST_PIXELS = 4_000_000
_LEAST_PX = 4
_STEPS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


@lru_cache(maxsize=16)
def find_characters(folder: str) -> tuple[Path, ...]:
    """Return the files of a folder and its subfolders, sorted: strokes if there are any.

    Raises
    ------
    UsageError
        It is no folder, or holds neither strokes nor pictures.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{folder} is no folder: give one with stroke files or pictures")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    strokes = [path for path in files if path.suffix.lower() == ".txt"]
    found = strokes or [path for path in files if path.suffix.lower() in _PICTURES]
    if not found:
        raise UsageError(f"{folder} holds neither stroke files (.txt) nor pictures of characters")
    return tuple(found)


@lru_cache(maxsize=16)
def fingerprint_characters(folder: str) -> str:
    """Return a short hash of the files of :func:`find_characters`.

    Raises
    ------
    UsageError
        There are none, or one cannot be read.
    """
    return fingerprint_files(folder, find_characters(folder))


@lru_cache(maxsize=4096)
def read_character(path: Path) -> tuple[NDArray[np.float64], ...]:
    """Read a character: its strokes, scaled to -1 to 1 by the longer side.

    Raises
    ------
    UsageError
        The file is too large, or no stroke is found in it.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise UsageError(f"{path} has more than {_MOST_BYTES} bytes: it is no character")
    strokes = _parse(path) if path.suffix.lower() == ".txt" else _trace(path)
    strokes = [stroke for stroke in strokes if len(stroke) > 1 and np.ptp(stroke, axis=0).max() > 0]
    if not strokes:
        raise UsageError(f"{path} holds no stroke: give strokes of at least two points")
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = 2 / float((high - low).max())
    return tuple((stroke - (low + high) / 2) * scale for stroke in strokes)


def _parse(path: Path) -> Strokes:
    strokes: list[list[tuple[float, float]]] = [[]]
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if text in ("", "START"):
            continue
        if text == "BREAK":
            strokes.append([])
            continue
        try:
            x, y, _ = (float(part) for part in text.split(","))
        except ValueError:
            raise UsageError(
                f"{path}, line {number}: {text[:40]!r} is neither x,y,t nor START nor BREAK"
            ) from None
        if not np.isfinite([x, y]).all():
            raise UsageError(f"{path}, line {number}: {text[:40]!r} is no point")
        strokes[-1].append((x, -y))
    return [np.array(stroke).reshape(-1, 2) for stroke in strokes]


def _trace(path: Path) -> Strokes:
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise UsageError(f"{path} has {opened.size} pixels: it is no character")
            picture = np.asarray(opened.convert("L"))
    except OSError as error:
        raise UsageError(f"{path} is no picture that can be read: {error}") from error
    dark = picture < (float(picture.min()) + float(picture.max())) / 2
    ink = dark if dark.sum() * 2 <= dark.size else ~dark
    thin: NDArray[np.bool_] = skeletonize(ink)  # type: ignore[no-untyped-call]
    return [np.array(line)[:, ::-1].astype(np.float64) for line in _lines(thin)]


def _lines(thin: NDArray[np.bool_]) -> Iterator[list[tuple[int, int]]]:
    """Yield lines of pixels (y, x): from ends first, straight on at crossings."""
    left = {(int(y), int(x)) for y, x in np.argwhere(thin)}
    while left:
        start = min(left, key=lambda p: (sum(q in left for q in _around(p)) != 1, p))
        line, heading = [start], (0, 0)
        left.discard(start)
        while True:
            ahead = [q for q in _around(line[-1]) if q in left]
            if not ahead:
                break
            y, x = line[-1]
            best = max(ahead, key=lambda q: (q[0] - y) * heading[0] + (q[1] - x) * heading[1])
            back = line[-min(len(line), _LEAST_PX)]
            heading = (best[0] - back[0], best[1] - back[1])
            line.append(best)
            left.discard(best)
        if len(line) >= _LEAST_PX:
            yield line


def _around(pixel: tuple[int, int]) -> list[tuple[int, int]]:
    y, x = pixel
    return [(y + dy, x + dx) for dy, dx in _STEPS]
