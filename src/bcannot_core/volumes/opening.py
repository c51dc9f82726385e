"""``open_volume``: from an address to a volume, whatever its format."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from math import hypot, log
from pathlib import Path
from weakref import WeakValueDictionary

from bcannot_core.errors import UsageError, VolumeFormatError, VolumeNotFoundError
from bcannot_core.url_queries import without_query
from bcannot_core.volumes.address import Address, add_options, parse_address, parse_scale
from bcannot_core.volumes.base import ScaleInfo, VoxelNm
from bcannot_core.volumes.catalogue import catalogue, find_volume
from bcannot_core.volumes.contrast import Contrast
from bcannot_core.volumes.extra_axes import At, at_text
from bcannot_core.volumes.formats import npz
from bcannot_core.volumes.formats.common import Opened, check_chunk
from bcannot_core.volumes.region import Region
from bcannot_core.volumes.volume import Volume, VolumeInfo, check_voxel_nm

DEFAULT_SCALE_NM = 10.0

_SCHEMES = ("http", "https", "gs", "s3")
_TIFF_SUFFIXES = {".tif", ".tiff", ".btf", ".tf8"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HDF5_SUFFIXES = {".h5", ".hdf5", ".hdf", ".he5", ".ilp"}
_FILE_SUFFIXES = _TIFF_SUFFIXES | _HDF5_SUFFIXES | {".npz", ".npy"}


def open_volume(
    address: str | Path,
    *,
    voxel_nm: Sequence[float] | None = None,
    scale: int | float | str | None = None,
    key: str | None = None,
    labels: bool = False,
    timeout_s: float = 20.0,
    contrast: Contrast | None = None,
) -> Volume:
    """Open a volume lazily from any address.

    Parameters
    ----------
    address : str or Path
        A path (.tif, .npz, .npy, .h5, a zarr or precomputed folder), ``precomputed://…``,
        ``zarr://…``, ``http(s)://…``, ``gs://…``, ``s3://…``, ``synthetic://RECIPE?seed=1``, or the
        name of a public volume (see ``catalogue``). ``::KEY`` and ``#option=value&…`` may follow;
        arguments go before options in the address.
    voxel_nm : sequence of float, optional
        Voxel size (z, y, x) in nm of the opened scale, instead of the one in the metadata.
    scale : int, float or str, optional
        Index of a level (int, ``"2"``) or its voxel size in the section in nm (float, ``"16nm"``);
        by default the level closest to 10 nm in the section.
    key : str, optional
        Array inside the file.
    labels : bool
        Open ids instead of grey values.
    timeout_s : float
        Longest wait for one answer of a server, when opening and when reading.
    contrast : Contrast, optional
        Black and white in raw values; estimated by default.

    Returns
    -------
    Volume
        A ``Region`` where the address says so. Volumes with one section open.

    Raises
    ------
    UsageError
        The address or an argument is malformed.
    VolumeNotFoundError
        There is nothing at the address.
    VolumeFormatError
        What is there is damaged, of an unknown format, or not three-dimensional.
    VolumeUnreachableError
        The server does not answer.
    """
    if timeout_s <= 0:
        raise UsageError(f"timeout {timeout_s} s: give a positive number of seconds")
    text = without_query(str(address))
    parsed = parse_address(text)
    parsed = replace(
        parsed,
        key=key or parsed.key,
        scale=parsed.scale if scale is None else parse_scale(scale, text),
        voxel_nm=parsed.voxel_nm if voxel_nm is None else check_voxel_nm(voxel_nm),
        contrast=contrast or parsed.contrast,
    )
    if parsed.voxel_nm is not None:
        check_voxel_nm(parsed.voxel_nm)
    parsed = _from_catalogue(parsed)
    opened = _open(parsed, labels, timeout_s)
    volume = _volume(parsed, opened, _choose(opened.scales, parsed.scale, text), labels)
    if parsed.region is None:
        return volume
    view = parsed.region
    return Region(volume, view.box, view.axes, view.flips, view.step)


def _from_catalogue(parsed: Address) -> Address:
    """Replace the name of a public volume by its address, unless there is such a file."""
    entry = find_volume(parsed.location)
    if entry is None or parsed.kind or Path(parsed.location).exists():
        return parsed
    public = parse_address(without_query(entry.address))
    return replace(parsed, location=public.location, kind=public.kind)


def _choose(scales: tuple[ScaleInfo, ...], wanted: int | float | None, text: str) -> int:
    if isinstance(wanted, int):
        if not 0 <= wanted < len(scales):
            raise UsageError(f"scale {wanted} of {text} does not exist: it has 0…{len(scales) - 1}")
        return wanted
    target = DEFAULT_SCALE_NM if wanted is None else wanted
    if target <= 0:
        raise UsageError(f"scale {target} nm of {text}: give a positive size")

    def distance(scale: ScaleInfo) -> float:
        _, y, x = scale.voxel_nm
        return hypot(log(y / target), log(x / target))

    return min(scales, key=distance).index


_Family = WeakValueDictionary[int, Volume]


def _volume(
    parsed: Address, opened: Opened, index: int, labels: bool, family: _Family | None = None
) -> Volume:
    """Make the volume of one level; ``parsed.voxel_nm`` overrides that level's voxel size.

    Levels that are in use are opened once: ``family`` knows them.
    """
    family = WeakValueDictionary() if family is None else family
    scales = opened.scales
    if parsed.voxel_nm is not None:
        stated = scales[index].voxel_nm
        scales = tuple(
            replace(s, voxel_nm=_times(s.voxel_nm, parsed.voxel_nm, stated)) for s in scales
        )

    def reopen(other: int) -> Volume:
        known = family.get(other)
        if known is not None:
            return known
        voxel = None if parsed.voxel_nm is None else scales[other].voxel_nm
        return _volume(replace(parsed, voxel_nm=voxel), opened, other, labels, family)

    info = VolumeInfo(
        address=_full_address(parsed, index if len(scales) > 1 else None),
        voxel_nm=scales[index].voxel_nm,
        scales=scales,
        scale=index,
        is_labels=labels,
        voxel_known=opened.voxel_known or parsed.voxel_nm is not None,
    )
    source = opened.open_scale(index)
    if source.chunks is not None:
        check_chunk(source.chunks, source.dtype.itemsize, info.address)
    return family.setdefault(index, Volume(source, info, parsed.contrast, reopen))


def _times(a: VoxelNm, b: VoxelNm, c: VoxelNm) -> VoxelNm:
    return a[0] * b[0] / c[0], a[1] * b[1] / c[1], a[2] * b[2] / c[2]


def _full_address(parsed: Address, scale: int | None) -> str:
    options = []
    if parsed.key is not None:
        options.append(f"key={parsed.key}")
    if scale is not None:
        options.append(f"scale={scale}")
    if parsed.at:
        options.append(f"at={at_text(parsed.at)}")
    if parsed.voxel_nm is not None:
        options.append("voxel_nm=" + ",".join(f"{v:.17g}" for v in parsed.voxel_nm))
    if parsed.contrast is not None:
        options.append(f"contrast={parsed.contrast.lo:.17g},{parsed.contrast.hi:.17g}")
    return add_options(parsed.base(), options)


def _open(parsed: Address, labels: bool, timeout_s: float) -> Opened:
    """Open by the prefix, the scheme, or what lies at the path."""
    location, key = parsed.location, parsed.key
    if key is not None and parsed.kind in ("precomputed", "synthetic"):
        raise UsageError(f"{parsed.base()} holds one volume: leave the key {key} out")
    if parsed.kind == "synthetic" and parsed.at:
        raise UsageError(f"{parsed.base()} has no axes beside z, y, x: leave at out")
    if parsed.kind == "synthetic":
        from bcannot_core.volumes.formats.synthetic import open_synthetic

        return open_synthetic(location, labels)
    if not parsed.scheme:
        return _open_path(parsed, labels, timeout_s)
    if parsed.scheme not in _SCHEMES:
        raise UsageError(
            f"{location} has the unknown scheme {parsed.scheme}: known are "
            f"{', '.join(_SCHEMES)}, precomputed, zarr, synthetic, or a path"
        )
    return _open_folder(parsed, labels, timeout_s)


def _open_folder(parsed: Address, labels: bool, timeout_s: float) -> Opened:
    """Open a folder, here or on a server, by the metadata files it has."""
    from bcannot_core.volumes.formats import precomputed, stores, zarr

    location = parsed.location
    if parsed.kind == "precomputed":
        return precomputed.open_precomputed(location, timeout_s, at=parsed.at)
    if parsed.kind == "zarr":
        return zarr.open_zarr(location, parsed.key, labels, timeout_s, at=parsed.at)
    if Path(location).suffix.lower() in _FILE_SUFFIXES and parsed.scheme:
        raise VolumeFormatError(
            f"{location} is a single file on a server: download it, or serve it as zarr or "
            "precomputed, which can be read by parts"
        )
    files = stores.read_metadata(location, ("info", *zarr.NODE_FILES), timeout_s)
    if "info" in files:
        return precomputed.open_precomputed(location, timeout_s, files["info"], at=parsed.at)
    if files:
        return zarr.open_zarr(location, parsed.key, labels, timeout_s, files, at=parsed.at)
    raise VolumeNotFoundError(
        f"there is no volume at {location}: neither an info file (precomputed) nor zarr metadata"
    )


def _open_path(parsed: Address, labels: bool, timeout_s: float) -> Opened:
    path = Path(parsed.location).expanduser()
    try:
        if path.is_dir():
            return _open_folder(parsed, labels, timeout_s)
        if not path.exists():
            return _open_inside(path, parsed, labels)
    except OSError as error:
        raise VolumeNotFoundError(f"{path} cannot be looked at: {error.strerror}") from error
    if parsed.kind:
        raise VolumeFormatError(f"{path} is a file: a {parsed.kind} volume is a folder")
    return _file_opener(path)(path, parsed.key, labels, parsed.at)


def _open_inside(path: Path, parsed: Address, labels: bool) -> Opened:
    """Open ``file.h5/inner/dataset``, as some tools write it."""
    for parent in path.parents:
        if parent.is_file() and parent.suffix.lower() in _HDF5_SUFFIXES and parsed.key is None:
            from bcannot_core.volumes.formats.hdf5 import open_hdf5

            inner = path.relative_to(parent).as_posix()
            return open_hdf5(parent, inner, labels, parsed.at)
    near = get_close_matches(parsed.location, [entry.name for entry in catalogue()], 1)
    hint = f"; did you mean the public volume {near[0]}?" if near else ""
    raise VolumeNotFoundError(f"there is no file or folder {path}{hint}")


_FileOpener = Callable[[Path, str | None, bool, At], Opened]


def _file_opener(path: Path) -> _FileOpener:
    """Return the opener for a file, by its suffix, else by its first bytes."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(8)
    if suffix in _TIFF_SUFFIXES or start[:4] in _TIFF_MAGIC:
        from bcannot_core.volumes.formats.tiff import open_tiff

        return open_tiff
    if suffix in _HDF5_SUFFIXES or start == b"\x89HDF\r\n\x1a\n":
        from bcannot_core.volumes.formats.hdf5 import open_hdf5

        return open_hdf5
    if suffix == ".npz":
        return npz.open_npz
    if suffix == ".npy" or start[:6] == b"\x93NUMPY":
        return npz.open_npy
    raise VolumeFormatError(
        f"{path} is of no known format: known are .tif, .npz, .npy, .h5, zarr and precomputed"
    )
