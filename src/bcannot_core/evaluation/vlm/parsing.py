"""From a model's reply to a click: JSON where there is some, else a pair of numbers in the text."""

import json
import re
from collections.abc import Iterator
from typing import Any

Click = tuple[int, int]

_NUMBER = r"-?\d+(?:\.\d+)?"
_NAMED = re.compile(rf"\bx\s*[=:]\s*({_NUMBER}).{{0,20}}?\by\s*[=:]\s*({_NUMBER})", re.I | re.S)
_PAIR = re.compile(rf"[\(\[]\s*({_NUMBER})\s*,\s*({_NUMBER})\s*[\)\]]")
_BARE = re.compile(rf"^\s*({_NUMBER})\s*[, ]\s*({_NUMBER})\s*$")
_KEYS = ("click", "point", "coordinate", "coordinates", "position", "xy", "action", "arguments")
_DEEPEST = 4


def parse_click(text: str, size_wh: tuple[int, int]) -> Click | None:
    """Return the click that a reply names last, None where it names none inside the frame.

    Parameters
    ----------
    text : str
        JSON such as ``{"x": 12, "y": 30}`` or ``{"click": [12, 30]}``, anywhere in the reply; or
        ``x=12, y=30``, ``(12, 30)``, ``12, 30``. Two fractions up to 1 are shares of the frame.
    size_wh : tuple of int
        Width and height of the frame.
    """
    found: tuple[float, float] | None = None
    for value in _objects(text):
        found = _pair_in(value) or found
    if found is None:
        for pattern in (_NAMED, _PAIR, _BARE):
            matches = pattern.findall(text)
            if matches:
                found = (float(matches[-1][0]), float(matches[-1][1]))
                fractions = all("." in part for part in matches[-1])
                return _inside(found, size_wh, fractions=fractions)
        return None
    return _inside(found, size_wh, fractions=not all(float(v).is_integer() for v in found))


def _objects(text: str) -> Iterator[Any]:
    """Yield every JSON object in a text, in order; what is inside another one is part of that."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _pair_in(value: Any, depth: int = 0) -> tuple[float, float] | None:
    """Return the pair of numbers that an object stands for."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        if "x" in value and "y" in value:
            return _pair([value["x"], value["y"]])
        for key in _KEYS:
            if key in value:
                found = _pair_in(value[key], depth + 1)
                if found is not None:
                    return found
        return None
    return _pair(value) if isinstance(value, list) and len(value) == 2 else None


def _pair(values: list[Any]) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in values if not isinstance(value, bool))
    except (TypeError, ValueError, OverflowError):
        return None
    return x, y


def _inside(
    pair: tuple[float, float], size_wh: tuple[int, int], *, fractions: bool
) -> Click | None:
    x, y = pair
    width, height = size_wh
    if fractions and 0 <= x <= 1 and 0 <= y <= 1:
        x, y = min(x * width, width - 1), min(y * height, height - 1)
    if not (0 <= x < width and 0 <= y < height):
        return None
    return int(x), int(y)
