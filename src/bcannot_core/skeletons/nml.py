"""Reading WEBKNOSSOS (and KNOSSOS) NML: trees of nodes in voxels, in XML.

Files come from anywhere: what is not needed is passed over, a document type (the way to entity
bombs and to other files) is refused, and sizes are bounded.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from bcannot_core.errors import UsageError, VolumeFormatError
from bcannot_core.skeletons.graphs import parents_of_edges
from bcannot_core.skeletons.neurites import Colour, NamedSkeleton, SkeletonSet
from bcannot_core.skeletons.reading import MAX_NEURITES, MAX_NODES, check_file, clean
from bcannot_core.volumes.base import VoxelNm
from bcannot_core.volumes.formats.units import nm_per_unit, usable_voxel
from bcannot_core.volumes.swc import Skeleton

MAX_DEPTH = 64
META = "bcannot:"
"""Prefix of the ``meta`` elements that hold our own header."""
_BLOCK = 2**20


@dataclass(slots=True)
class _Thing:
    """A tree as it stands in the file."""

    number: int
    name: str
    colour: Colour | None
    ids: list[int] = field(default_factory=list)
    xyzr: list[tuple[float, float, float, float]] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)


class _Problem(Exception):
    """What is wrong with an element; the line is added where it is caught."""


class _Parser:
    """Collects things, comments and parameters from the elements of a file."""

    def __init__(self) -> None:
        self.things: list[_Thing] = []
        self.comments: dict[int, str] = {}
        self.header: dict[str, str] = {}
        self.voxel_nm: VoxelNm | None = None
        self.nodes = 0
        self._depth = 0
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.StartDoctypeDeclHandler = self._refuse
        self.expat.EntityDeclHandler = self._refuse
        self._elements = {
            "scale": self._scale,
            "thing": self._thing,
            "node": self._node,
            "edge": self._edge,
            "comment": self._comment,
            "meta": self._meta,
            "experiment": self._experiment,
        }

    def _refuse(self, *_: Any) -> None:
        raise _Problem("has a document type, which no NML file needs: it may be an attack")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1 and tag != "things":
            raise _Problem(f"begins with <{clean(tag)[:40]}>: an NML file begins with <things>")
        if self._depth > MAX_DEPTH:
            raise _Problem(f"has elements nested more than {MAX_DEPTH} deep")
        handler = self._elements.get(tag)
        if handler is not None:
            handler(attributes)

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _scale(self, attributes: dict[str, str]) -> None:
        unit = nm_per_unit(attributes.get("unit", "nm"))
        sizes = [_number(attributes, axis) * (unit or math.nan) for axis in "zyx"]
        self.voxel_nm = usable_voxel(sizes)
        if self.voxel_nm is None:
            raise _Problem(f"has the voxel size {attributes}: three positive lengths are needed")

    def _experiment(self, attributes: dict[str, str]) -> None:
        if attributes.get("name"):
            self.header["experiment"] = clean(attributes["name"])

    def _meta(self, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if name.startswith(META) and len(self.header) < 100:
            self.header[clean(name.removeprefix(META))] = clean(attributes.get("content", ""))

    def _thing(self, attributes: dict[str, str]) -> None:
        if len(self.things) >= MAX_NEURITES:
            raise _Problem(f"has more than {MAX_NEURITES} trees: split it")
        number = _whole(attributes, "id")
        name = clean(attributes.get("name", "")) or f"tree {number}"
        self.things.append(_Thing(number, name, _colour(attributes)))

    def _node(self, attributes: dict[str, str]) -> None:
        if not self.things:
            raise _Problem("has a node outside every tree")
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _Problem(f"has more than {MAX_NODES} nodes: split it")
        x, y, z = (_number(attributes, axis) for axis in "xyz")
        radius = _number(attributes, "radius") if "radius" in attributes else 0.0
        self.things[-1].ids.append(_whole(attributes, "id"))
        self.things[-1].xyzr.append((x, y, z, max(radius, 0.0)))

    def _edge(self, attributes: dict[str, str]) -> None:
        if not self.things:
            raise _Problem("has an edge outside every tree")
        if len(self.things[-1].edges) >= 4 * MAX_NODES:
            raise _Problem("has too many edges")
        edge = _whole(attributes, "source"), _whole(attributes, "target")
        self.things[-1].edges.append(edge)

    def _comment(self, attributes: dict[str, str]) -> None:
        if "node" in attributes and len(self.comments) < MAX_NODES:
            self.comments[_whole(attributes, "node")] = clean(attributes.get("content", ""))


def _number(attributes: dict[str, str], name: str) -> float:
    try:
        value = float(attributes[name])
    except (KeyError, ValueError):
        value = math.nan
    if not abs(value) < 1e15:
        raise _Problem(f"has {name}={clean(attributes.get(name, ''))[:40]!r}: a number is needed")
    return value


def _whole(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _Problem(f"has {name}={clean(text)[:40]!r}: a whole number is needed")
    return int(text)


def _colour(attributes: dict[str, str]) -> Colour | None:
    try:
        red, green, blue = (float(attributes[f"color.{part}"]) for part in "rgb")
    except (KeyError, ValueError):
        return None
    # KNOSSOS has −1 where the colour is left to the program
    usable = all(0 <= part <= 1 for part in (red, green, blue))
    return (red, green, blue) if usable else None


def read_nml(path: str | Path, voxel_nm: VoxelNm | None = None) -> SkeletonSet:
    """Read a WEBKNOSSOS annotation of skeletons; its trees become neurites.

    Parameters
    ----------
    path : str or Path
        The ``.nml`` file.
    voxel_nm : tuple of float, optional
        Voxel size (z, y, x), where the file states none; overrides what it states.

    Returns
    -------
    SkeletonSet
        Positions in nm. Each connected part of a tree hangs on its first node; edges that close a
        circle are left out, which the remarks say. Trees without nodes are left out, too.

    Raises
    ------
    VolumeNotFoundError, VolumeFormatError
        The file is not there, malformed (named by its line), suspicious or too large.
    UsageError
        No voxel size is known.
    """
    path = Path(path)
    check_file(path, "an NML file")
    parser = _Parser()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                parser.expat.Parse(block, False)
            parser.expat.Parse(b"", True)
    except OSError as error:
        raise VolumeFormatError(f"{path} cannot be read: {error.strerror}") from error
    except _Problem as problem:
        line = parser.expat.CurrentLineNumber
        raise VolumeFormatError(f"{path}, line {line}: {problem}") from None
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last: unknown encodings
        raise VolumeFormatError(f"{path} is no NML file: {error}") from error
    size = voxel_nm or parser.voxel_nm
    if size is None:
        raise UsageError(f"{path} states no voxel size: give it in nm (--voxel-nm Z,Y,X)")
    return _build(parser, size, path)


def _build(parser: _Parser, voxel_nm: VoxelNm, path: Path) -> SkeletonSet:
    neurites = []
    left_out = 0
    for thing in parser.things:
        if thing.ids:
            neurite, circles = _neurite(thing, parser, voxel_nm, path)
            neurites.append(neurite)
            left_out += circles
    if not neurites:
        raise VolumeFormatError(f"{path} holds no nodes: there is nothing to read")
    remarks = (f"{left_out} edges closed a circle and were left out",) if left_out else ()
    return SkeletonSet(tuple(neurites), voxel_nm, parser.header, remarks)


def _neurite(
    thing: _Thing, parser: _Parser, voxel_nm: VoxelNm, path: Path
) -> tuple[NamedSkeleton, int]:
    index = {node: i for i, node in enumerate(thing.ids)}
    if len(index) != len(thing.ids):
        raise VolumeFormatError(f"{path}: tree {thing.number} has two nodes of the same id")
    try:
        pairs = [(index[source], index[target]) for source, target in thing.edges]
    except KeyError as error:
        raise VolumeFormatError(
            f"{path}: tree {thing.number} has an edge to node {error}, which is not in it"
        ) from None
    count = len(thing.ids)
    edges = np.asarray(pairs, np.int64).reshape(-1, 2)
    parents, circles = parents_of_edges(edges, count)
    xyzr = np.asarray(thing.xyzr, np.float64)
    skeleton = Skeleton(
        xyzr[:, [2, 1, 0]] * np.asarray(voxel_nm),
        parents,
        xyzr[:, 3],
        np.zeros(count, np.int64),
        parser.header,
    )
    comments = {i: parser.comments[n] for n, i in index.items() if parser.comments.get(n)}
    return NamedSkeleton(
        thing.name, skeleton, thing.colour, thing.number, comments=comments
    ), circles
