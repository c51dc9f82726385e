"""How a recorded session looked in the viewer; what makes no sense in a record counts as unknown.

Sessions are sent around: what stands in a folder may have been written by anybody.
"""

import math
import re
from typing import Any

from napari_bcannot.geometry import NM_PER, Triple

UNITS = frozenset({*NM_PER, "pixel"})


def triple_of(values: Any) -> Triple | None:
    """Return three finite numbers, None where a recorded value is something else."""
    if not isinstance(values, list) or len(values) != 3:
        return None
    numbers = [v for v in values if isinstance(v, int | float) and math.isfinite(v)]
    return (float(values[0]), float(values[1]), float(values[2])) if len(numbers) == 3 else None


def scale_of(values: Any) -> Triple | None:
    """Return three positive numbers, None where a recorded value is something else."""
    scale = triple_of(values)
    return scale if scale is not None and min(scale) > 0 else None


def units_of(values: Any) -> tuple[str, ...] | None:
    """Return the units of three axes, None where a recorded value is something else."""
    if not isinstance(values, list) or len(values) != 3:
        return None
    known = all(isinstance(value, str) and value in UNITS for value in values)
    return tuple(values) if known else None


def colour_of(text: str) -> str:
    """Return a colour as ``"#rrggbb"``, empty where a recorded one is something else."""
    return text if re.fullmatch(r"#[0-9a-fA-F]{6}", text) else ""
