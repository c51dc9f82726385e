"""The sample volume that comes with the package: synthetic EM with its labels."""

from importlib.resources import files
from pathlib import Path

from bcannot_core.volumes import Volume, open_volume


def sample_path() -> Path:
    """Return the file of the sample volume, an npz with ``em``, ``seg`` and ``voxel_nm``."""
    return Path(str(files("bcannot_core"))) / "data" / "sample_em.npz"


def open_sample() -> tuple[Volume, Volume]:
    """Open the sample volume and its labels."""
    return open_volume(sample_path()), open_volume(sample_path(), labels=True)
