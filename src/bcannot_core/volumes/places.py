"""Places pasted from other tools: coordinates or links of Neuroglancer and WEBKNOSSOS.

What is pasted is untrusted text: bounded in size, parsed as numbers or JSON, never run; and the
addresses in a link are only ever those of public servers.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from bcannot_core.errors import UsageError
from bcannot_core.volumes.base import VoxelNm

MAX_CHARACTERS = 500_000
MAX_LAYERS = 64
MAX_COORDINATE = 1e12

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?"
_LISTED = re.compile(rf"[\s(\[]*({_NUMBER})[\s,;]+({_NUMBER})[\s,;]+({_NUMBER})[\s)\]]*(nm|µm|um)?")
_NAMED = re.compile(rf"\b([xyz])\s*[=:]?\s*({_NUMBER})")
_NM_PER = {"": None, "nm": 1.0, "um": 1e3, "µm": 1e3, "m": 1e9}
_SOURCE = re.compile(
    r"(?:(?P<kind>precomputed|zarr|zarr2|zarr3)://)?(?P<location>(?:gs|s3|https?)://[^\s|#]+)"
    r"(?:\|(?P<format>neuroglancer-precomputed|zarr2|zarr3|zarr)(?::[^|]*)?)?"
)
_KINDS = {"precomputed": "precomputed", "neuroglancer-precomputed": "precomputed"}


@dataclass(frozen=True, slots=True)
class PlaceLayer:
    """A volume that a link shows: its name there, ``"em"`` or ``"labels"``, and its address."""

    name: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place to go to.

    Attributes
    ----------
    zyx : tuple of float or None
        In units of ``unit_nm``; None where a link states no position.
    unit_nm : tuple of float or None
        What one of the coordinates measures (z, y, x), nm; None for voxels of the finest level.
    layers : tuple of PlaceLayer
        The volumes that a link shows.
    nm_per_px : float or None
        How far it was zoomed in: nm per pixel of the display.
    """

    zyx: tuple[float, float, float] | None
    unit_nm: VoxelNm | None = None
    layers: tuple[PlaceLayer, ...] = ()
    nm_per_px: float | None = None

    def voxel(self, voxel_nm: VoxelNm) -> tuple[int, int, int]:
        """Return the voxel (z, y, x) at the place, counted as the other tools do, from zero.

        There a voxel i covers what lies between i and i + 1.

        Raises
        ------
        UsageError
            There is no position.
        """
        if self.zyx is None:
            raise UsageError("the link states no position")
        units = self.unit_nm or voxel_nm
        z, y, x = (
            math.floor(at * unit / size + 1e-6)
            for at, unit, size in zip(self.zyx, units, voxel_nm, strict=True)
        )
        return z, y, x

    def address(self, kind: str) -> str | None:
        """Return the address of the first layer of a kind, or None."""
        return next((layer.address for layer in self.layers if layer.kind == kind), None)


def parse_place(text: str) -> Place:
    """Return the place that a text names.

    Parameters
    ----------
    text : str
        ``x, y, z`` in voxels as Neuroglancer and WEBKNOSSOS copy it, ``x, y, z nm`` (or µm),
        ``z=12 y=34 x=56``, a link of Neuroglancer, its state as JSON, or a link of WEBKNOSSOS.

    Raises
    ------
    UsageError
        It is none of these.
    """
    if len(text) > MAX_CHARACTERS:
        raise UsageError(f"the pasted text has {len(text)} characters: that is no place")
    text = text.strip()
    if text.startswith("{"):
        return _from_state(_json(text))
    if re.match(r"https?://", text):
        return _from_link(text)
    found = _LISTED.fullmatch(text)
    if found:
        x, y, z = (_coordinate(value) for value in found.groups()[:3])
        factor = _NM_PER[found[4] or ""]
        return Place((z, y, x), None if factor is None else (factor, factor, factor))
    named = {axis: _coordinate(value) for axis, value in _NAMED.findall(text.lower())}
    if set(named) == set("xyz"):
        return Place((named["z"], named["y"], named["x"]))
    raise UsageError(
        f"{_short(text)} is no place: paste x, y, z in voxels, or a link of Neuroglancer or "
        "WEBKNOSSOS"
    )


def _short(text: str) -> str:
    text = " ".join(text.split()) or "an empty text"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _coordinate(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"{_short(str(value))} is no coordinate") from error
    if not math.isfinite(number) or abs(number) > MAX_COORDINATE:
        raise UsageError(f"the coordinate {_short(str(value))} lies outside any volume")
    return number


def _json(text: str) -> dict[str, Any]:
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"the state in the link is not valid JSON: {_short(str(error))}"
        ) from error
    if not isinstance(state, dict):
        raise UsageError("the state in the link is no JSON object")
    return state


