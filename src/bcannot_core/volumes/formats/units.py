"""Units of length, as image files write them."""

import math
from collections.abc import Sequence

from bcannot_core.volumes.base import VoxelNm

_NM = {
    1e-3: ("pm", "picometer", "picometre"),
    0.1: ("a", "å", "Å", "angstrom", "ångström"),
    1.0: ("nm", "nanometer", "nanometre"),
    1e3: ("um", "µm", "μm", "micron", "micrometer", "micrometre"),
    1e6: ("mm", "millimeter", "millimetre"),
    1e7: ("cm", "centimeter", "centimetre"),
    2.54e7: ("inch", "in"),
    1e9: ("m", "meter", "metre"),
}
_BY_NAME = {name.lower(): factor for factor, names in _NM.items() for name in names}


def nm_per_unit(unit: object) -> float | None:
    """Return the nm in a unit of length; None for one that is unknown or no length (``pixel``)."""
    if not isinstance(unit, str):
        return None
    name = unit.strip().lower().replace("\\u00b5", "µ").replace("\\u03bc", "µ")
    return _BY_NAME.get(name) or _BY_NAME.get(name.removesuffix("s"))


def usable_voxel(sizes_zyx: Sequence[object]) -> VoxelNm | None:
    """Return a voxel size that metadata state, or None where it is no usable one."""
    try:
        values = [float(v) for v in sizes_zyx]  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if len(values) != 3 or not all(math.isfinite(v) and 0 < v < 1e9 for v in values):
        return None
    return values[0], values[1], values[2]
