"""What surfaces reflect and gases absorb in the bands of an imaging spectrometer.

Reflectances are typical of the material: plants are dark where water absorbs, dry matter and soils
rise towards the short-wave infrared, clay and concrete dip at 2.2 µm. Gases absorb in narrow
bands: methane at 1.65 and 2.3 µm, carbon dioxide at 1.57 and 2.0 µm, ammonia at 1.5 and 2.2 µm.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

WAVELENGTHS_NM = (1250, 1570, 1650, 2010, 2200, 2300)
"""Centres of the bands that are looked at one at a time."""

BANDS = len(WAVELENGTHS_NM)
RGB = (BANDS, BANDS + 1, BANDS + 2)
"""Indices of red, green and blue among a material's reflectances."""

# Reflectance in the bands, then red, green, blue.
_REFLECTANCE: Mapping[str, tuple[float, ...]] = {
    "asphalt": (0.20, 0.22, 0.23, 0.22, 0.23, 0.23, 0.15, 0.15, 0.15),
    "concrete": (0.42, 0.43, 0.43, 0.40, 0.38, 0.39, 0.42, 0.40, 0.37),
    "grass": (0.46, 0.30, 0.32, 0.19, 0.24, 0.21, 0.13, 0.20, 0.08),
    "grass2": (0.42, 0.28, 0.30, 0.18, 0.22, 0.19, 0.16, 0.21, 0.10),
    "crop": (0.48, 0.36, 0.38, 0.23, 0.28, 0.24, 0.20, 0.26, 0.10),
    "crop2": (0.45, 0.33, 0.35, 0.21, 0.26, 0.23, 0.17, 0.23, 0.09),
    "straw": (0.50, 0.45, 0.46, 0.36, 0.38, 0.34, 0.46, 0.39, 0.24),
    "straw2": (0.47, 0.42, 0.43, 0.33, 0.35, 0.32, 0.42, 0.35, 0.21),
    "soil": (0.34, 0.38, 0.39, 0.35, 0.34, 0.35, 0.30, 0.22, 0.14),
    "soil2": (0.31, 0.35, 0.36, 0.32, 0.31, 0.32, 0.26, 0.19, 0.12),
    "tree": (0.36, 0.20, 0.22, 0.12, 0.15, 0.13, 0.06, 0.10, 0.05),
    "roof_tile": (0.40, 0.42, 0.43, 0.40, 0.38, 0.38, 0.45, 0.22, 0.15),
    "roof_white": (0.62, 0.58, 0.58, 0.50, 0.50, 0.48, 0.75, 0.74, 0.72),
    "roof_grey": (0.30, 0.31, 0.32, 0.31, 0.32, 0.32, 0.30, 0.30, 0.32),
    "roof_dark": (0.22, 0.23, 0.23, 0.23, 0.24, 0.24, 0.17, 0.17, 0.19),
    "paint": (0.55, 0.52, 0.52, 0.46, 0.46, 0.45, 0.80, 0.80, 0.76),
    "car_white": (0.60, 0.55, 0.55, 0.48, 0.48, 0.46, 0.82, 0.82, 0.82),
    "car_dark": (0.18, 0.19, 0.19, 0.19, 0.19, 0.19, 0.09, 0.09, 0.10),
    "car_red": (0.45, 0.44, 0.44, 0.40, 0.40, 0.38, 0.55, 0.10, 0.09),
    "car_blue": (0.38, 0.37, 0.37, 0.34, 0.34, 0.33, 0.12, 0.20, 0.48),
    "shadow": (0.13, 0.12, 0.12, 0.11, 0.11, 0.11, 0.06, 0.06, 0.07),
}
MATERIALS = {name: i for i, name in enumerate(_REFLECTANCE)}
"""Numbers of the materials."""

GASES: Mapping[str, tuple[float, ...]] = {
    "CH4": (0.0, 0.0, 0.7, 0.0, 0.08, 1.0),
    "CO2": (0.0, 0.65, 0.05, 1.0, 0.0, 0.0),
    "NH3": (0.0, 0.7, 0.05, 0.08, 1.0, 0.05),
}
"""Depth of absorption in each band, relative to the deepest one."""

GREY = (0.85, 0.85, 0.85, 0.85, 0.85, 0.85)
"""Smoke and thin cloud shadow: the same depth in every band."""

DARK = 0.5
"""Relative depth from which a band belongs to a signature."""


def signature(depths: tuple[float, ...]) -> tuple[int, ...]:
    """Return the bands in which an absorber is dark, the deepest one first."""
    dark = [band for band, depth in enumerate(depths) if depth >= DARK]
    return tuple(sorted(dark, key=lambda band: (-depths[band], band)))


@cache
def brightness() -> NDArray[np.uint16]:
    """Return the grey level of each material in each band, uint16 (bands + 3, materials).

    The square root of the reflectance is shown, as in quick looks of satellite data.
    """
    reflectance = np.array(list(_REFLECTANCE.values()), dtype=np.float64).T
    levels: NDArray[np.uint16] = np.rint(np.sqrt(reflectance) * 250).astype(np.uint16)
    levels.flags.writeable = False
    return levels
