"""Photographs to cut scenes from: those that scikit-image bundles, or a folder of the user's."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import maximum_filter, uniform_filter

from bcannot_core.errors import UsageError
from bcannot_core.tasks.worlds.alignment_scenes import SCENE, Photograph
from bcannot_core.tasks.worlds.file_prints import fingerprint_files

BUNDLED = (
    "astronaut",
    "camera",
    "cell",
    "chelsea",
    "coffee",
    "coins",
    "immunohistochemistry",
    "moon",
)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_LEAST, _MOST = SCENE + 24, 1200
_FEWEST_PX = 32
_CORNERS = 1500


@lru_cache(maxsize=16)
def bundled_photo(name: str) -> Photograph:
    """Return one of scikit-image's own pictures, one of ``BUNDLED``."""
    from skimage import data

    return photograph(name, np.asarray(getattr(data, name)()))


def list_folder(folder: str | Path) -> tuple[Path, ...]:
    """Return the pictures of a folder by name; folders within are not looked into.

    Raises
    ------
    UsageError
        There is no such folder, or no picture in it.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise UsageError(f"folder of images {str(folder)!r} is not a folder: give an existing one")
    found = tuple(sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES))
    if not found:
        raise UsageError(
            f"folder of images {str(folder)!r} has no picture: "
            f"put files there that end in {', '.join(SUFFIXES)}"
        )
    return found


def fingerprint_folder(folder: str | Path) -> str:
    """Return a short hash of the pictures of a folder.

    Raises
    ------
    UsageError
        There are none, or one cannot be read.
    """
    return _fingerprint(str(folder), list_folder(folder))


@lru_cache(maxsize=16)
def _fingerprint(folder: str, files: tuple[Path, ...]) -> str:
    return fingerprint_files(folder, files)


@lru_cache(maxsize=32)
def read_photo(path: Path) -> Photograph:
    """Read a picture: grey, coloured, or of two channels, of any depth.

    Values of other types than uint8 are scaled from their 0.5 to their 99.5 percentile. Small
    pictures are enlarged and very large ones made smaller. Of a stack, the first picture is taken.

    Raises
    ------
    UsageError
        The file is no picture that can be read, or has fewer than 32 rows or columns.
    """
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            values = np.asarray(tifffile.imread(path))
        else:
            with Image.open(path) as picture:
                plain = picture.mode in ("L", "RGB", "I;16", "I", "F")
                values = np.asarray(picture if plain else picture.convert("RGB"))
    except (OSError, ValueError, UnidentifiedImageError, tifffile.TiffFileError) as error:
        raise UsageError(f"picture {str(path)!r} cannot be read ({error}): remove it") from error
    return photograph(str(path), values)


def photograph(name: str, values: NDArray[np.generic]) -> Photograph:
    """Make a photograph of an array of one plane or of channels, first or last.

    Raises
    ------
    UsageError
        The array is no picture, or too small.
    """
    planes = _planes(name, values)
    height, width = planes[0].shape
    if min(height, width) < _FEWEST_PX:
        raise UsageError(
            f"picture {name!r} has {height}×{width} pixels: give at least {_FEWEST_PX}×{_FEWEST_PX}"
        )
    channels = tuple(_sized(_as_uint8(name, plane)) for plane in planes)
    for channel in channels:
        channel.flags.writeable = False
    return Photograph(name, channels, _corners(channels))


def _planes(name: str, values: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    while values.ndim > 3:
        values = values[0]
    if values.ndim == 2:
        return [values]
    if values.ndim == 3 and values.shape[-1] in (2, 3, 4):
        return [values[..., i] for i in range(min(3, values.shape[-1]))]
    if values.ndim == 3 and values.shape[0] in (2, 3):
        return list(values)
    if values.ndim == 3 and values.shape[0] > 0:
        return [values[0]]
    raise UsageError(f"picture {name!r} has the shape {values.shape}: give rows and columns")


def _as_uint8(name: str, plane: NDArray[np.generic]) -> NDArray[np.uint8]:
    if plane.dtype == np.uint8:
        return plane.astype(np.uint8)
    if plane.dtype.kind not in "buif":
        raise UsageError(f"picture {name!r} has values of type {plane.dtype}: give real numbers")
    numbers = np.nan_to_num(plane.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = np.percentile(numbers, (0.5, 99.5))
    if high <= low:
        low, high = numbers.min(), max(numbers.max(), numbers.min() + 1)
    share = np.clip((numbers - low) / (high - low), 0, 1)
    grey: NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return grey


def _sized(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a plane scaled so that its shorter side is between 360 and 1200 pixels."""
    height, width = plane.shape
    short = min(height, width)
    wanted = min(max(short, _LEAST), _MOST)
    if wanted == short:
        return plane.copy()
    size = (max(_LEAST, width * wanted // short), max(_LEAST, height * wanted // short))
    filtered = Image.Resampling.BICUBIC if wanted > short else Image.Resampling.BOX
    return np.array(Image.fromarray(plane).resize(size, filtered))


def _corners(channels: tuple[NDArray[np.uint8], ...]) -> NDArray[np.float64]:
    """Return corners (x, y), the strongest first: J. Shi and C. Tomasi, CVPR 1994.

    They are looked for at half the resolution, which is fine enough for a person, too.
    """
    plane = channels[min(1, len(channels) - 1)]
    height, width = (side // 2 * 2 for side in plane.shape)
    fine = plane[:height, :width].astype(np.float32)
    grey = fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]
    down, across = np.gradient(grey * np.float32(0.25))
    xx, yy, xy = (
        uniform_filter(product, 5) for product in (across * across, down * down, across * down)
    )
    half = (xx - yy) * np.float32(0.5)
    strength = (xx + yy) * np.float32(0.5) - np.sqrt(half * half + xy * xy)
    strength = np.where(strength > 4, np.round(strength, 2), np.float32(0))
    top = (strength > 0) & (strength == maximum_filter(strength, 9))
    y, x = np.nonzero(top)
    order = np.argsort(-strength[y, x], kind="stable")[:_CORNERS]
    return 2.0 * np.stack([x[order], y[order]], axis=1).astype(np.float64) + 0.5
