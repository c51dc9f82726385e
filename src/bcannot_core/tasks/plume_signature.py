"""The picture of a gas's spectral signature for the side panel of a screen."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen.font import text_mask
from bcannot_core.tasks.worlds.spectral_materials import BANDS, DARK, GASES, WAVELENGTHS_NM

_PAPER, _INK, _BAR, _FAINT = (18, 20, 26), (206, 210, 220), (255, 96, 72), (112, 118, 132)
_LABEL_H = 14


@cache
def signature_picture(gas: str, hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a bar for each band, as high as the gas absorbs there, uint8 (h, w, 3), read-only.

    Bands that belong to the signature are red, with their wavelength below.
    """
    height, width = hw
    out = np.empty((height, width, 3), dtype=np.uint8)
    out[:] = _PAPER
    floor = height - _LABEL_H
    out[floor] = _INK
    for band, depth in enumerate(GASES[gas]):
        left, right = band * width // BANDS + 4, (band + 1) * width // BANDS - 3
        tall = max(1, round(depth * (floor - 4)))
        out[floor - tall : floor, left:right] = _BAR if depth >= DARK else _FAINT
        if depth >= DARK:
            mask = text_mask(f"{WAVELENGTHS_NM[band]}", 12)
            middle = (left + right) // 2
            x = min(max(0, middle - mask.shape[1] // 2), width - mask.shape[1])
            part = out[floor + 1 : floor + 1 + mask.shape[0], x : x + mask.shape[1]]
            ink = mask[: part.shape[0], :, None].astype(np.int32)
            part[:] = (part * (255 - ink) + np.array(_INK) * ink) // 255
    out.flags.writeable = False
    return out
