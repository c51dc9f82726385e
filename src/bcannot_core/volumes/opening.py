"""``open_volume``: from an address to a volume, whatever its format."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import hypot, log
from pathlib import Path

from bcannot_core.errors import UsageError, VolumeFormatError, VolumeNotFoundError
from bcannot_core.volumes.address import Address, parse_address, parse_scale
from bcannot_core.volumes.contrast import Contrast
from bcannot_core.volumes.formats.common import Opened
from bcannot_core.volumes.types import ScaleInfo, VoxelNm
from bcannot_core.volumes.volume import Region, Volume, VolumeInfo, check_voxel_nm

DEFAULT_SCALE_NM = 10.0


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
    text = str(address)
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
    opened = _open(parsed, labels, timeout_s)
    volume = _volume(parsed, opened, _choose(opened.scales, parsed.scale, text), labels)
    if parsed.region is None:
        return volume
    view = parsed.region
    return Region(volume, view.box, view.axes, view.flips, view.step)


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


def _volume(parsed: Address, opened: Opened, index: int, labels: bool) -> Volume:
    """Make the volume of one level; ``parsed.voxel_nm`` overrides that level's voxel size."""
    scales = opened.scales
    if parsed.voxel_nm is not None:
        stated = scales[index].voxel_nm
        scales = tuple(
            replace(s, voxel_nm=_times(s.voxel_nm, parsed.voxel_nm, stated)) for s in scales
        )

    def reopen(other: int) -> Volume:
        voxel = None if parsed.voxel_nm is None else scales[other].voxel_nm
        return _volume(replace(parsed, voxel_nm=voxel), opened, other, labels)

    info = VolumeInfo(
        address=_full_address(parsed, index if len(scales) > 1 else None),
        voxel_nm=scales[index].voxel_nm,
        scales=scales,
        scale=index,
        is_labels=labels,
        voxel_known=opened.voxel_known or parsed.voxel_nm is not None,
    )
    return Volume(opened.open_scale(index), info, parsed.contrast, reopen)


def _times(a: VoxelNm, b: VoxelNm, c: VoxelNm) -> VoxelNm:
    return a[0] * b[0] / c[0], a[1] * b[1] / c[1], a[2] * b[2] / c[2]


def _full_address(parsed: Address, scale: int | None) -> str:
    options = []
    if parsed.key is not None:
        options.append(f"key={parsed.key}")
    if scale is not None:
        options.append(f"scale={scale}")
    if parsed.voxel_nm is not None:
        options.append("voxel_nm=" + ",".join(f"{v:.17g}" for v in parsed.voxel_nm))
    if parsed.contrast is not None:
        options.append(f"contrast={parsed.contrast.lo:.17g},{parsed.contrast.hi:.17g}")
    return parsed.base() + ("#" + "&".join(options) if options else "")


def _open(parsed: Address, labels: bool, timeout_s: float) -> Opened:
    if parsed.kind == "synthetic":
        from bcannot_core.volumes.formats.synthetic import open_synthetic

        return open_synthetic(parsed.location, labels)
    return _open_path(parsed, labels, timeout_s)


def _open_path(parsed: Address, labels: bool, timeout_s: float) -> Opened:
    path = Path(parsed.location).expanduser()
    if not path.exists():
        raise VolumeNotFoundError(f"there is no file or folder {path}")
    opener = _by_suffix(path)
    return opener(path, parsed.key, labels)


_FileOpener = Callable[[Path, str | None, bool], Opened]


def _by_suffix(path: Path) -> _FileOpener:
    from bcannot_core.volumes.formats import npz

    suffix = path.suffix.lower()
    if suffix == ".npz":
        return npz.open_npz
    if suffix == ".npy":
        return npz.open_npy
    raise VolumeFormatError(
        f"{path} is of no known format: known are .tif, .npz, .npy, .h5, zarr and precomputed"
    )
