"""How far perfect cross-sections alone lead: what a better look at each section could bring.

    python benchmarks/linking.py [--volume V] [--labels L] [--z-step N] [--episodes N] [--json FILE]

The ground truth's connected cross-sections are given, but not which of them are one neurite: a
trace goes on in the cross-section of the next section whose intersection over union with the last
one is largest, and ends where that is below a threshold. Neurites are drawn, and traces scored, as
by ``bcannot eval``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from skimage.measure import label as connected

from bcannot_core.evaluation.sample import sample_path
from bcannot_core.evaluation.tracing import EvaluationOptions, draw_paths
from bcannot_core.tasks.neurites import NeuritePath
from bcannot_core.volumes import Region, Volume, open_volume

THRESHOLDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)


class Linker:
    """Goes from cross-section to cross-section of a label volume.

    Parameters
    ----------
    labels : Volume
        Held in memory.
    """

    def __init__(self, labels: Volume) -> None:
        depth, height, width = labels.shape
        self.labels = np.asarray(labels.read(0, depth, 0, height, 0, width))
        self.numbers = [connected(plane, connectivity=2, background=0) for plane in self.labels]
        self.areas = [np.bincount(plane.ravel()) for plane in self.numbers]

    def next(self, z: int, number: int, towards: int) -> tuple[int, float]:
        """Return the best cross-section in the next section, and its intersection over union."""
        under = self.numbers[towards][self.numbers[z] == number]
        shared = np.bincount(under, minlength=len(self.areas[towards])).astype(np.float64)
        shared[0] = 0
        overlap = shared / (self.areas[towards] + self.areas[z][number] - shared)
        best = int(overlap.argmax())
        return best, float(overlap[best])

    def label_of(self, z: int, number: int) -> int:
        """Return the neurite that a cross-section belongs to."""
        return int(self.labels[z].flat[int((self.numbers[z] == number).argmax())])

    def trace(self, path: NeuritePath, sections: int, threshold: float) -> tuple[float, float]:
        """Return accuracy and coverage of a trace from a path's first section on."""
        z, (y, x) = path.z0, path.points_yx[0]
        number = int(self.numbers[z][round(float(y)), round(float(x))])
        right: list[bool] = [True]
        while len(right) < sections and 0 <= z + path.direction < len(self.numbers):
            found, overlap = self.next(z, number, z + path.direction)
            if overlap <= threshold:
                break
            z, number = z + path.direction, found
            right.append(len(right) < len(path) and self.label_of(z, number) == path.label)
        return float(np.mean(right)), min(len(right), len(path)) / len(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--volume", default=str(sample_path()), help="for its labels")
    parser.add_argument("--labels", help="by default in the volume's file")
    parser.add_argument("--z-step", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--sections", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    labels = open_volume(asked.labels or asked.volume, labels=True)
    if asked.z_step > 1:
        labels = Region(labels, step=(asked.z_step, 1, 1))
    options = EvaluationOptions(episodes=asked.episodes, seed=asked.seed)
    paths, linker = draw_paths(labels, options), Linker(labels)
    found = {}
    for threshold in THRESHOLDS:
        traces = np.array([linker.trace(path, asked.sections, threshold) for path in paths])
        accuracy, coverage = traces.mean(0)
        found[threshold] = {
            "skeleton_accuracy": round(float(accuracy), 4),
            "coverage": round(float(coverage), 4),
            "product": round(float(accuracy * coverage), 4),
        }
        print(f"ends at {threshold:.2f}:  {found[threshold]}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
