"""Copies of volumes that lie in no file, beside the session that was traced in them.

A layer that another plugin computed, or that was made in a script, is gone when napari is closed.
Its voxels are kept in the session's folder (``volumes/FINGERPRINT.npy``), so that the session can
be brought back, replayed, reviewed and learnt from like any other.
"""

import os
import shutil
from dataclasses import replace
from math import prod
from pathlib import Path
from uuid import uuid4

import numpy as np

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import DatasetError, VolumeError
from bcannot_core.volumes import Volume, open_volume
from bcannot_core.volumes.address import MEMORY, add_options
from bcannot_core.volumes.base import VoxelNm

FOLDER = "volumes"
MAX_BYTES = 2 * 2**30
"""Larger volumes are not copied."""
_BLOCK_BYTES = 64 * 2**20


def find_copy(folder: Path, fingerprint: str) -> Path | None:
    """Return the copy of a volume in a session's folder, None where there is none."""
    path = folder / FOLDER / f"{fingerprint}.npy"
    return path if fingerprint.isalnum() and path.is_file() else None


def address_of_copy(path: Path, voxel_nm: VoxelNm) -> str:
    """Return what opens a copy as the volume that it was."""
    size = ",".join(f"{v:.17g}" for v in voxel_nm)
    return add_options(str(path), [f"voxel_nm={size}"])


def keep_copy(folder: Path, volume: Volume, fingerprint: str) -> Path:
    """Copy a volume's voxels into a session's folder; one that is there already is left.

    The same voxels in the folder of another session beside it are shared, where the file system can
    do that.

    Parameters
    ----------
    folder : Path
        The session's folder.
    volume : Volume
        What to copy, of any kind; read by blocks of sections.
    fingerprint : str
        The volume's.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    VolumeError
        It is too large, the disk has no room for it, or it cannot be read or written.
    """
    known = find_copy(folder, fingerprint)
    if known is not None:
        return known
    size = prod(volume.shape) * volume.dtype.itemsize
    name = volume.address.removeprefix(MEMORY)
    if size > MAX_BYTES:
        raise VolumeError(
            f"layer {name!r} lies in no file and is too large to keep a copy "
            f"({size / 2**30:.1f} GiB): save it as a file and open that, so that the session can "
            "be replayed later"
        )
    path = folder / FOLDER / f"{fingerprint}.npy"
    try:
        path.parent.mkdir(exist_ok=True)
        if not _share(path, volume):
            if shutil.disk_usage(folder).free < 2 * size:
                raise VolumeError(
                    f"there is no room on the disk for a copy of layer {name!r}, which lies in no "
                    "file: the session cannot be replayed once the layer is gone"
                )
            _write(path, volume)
    except OSError as error:
        raise VolumeError(
            f"cannot keep a copy of layer {name!r} in {folder}: {error.strerror or error}"
        ) from error
    return path


def with_copy(episode: Episode, folder: Path, dataset: Path) -> Episode:
    """Return an episode for a dataset: the copy that it looks at, if any, goes along.

    Parameters
    ----------
    episode : Episode
        Of a session.
    folder : Path
        The session's folder.
    dataset : Path
        The dataset's; gets the copy in ``volumes/``.

    Raises
    ------
    DatasetError
        The copy cannot be written there.
    """
    data = episode.data
    copy = None if data is None else find_copy(folder, data.fingerprint)
    if data is None or copy is None or data.volume != address_of_copy(copy, data.voxel_nm):
        return episode
    target = dataset / FOLDER / copy.name
    try:
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            _link_or_copy(copy, target)
    except OSError as error:
        raise DatasetError(f"cannot write {target}: {error.strerror or error}") from error
    address = address_of_copy(target.absolute(), data.voxel_nm)
    return replace(episode, data=replace(data, volume=address))


def _link_or_copy(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
    try:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _share(path: Path, volume: Volume) -> bool:
    """Link a copy that another session has; a fingerprint is of a sample, so all is compared."""
    for other in path.parent.parent.parent.glob(f"*/{FOLDER}/{path.name}"):
        try:
            if _equal(open_volume(other), volume):
                os.link(other, path)
                return True
        except (OSError, VolumeError):
            continue
    return False


def _equal(one: Volume, other: Volume) -> bool:
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return all(
        np.array_equal(one.read(*box), other.read(*box), equal_nan=one.dtype.kind == "f")
        for box in _blocks(one)
    )


def _write(path: Path, volume: Volume) -> None:
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.tmp")
    try:
        stack = np.lib.format.open_memmap(partial, "w+", volume.dtype, volume.shape)
        for box in _blocks(volume):
            stack[box[0] : box[1]] = volume.read(*box)
        stack.flush()
        del stack
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _blocks(volume: Volume) -> list[tuple[int, int, int, int, int, int]]:
    depth, height, width = volume.shape
    step = max(1, _BLOCK_BYTES // max(height * width * volume.dtype.itemsize, 1))
    return [(z, min(z + step, depth), 0, height, 0, width) for z in range(0, depth, step)]
