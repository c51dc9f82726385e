"""Writing skeletons as a table (CSV): one row for each node."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np

from bcannot_core.errors import VolumeError
from bcannot_core.skeletons.neurites import NamedSkeleton, SkeletonSet, colour_text
from bcannot_core.skeletons.reading import clean
from bcannot_core.skeletons.table import KNOWN, NM, VOXELS
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.base import VoxelNm


def write_table(path: str | Path, skeletons: SkeletonSet) -> None:
    """Write neurites as a CSV file: ids run through, parents by id, −1 for a root.

    Raises
    ------
    VolumeError
        It cannot be written.
    """
    path = Path(path)
    size = skeletons.voxel_nm
    names = dict.fromkeys(name for n in skeletons.neurites for name in n.features)
    features = [name for name in names if name not in KNOWN]
    optional = ["colour"] if any(neurite.colour for neurite in skeletons.neurites) else []
    optional += ["comment"] if any(neurite.comments for neurite in skeletons.neurites) else []
    voxels = VOXELS if size is not None else ()
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    fixed = ["neurite", "id", "parent", *voxels, *NM, "radius_nm", "kind"]
    rows.writerow([*fixed, *features, *optional])
    first = 1
    for name, neurite in zip(_names(skeletons), skeletons.neurites, strict=True):
        numbered = zip(*_columns(neurite, first, size, features), strict=True)
        texts = zip(*_texts(neurite, optional), strict=True) if optional else repeat(())
        rows.writerows((name, *row, *more) for row, more in zip(numbered, texts, strict=False))
        first += len(neurite)
    try:
        write_atomic(path, lambda file: file.write(out.getvalue().encode()))
    except OSError as error:
        raise VolumeError(f"cannot write {path}: {error.strerror or error}") from error


def _columns(
    neurite: NamedSkeleton, first: int, size: VoxelNm | None, features: Sequence[str]
) -> Iterator[Iterable[object]]:
    skeleton = neurite.skeleton
    yield range(first, first + len(neurite))
    yield np.where(skeleton.parents < 0, -1, skeleton.parents + first).tolist()
    if size is not None:
        yield from ([f"{v:.12g}" for v in axis] for axis in skeleton.to_voxels(size).T.tolist())
    yield from skeleton.zyx_nm.T.tolist()
    yield skeleton.radius_nm.tolist()
    yield skeleton.kinds.tolist()
    for feature in features:
        column = neurite.features.get(feature)
        values = [math.nan] * len(neurite) if column is None else column.tolist()
        yield ["" if math.isnan(value) else value for value in values]


def _texts(neurite: NamedSkeleton, optional: Sequence[str]) -> Iterator[list[str]]:
    if "colour" in optional:
        yield [colour_text(neurite.colour) if neurite.colour else ""] * len(neurite)
    if "comment" in optional:
        yield [clean(neurite.comments.get(i, "")) for i in range(len(neurite))]


def _names(skeletons: SkeletonSet) -> list[str]:
    """Return a different name for each neurite: that is how the rows of a table belong together."""
    taken: set[str] = set()
    names = []
    for neurite in skeletons.neurites:
        plain = clean(neurite.name) or "neurite"
        tries = (plain if n == 1 else f"{plain} {n}" for n in range(1, len(skeletons) + 2))
        name = next(name for name in tries if name not in taken)
        taken.add(name)
        names.append(name)
    return names
