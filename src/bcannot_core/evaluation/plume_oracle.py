"""The judge of spectral plume finding: outlines may be begun anywhere and drawn either way.

The scripted annotator takes only outlines for right that follow its own; here a vertex is right
where it lies near the outline of a plume that has no polygon yet, the same for all of a polygon.
"""

from typing import Any

import numpy as np

from bcannot_core.evaluation.oracle import Oracle
from bcannot_core.session import Session
from bcannot_core.tasks.plume_views import plume_iou
from bcannot_core.tasks.spectral_plume import PlumeState, Polygon

NEAR_PX = 4.5
RIGHT_IOU = 0.5


class PlumeOracle(Oracle):
    """The flawless annotator of plumes, with a judgement of its own."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        task: Any = session.task
        self._plumes = task.world.plumes
        self._outlines = [np.asarray(plume.outline_xy, np.float64) for plume in self._plumes]

    def faults(self, state: PlumeState | None = None) -> int:
        """Return 1 where a polygon covers no plume of its own, or the open one leaves them all."""
        shown: PlumeState = self.session.state if state is None else state
        return int(not shown.terminated and self._is_wrong(shown))

    def _is_wrong(self, shown: PlumeState) -> bool:
        left = list(range(len(self._plumes)))
        for polygon in shown.polygons:
            covered = next((p for p in left if self._covers(polygon, p)), None)
            if covered is None:
                return True
            left.remove(covered)
        if not shown.vertices:
            return False
        return not any(self._follows(shown.vertices, plume) for plume in left)

    def _covers(self, polygon: Polygon, plume: int) -> bool:
        return plume_iou(polygon, self._plumes[plume]) >= RIGHT_IOU

    def _follows(self, vertices: Polygon, plume: int) -> bool:
        outline = self._outlines[plume]
        apart = np.asarray(vertices, np.float64)[:, None] - outline[None]
        nearest = np.sqrt((apart**2).sum(-1)).min(axis=1)
        return bool((nearest <= NEAR_PX).all())