# ------------------------------------------------------------------------------------- links
def _from_link(text: str) -> Place:
    try:
        fragment = urlsplit(text).fragment
    except ValueError as error:
        raise UsageError(f"{_short(text)} is no link: {error}") from error
    if fragment.startswith("!"):
        state = unquote(fragment[1:])
        if not state.lstrip().startswith("{"):
            raise UsageError(
                "this Neuroglancer link only points to a state that lies elsewhere: open it, and "
                "copy the address once it shows the whole state, or paste the coordinates"
            )
        return _from_state(_json(state))
    parts = unquote(fragment).split(",")
    if len(parts) >= 3 and all(re.fullmatch(_NUMBER, part.strip()) for part in parts[:3]):
        x, y, z = (_coordinate(part) for part in parts[:3])
        return Place((z, y, x))
    raise UsageError(
        f"{_short(text)} holds no position: a WEBKNOSSOS link ends with #x,y,z, one of "
        "Neuroglancer with #!{…}"
    )


# --------------------------------------------------------------------- Neuroglancer's state
def _from_state(state: dict[str, Any]) -> Place:
    units = _units(state.get("dimensions"))
    position = state.get("position")
    if units is not None and isinstance(position, list):
        names, sizes = units
        if len(position) != len(names):
            raise UsageError("the position in the link does not have one number a dimension")
        at = {name: _coordinate(value) for name, value in zip(names, position, strict=True)}
        zyx = (at["z"], at["y"], at["x"])
        voxel = (sizes["z"], sizes["y"], sizes["x"])
        return Place(zyx, voxel, _layers(state), _zoom(state, min(sizes.values())))
    return _old_place(state)


def _units(dimensions: Any) -> tuple[list[str], dict[str, float]] | None:
    """Return the names of the dimensions in order, and what x, y and z measure in nm."""
    if not isinstance(dimensions, dict) or not {"x", "y", "z"} <= set(dimensions):
        return None
    sizes = {}
    for name in "xyz":
        entry = dimensions[name]
        if not isinstance(entry, list) or len(entry) != 2:
            raise UsageError(f"the dimension {name} in the link has no size")
        factor = _NM_PER.get(str(entry[1]))
        size = _coordinate(entry[0]) * factor if factor else 0.0
        if not 0 < size < MAX_COORDINATE:
            raise UsageError(f"the dimension {name} in the link has the size {_short(str(entry))}")
        sizes[name] = size
    return list(dimensions), sizes


def _zoom(state: dict[str, Any], unit_nm: float) -> float | None:
    scale = state.get("crossSectionScale")
    good = isinstance(scale, int | float) and 0 < scale < MAX_COORDINATE
    return float(scale) * unit_nm if good and scale else None


def _old_place(state: dict[str, Any]) -> Place:
    """Read a state as Neuroglancer wrote it until 2019."""
    navigation = _dict(state.get("navigation"))
    position = _dict(_dict(navigation.get("pose")).get("position"))
    at, size = position.get("voxelCoordinates"), position.get("voxelSize")
    zyx = unit = None
    if isinstance(at, list) and len(at) == 3:
        x, y, z = (_coordinate(value) for value in at)
        zyx = (z, y, x)
    if isinstance(size, list) and len(size) == 3:
        sizes = [_coordinate(value) for value in size]
        unit = (sizes[2], sizes[1], sizes[0]) if min(sizes) > 0 else None
    layers = _layers(state)
    if zyx is None and not layers:
        raise UsageError("the state in the link has neither a position nor layers")
    return Place(zyx, unit, layers)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _layers(state: dict[str, Any]) -> tuple[PlaceLayer, ...]:
    """Return the images and segmentations of a state that lie on servers."""
    stored = state.get("layers")
    if isinstance(stored, dict):
        stored = [{"name": name, **_dict(layer)} for name, layer in stored.items()]
    found = []
    for layer in map(_dict, stored[:MAX_LAYERS] if isinstance(stored, list) else ()):
        kind = {"image": "em", "segmentation": "labels"}.get(str(layer.get("type")))
        address = _address(layer.get("source"))
        if kind and address:
            found.append(PlaceLayer(_short(str(layer.get("name", kind))), kind, address))
    return tuple(found)


def _address(source: Any) -> str | None:
    """Return the address of a layer's first source on a server that is a volume, or None."""
    for entry in (source if isinstance(source, list) else [source])[:MAX_LAYERS]:
        text = _dict(entry).get("url", entry)
        found = _SOURCE.fullmatch(text.strip()) if isinstance(text, str) else None
        if found and (found["kind"] or found["format"]):
            kind = _KINDS.get(found["kind"] or found["format"], "zarr")
            return f"{kind}://{found['location'].rstrip('/')}"
    return None
