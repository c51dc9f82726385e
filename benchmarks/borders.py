"""Where a tracing policy errs: neurites that touch a side of the volume against all others.

    python benchmarks/borders.py [--policy P] [--volume V] [--labels L] [--z-step N] [--json FILE]

A small block cuts many neurites off at its sides; what lies beyond is not there to be seen. Traces
are drawn and scored as by ``bcannot eval``, and told apart by whether the neurite's own
cross-sections touch a side of the volume, and whether it is there that the neurite ends.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from bcannot_core.evaluation.sample import sample_path
from bcannot_core.evaluation.tracing import EvaluationOptions, draw_paths, task_on
from bcannot_core.policy.policy import Policy
from bcannot_core.tasks.cross_sections import CrossSection
from bcannot_core.tasks.neurites import NeuritePath
from bcannot_core.tracing import Tracer
from bcannot_core.volumes import Region, Volume, open_volume


def touches_side(section: CrossSection, height: int, width: int) -> bool:
    """Whether a cross-section reaches the first or last row or column of the volume."""
    ys, xs = np.nonzero(section.mask)
    ys, xs = ys + section.origin_yx[0], xs + section.origin_yx[1]
    return bool(ys.min() == 0 or xs.min() == 0 or ys.max() == height - 1 or xs.max() == width - 1)


def group_of(path: NeuritePath, volume: Volume) -> str:
    """Return ``"inside"``, ``"beside"`` (touches a side and goes on), or ``"leaves"``."""
    _, height, width = volume.shape
    touching = [touches_side(section, height, width) for section in path.sections]
    if not any(touching):
        return "inside"
    return "leaves" if path.ends and touching[-1] else "beside"


def means(scores: list[dict[str, Any]]) -> dict[str, float]:
    """Return the figures of a group of traces."""
    accuracy = float(np.mean([score["skeleton_accuracy"] for score in scores]))
    coverage = float(np.mean([score["coverage"] for score in scores]))
    placed = sum(score["placements"] for score in scores)
    return {
        "traces": len(scores),
        "skeleton_accuracy": round(accuracy, 4),
        "coverage": round(coverage, 4),
        "product": round(accuracy * coverage, 4),
        "off_target": round(sum(score["mistakes"] for score in scores) / max(1, placed), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--policy", default="default")
    parser.add_argument("--volume", default=str(sample_path()))
    parser.add_argument("--labels", help="by default in the volume's file")
    parser.add_argument("--z-step", type=int, default=1)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    volume = open_volume(asked.volume)
    labels = open_volume(asked.labels or asked.volume, labels=True)
    if asked.z_step > 1:
        step = (asked.z_step, 1, 1)
        volume, labels = Region(volume, step=step), Region(labels, step=step)
    options = EvaluationOptions(episodes=asked.episodes, seed=asked.seed)
    policy = Policy.load(asked.policy)
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in draw_paths(labels, options):
        task = task_on(volume, labels, path, options)
        policy.reset()
        tracer = Tracer.begin(task, policy)
        tracer.run()
        scores[group_of(path, volume)].append(task.score(tracer.session.state))
    found = {"all": means([score for group in scores.values() for score in group])}
    found |= {name: means(group) for name, group in sorted(scores.items())}
    for name, figures in found.items():
        print(f"{name:8} {figures}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
