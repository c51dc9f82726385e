"""A trace: the nodes of one neurite, how sure the policy was, and why it stopped."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError, VolumeError
from bcannot_core.volumes import Skeleton, write_swc
from bcannot_core.volumes.atomic import write_atomic

Stop = Literal["done", "limit", "stuck", "unreachable", "paused"]
STOPS: tuple[str, ...] = get_args(Stop)
"""Done was clicked; too many clicks; clicks without effect; the volume failed; asked to pause."""

_COLUMNS = ("z", "y", "x", "z_nm", "y_nm", "x_nm", "confidence")


@dataclass(frozen=True, eq=False)
class Trace:
    """The nodes of one neurite.

    Attributes
    ----------
    nodes_zyx : float64 (n, 3)
        In voxels of the volume, in the order of the sections.
    confidence : float32 (n,)
        0…1, the policy's when it placed the node; NaN where somebody else did.
    start_zyx : tuple of int
        Where the trace began.
    voxel_nm : tuple of float
        Voxel size (z, y, x).
    volume, policy : str
        Address and name of what the trace was made in and with.
    stopped : str
        One of :data:`STOPS`.
    problem : str
        What went wrong, in one line; empty where nothing did.
    clicks : int
        Clicks made so far.
    """

    nodes_zyx: NDArray[np.float64]
    confidence: NDArray[np.float32]
    start_zyx: tuple[int, int, int]
    voxel_nm: tuple[float, float, float]
    volume: str = ""
    policy: str = ""
    stopped: Stop = "done"
    problem: str = ""
    clicks: int = field(default=0)

    def __len__(self) -> int:
        return len(self.nodes_zyx)

    def skeleton(self) -> Skeleton:
        """Return the trace as a skeleton.

        Raises
        ------
        UsageError
            The trace has no nodes.
        """
        self._check_nodes()
        header = {"volume": self.volume, "policy": self.policy, "stopped": self.stopped}
        return Skeleton.from_voxels(self.nodes_zyx, self.voxel_nm, header=header)

    def save(self, path: str | Path) -> None:
        """Write the trace, as SWC or CSV by the file's name.

        Raises
        ------
        UsageError
            The name ends otherwise, or the trace has no nodes.
        VolumeError
            The file cannot be written; one that was there stays.
        """
        path = Path(path)
        if path.suffix == ".swc":
            write_swc(path, self.skeleton())
        elif path.suffix == ".csv":
            text = self._csv()
            try:
                write_atomic(path, lambda file: file.write(text.encode()))
            except OSError as error:
                raise VolumeError(f"cannot write {path}: {error.strerror}") from error
        else:
            raise UsageError(f"{path} ends in neither .swc nor .csv")

    def _check_nodes(self) -> None:
        if not len(self):
            raise UsageError(
                f"the trace from {self.start_zyx} has no nodes: there is nothing to save"
            )

    def _csv(self) -> str:
        self._check_nodes()
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for node, sure in zip(self.nodes_zyx, self.confidence, strict=True):
            nm = node * np.array(self.voxel_nm)
            rows.writerow([*(f"{v:.12g}" for v in (*node, *nm)), f"{sure:.4f}"])
        return out.getvalue()
