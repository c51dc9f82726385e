"""The lattice of a trace: its sections along z, and canvas pixels within them."""

import math

from bcannot_core.tasks.trace_state import Offset
from bcannot_core.tasks.tracing_config import TracingConfig, TracingWorld


class TraceLattice:
    """Where the sections of a trace lie, and the places that its clicks can name.

    Views move by whole canvas pixels, so all places are whole offsets from the start point.

    Attributes
    ----------
    world, config : TracingWorld, TracingConfig
        What the trace is made of.
    sections : int
        How many sections it has: those asked for, or those up to the volume's border.
    """

    def __init__(self, world: TracingWorld, config: TracingConfig) -> None:
        self.world = world
        self.config = config
        _, voxel_y, voxel_x = world.volume.voxel_nm
        self._voxel_yx = float(voxel_y), float(voxel_x)
        self._step_yx = config.nm_per_px / self._voxel_yx[0], config.nm_per_px / self._voxel_yx[1]
        z, y, x = world.start_zyx
        self._start = int(z), int(y), int(x)
        room = (
            world.volume.shape[0] - self._start[0] if config.direction > 0 else self._start[0] + 1
        )
        self.sections = min(config.sections, room)

    def z_of(self, section: int) -> int:
        """Return the z of a section, counted from the start point."""
        return self._start[0] + section * self.config.direction

    def section_of(self, z: float) -> int | None:
        """Return which section lies at ``z``, None where it is not among the task's."""
        section = (math.floor(z + 0.5) - self._start[0]) * self.config.direction
        return section if 0 <= section < self.sections else None

    def point(self, offset: Offset) -> tuple[float, float]:
        """Return the voxel coordinates (y, x) of a place on the lattice of canvas pixels."""
        return (
            self._start[1] + offset[0] * self._step_yx[0],
            self._start[2] + offset[1] * self._step_yx[1],
        )

    def offset(self, yx: tuple[float, float]) -> Offset:
        """Return the place on the lattice that is nearest to voxel coordinates."""
        return (
            math.floor((yx[0] - self._start[1]) / self._step_yx[0] + 0.5),
            math.floor((yx[1] - self._start[2]) / self._step_yx[1] + 0.5),
        )

    def inside(self, offset: Offset) -> bool:
        """Whether a place on the lattice lies in the volume, half a voxel beyond included."""
        y, x = self.point(offset)
        _, height, width = self.world.volume.shape
        return -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5
