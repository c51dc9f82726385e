"""Addresses of volumes: a location, and options after ``#``.

``LOCATION[::KEY][#option=value&…]``. Options: ``key``, ``scale`` (an index, or ``16nm``),
``voxel_nm=z,y,x``, ``contrast=lo,hi``, ``at=t:3,c:0`` (places of the axes beside z, y, x), and a
region: ``box=z0,z1,y0,y1,x0,x1``, ``axes=0,1,2``, ``flip=0,0,0``, ``step=1,1,1``.
A ``#`` that is not followed by such options belongs to the location.
"""

import re
from dataclasses import dataclass, field

from bcannot_core.errors import UsageError
from bcannot_core.volumes.base import Box, Shape, VoxelNm
from bcannot_core.volumes.contrast import Contrast
from bcannot_core.volumes.extra_axes import At, parse_at
from bcannot_core.volumes.region_map import Axes, Flips

_OPTIONS = ("key", "scale", "voxel_nm", "contrast", "at", "box", "axes", "flip", "step")
_FRAGMENT = re.compile(rf"(?:{'|'.join(_OPTIONS)})=[^&]*(?:&[a-z_]+=[^&]*)*")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://")
_SCALE_NM = re.compile(r"([0-9.]+)nm")
MEMORY = "memory:"
"""How addresses of data begin that lie in no file."""


def lies_in_no_file(address: str) -> bool:
    """Whether what is at an address is gone when the program ends."""
    return address.startswith(MEMORY) or address == MEMORY.rstrip(":")


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """The region part of an address."""

    box: Box | None = None
    axes: Axes = (0, 1, 2)
    flips: Flips = (False, False, False)
    step: Shape = (1, 1, 1)


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address.

    Attributes
    ----------
    location : str
        Path or URL, without prefix, key and options.
    kind : str
        ``"precomputed"``, ``"zarr"``, ``"synthetic"`` where the prefix says so, else ``""``.
    key : str or None
        Dataset or array inside the file.
    scale : int, float or None
        Index of a level (int) or its in-plane voxel size in nm (float).
    at : tuple
        Places of the axes beside z, y, x: (name, index).
    """

    location: str
    kind: str = ""
    key: str | None = None
    scale: int | float | None = None
    voxel_nm: VoxelNm | None = None
    contrast: Contrast | None = None
    at: At = ()
    region: RegionOptions | None = field(default=None)

    @property
    def scheme(self) -> str:
        """``"http"``, ``"https"``, ``"gs"``, ``"s3"``; empty for a path."""
        found = _SCHEME.match(self.location)
        return found[1] if found else ""

    def base(self) -> str:
        """Return the address without options."""
        prefix = {"precomputed": "precomputed://", "zarr": "zarr://", "synthetic": "synthetic://"}
        return prefix.get(self.kind, "") + self.location


def _numbers(text: str, count: int, name: str, address: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise UsageError(
            f"{name}={text} in the address {address} is not {count} numbers separated by commas"
        )
    return values


def _integers(text: str, count: int, name: str, address: str) -> list[int]:
    values = _numbers(text, count, name, address)
    if not all(v.is_integer() for v in values):
        raise UsageError(f"{name}={text} in the address {address} must be {count} integers")
    return [int(v) for v in values]


def parse_scale(scale: int | float | str, address: str) -> int | float:
    """Return a scale choice: an index as int, an in-plane voxel size in nm as float.

    Raises
    ------
    UsageError
        Neither a number nor a text like ``"2"`` or ``"16nm"``.
    """
    if not isinstance(scale, str):
        return scale
    if scale.isdigit():
        return int(scale)
    found = _SCALE_NM.fullmatch(scale)
    if found is None or found[1].count(".") > 1 or found[1] == ".":
        raise UsageError(f"scale {scale} of {address} is neither an index nor a size like 16nm")
    return float(found[1])


def split_options(address: str) -> tuple[str, str]:
    """Return the location and the options (without ``#``, possibly empty) of an address."""
    location, mark, fragment = address.rpartition("#")
    if not mark or _FRAGMENT.fullmatch(fragment) is None:
        return address, ""
    return location, fragment


def add_options(address: str, options: list[str]) -> str:
    """Return an address with more ``name=value`` options."""
    location, fragment = split_options(address)
    known = [fragment] if fragment else []
    return f"{location}#{'&'.join(known + options)}" if known or options else location


def parse_address(text: str) -> Address:
    """Parse an address.

    Raises
    ------
    UsageError
        The address is empty, or an option is malformed or unknown.
    """
    if not text.strip():
        raise UsageError("the address of the volume is empty: give a path or a URL")
    location, fragment = split_options(text)
    options: dict[str, str] = {}
    for part in filter(None, fragment.split("&")):
        name, _, value = part.partition("=")
        if name not in _OPTIONS or name in options:
            raise UsageError(
                f"option {name} in the address {text} is unknown or repeated: "
                f"there are {', '.join(_OPTIONS)}"
            )
        options[name] = value
    kind, location = _kind(location)
    key = options.get("key")
    if kind != "synthetic" and "::" in location:
        location, _, inner = location.rpartition("::")
        key = key or inner
    return Address(
        location=location,
        kind=kind,
        key=key or None,
        scale=parse_scale(options["scale"], text) if "scale" in options else None,
        voxel_nm=_voxel(options, text),
        contrast=_contrast(options, text),
        at=parse_at(options["at"], text) if "at" in options else (),
        region=_region(options, text),
    )


def _kind(location: str) -> tuple[str, str]:
    for kind in ("precomputed", "zarr", "synthetic"):
        if location.startswith(f"{kind}://"):
            location = location.removeprefix(f"{kind}://")
            return kind, location.removeprefix("file://")
    return "", location.removeprefix("file://")


def _voxel(options: dict[str, str], text: str) -> VoxelNm | None:
    if "voxel_nm" not in options:
        return None
    z, y, x = _numbers(options["voxel_nm"], 3, "voxel_nm", text)
    return z, y, x


def _contrast(options: dict[str, str], text: str) -> Contrast | None:
    if "contrast" not in options:
        return None
    low, high = _numbers(options["contrast"], 2, "contrast", text)
    return Contrast(low, high)


def _region(options: dict[str, str], text: str) -> RegionOptions | None:
    if not {"box", "axes", "flip", "step"} & set(options):
        return None
    box: Box | None = None
    if "box" in options:
        z0, z1, y0, y1, x0, x1 = _integers(options["box"], 6, "box", text)
        box = (z0, z1, y0, y1, x0, x1)
    a, b, c = _integers(options.get("axes", "0,1,2"), 3, "axes", text)
    f, g, h = (bool(v) for v in _integers(options.get("flip", "0,0,0"), 3, "flip", text))
    s, t, u = _integers(options.get("step", "1,1,1"), 3, "step", text)
    return RegionOptions(box, (a, b, c), (f, g, h), (s, t, u))
