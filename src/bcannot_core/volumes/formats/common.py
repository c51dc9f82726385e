"""What the format modules share: the result of opening, choosing an array, memory limits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

from bcannot_core.errors import VolumeFormatError
from bcannot_core.volumes.base import DEFAULT_VOXEL_NM, ScaleInfo, Source, VoxelNm

EM_NAMES = ("em", "raw", "image", "img", "volume", "data", "main", "grey", "gray", "exported_data")
LABEL_NAMES = ("seg", "labels", "label", "segmentation", "neuron_ids", "ids", "main")
_FALLBACK_MEMORY = 8 * 2**30
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Opened:
    """A volume as its format sees it.

    Attributes
    ----------
    scales : tuple of ScaleInfo
        At least one level, finest first.
    open_scale : callable
        Returns the source of a level by index.
    voxel_known : bool
        Whether the voxel sizes come from metadata.
    """

    scales: tuple[ScaleInfo, ...]
    open_scale: Callable[[int], Source]
    voxel_known: bool


def single(source: Source, name: str, voxel_nm: VoxelNm | None) -> Opened:
    """Return the ``Opened`` of a source with one scale."""
    scale = ScaleInfo(0, name, source.shape, voxel_nm or DEFAULT_VOXEL_NM)
    return Opened((scale,), lambda _: source, voxel_nm is not None)


def one_line(error: BaseException | str) -> str:
    """Return the message of an error as one line; of a long one the beginning and the end."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 260 else f"{text[:100]} … {text[-150:]}"


def inside(name: str, source: str) -> str:
    """Return the name of a folder or file below the place whose metadata name it.

    Parameters
    ----------
    name : str
        What the metadata say, with forward slashes.
    source : str
        The metadata, for messages.

    Raises
    ------
    VolumeFormatError
        It leads elsewhere.
    """
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and ":" not in name and name.isprintable()
    if not parts or ".." in parts or name.startswith("/") or not plain or len(name) > _LONGEST_NAME:
        shown = "".join(c if c.isprintable() else " " for c in name[:_LONGEST_NAME])
        raise VolumeFormatError(f"{source} leads outside its folder, to {shown!r}")
    return "/".join(parts)


def choose_array(names: Iterable[str], key: str | None, labels: bool, where: str) -> str:
    """Choose one of several arrays in a file.

    Parameters
    ----------
    names : iterable of str
        Names (paths) of the three-dimensional arrays, or all arrays when a key is given.
    key : str, optional
        What the caller asked for.
    labels : bool
        Whether ids or grey values are wanted.
    where : str
        File, for messages.

    Raises
    ------
    VolumeFormatError
        The key does not exist, or the choice is not obvious.
    """
    known = list(names)
    if key is not None:
        wanted = key.strip("/")
        for name in known:
            if name.strip("/") == wanted:
                return name
        listed = ", ".join(known[:20]) or "none"
        raise VolumeFormatError(f"{where} has no array {key}: it has {listed}")
    preferred, other = (LABEL_NAMES, EM_NAMES) if labels else (EM_NAMES, LABEL_NAMES)
    last = {name: name.strip("/").rsplit("/", 1)[-1].lower() for name in known}
    for want in preferred:
        found = [name for name in known if last[name] == want]
        if len(found) == 1:
            return found[0]
    candidates = [name for name in known if last[name] not in other] or (
        [] if labels and len(known) > 1 else known
    )
    if len(candidates) == 1:
        return candidates[0]
    what = "labels" if labels else "grey values"
    listed = ", ".join(known[:20]) or "none"
    raise VolumeFormatError(
        f"{where} does not say which array holds the {what} (three-dimensional arrays: {listed}): "
        "name one with key"
    )


def likely_arrays(shapes: Mapping[str, tuple[int, ...]], places: int) -> list[str]:
    """Return the arrays of a file that may be meant where no key names one.

    Those with ``places`` axes beside z, y, x, else those with the fewest axes beyond three.
    """
    exact = [name for name, shape in shapes.items() if len(shape) == 3 + places]
    least = min((len(shape) for shape in shapes.values() if len(shape) > 3), default=0)
    return exact or [name for name, shape in shapes.items() if len(shape) == least > 0]


def available_memory() -> int:
    """Return the bytes of memory that can still be used (Linux; 8 GiB where it is not known)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (line,) = [line for line in lines if line.startswith("MemAvailable:")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return _FALLBACK_MEMORY


def check_memory(
    size: int, where: str, remedy: str = "convert it to zarr or .npy, which are read by parts"
) -> None:
    """Refuse to load more than three quarters of the available memory at one go.

    Raises
    ------
    VolumeFormatError
        The array would not fit.
    """
    limit = available_memory() * 3 // 4
    if size > limit:
        raise VolumeFormatError(
            f"{where} would take {size / 2**30:.1f} GiB of memory, {limit / 2**30:.1f} GiB can be "
            f"used: {remedy}"
        )


def check_chunk(chunk: Sequence[int], itemsize: int, where: str) -> None:
    """Refuse chunks that do not fit into memory: whole ones are read, whatever is asked for.

    Raises
    ------
    VolumeFormatError
        A chunk would not fit.
    """
    check_memory(prod(chunk) * itemsize, f"one chunk of {where}", "store it in smaller chunks")
