"""Start points from a table."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bcannot_core.errors import UsageError

Start = tuple[float, float, float]

MOST_BYTES = 16 << 20
"""A larger table is refused: it holds something else than start points."""
_VOXELS = (("z", "y", "x"), ("axis-0", "axis-1", "axis-2"))
_NM = ("z_nm", "y_nm", "x_nm")
_NAMES = ("name", "label", "id")


class NamedStart(NamedTuple):
    """A start point in voxels (z, y, x), and what it is called."""

    zyx: Start
    name: str = ""


class _Columns(NamedTuple):
    zyx: tuple[int, int, int] = (0, 1, 2)
    name: int | None = None
    voxel_nm: Start = (1.0, 1.0, 1.0)


def read_starts(path: Path) -> list[Start]:
    """Read start points from a CSV file, see :func:`read_named_starts`."""
    return [start.zyx for start in read_named_starts(path)]


def read_named_starts(path: Path, voxel_nm: Sequence[float] | None = None) -> list[NamedStart]:
    """Read start points and their names from a CSV file.

    Parameters
    ----------
    path : Path
        Columns ``z,y,x`` in voxels, with or without a header. With a header, which may begin with
        ``#`` as remarks do, they stand in any order, among others, or are named as napari does
        (``axis-0,axis-1,axis-2``). A column ``name``, ``label`` or ``id`` gives names.
    voxel_nm : sequence of float, optional
        Voxel size (z, y, x): then the columns may be ``z_nm,y_nm,x_nm``, nanometres.

    Raises
    ------
    UsageError
        The file cannot be read, a row is not three numbers, or there is none; or the columns are
        in nanometres and the voxel size is not given.
    """
    columns = _Columns()
    starts: list[NamedStart] = []
    for number, row in enumerate(_rows(path), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        remark = cells[0].startswith("#")
        cells[0] = cells[0].lstrip("# ")  # as numpy.savetxt begins a header
        where = f"{path}, line {number}"
        header = None if starts else _header([cell.lower() for cell in cells], voxel_nm, where)
        if header is not None:
            columns = header
        if header is not None or remark:
            continue
        starts.append(NamedStart(_point(cells, columns, where), _name(cells, columns)))
    if not starts:
        raise UsageError(f"{path} holds no start points: give rows of z,y,x")
    return starts


def _rows(path: Path) -> list[list[str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES >> 20} MiB: no table of points")
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read as CSV: {error}") from error


def _header(cells: list[str], voxel_nm: Sequence[float] | None, where: str) -> _Columns | None:
    """Return where the columns are, None where the row names none of them."""
    name = next((cells.index(name) for name in _NAMES if name in cells), None)
    for names in _VOXELS:
        if set(names) <= set(cells):
            z, y, x = (cells.index(column) for column in names)
            return _Columns((z, y, x), name)
    if set(_NM) <= set(cells):
        if voxel_nm is None:
            raise UsageError(
                f"{where}: {','.join(_NM)} need a voxel size, and the volume states none: "
                "give --voxel-nm"
            )
        z, y, x = (cells.index(column) for column in _NM)
        size_z, size_y, size_x = (float(size) for size in voxel_nm)
        return _Columns((z, y, x), name, (size_z, size_y, size_x))
    return None


def _point(cells: list[str], columns: _Columns, where: str) -> Start:
    if len(cells) <= max(columns.zyx):
        raise UsageError(f"{where}: {len(cells)} columns, z,y,x are three")
    wanted = [cells[i] for i in columns.zyx]
    try:
        values = [float(cell) for cell in wanted]
    except ValueError:
        values = []
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise UsageError(f"{where}: {','.join(wanted)!r} is not 3 numbers: give it as Z,Y,X")
    z, y, x = (value / size for value, size in zip(values, columns.voxel_nm, strict=True))
    return z, y, x


def _name(cells: list[str], columns: _Columns) -> str:
    named = columns.name is not None and columns.name < len(cells)
    return cells[columns.name] if named and columns.name is not None else ""


def file_names(names: Sequence[str]) -> list[str]:
    """Return a different file name for each row's name, without an ending."""
    taken: set[str] = set()
    made = []
    for name in names:
        plain = (
            "".join(c if c.isalnum() or c in "-_." else "_" for c in name).strip("._") or "trace"
        )
        plain = plain[:80]
        unique, number = plain, 2
        while unique.lower() in taken:
            unique, number = f"{plain}_{number}", number + 1
        taken.add(unique.lower())
        made.append(unique)
    return made
