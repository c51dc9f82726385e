"""How many of the misplaced nodes a review's queue has at its head.

    python benchmarks/review.py [--policy P] [--volume V] [--labels L] [--episodes N] [--json FILE]

The policy traces neurites as in ``bcannot eval``, looks at its sessions again, and the nodes of all
traces are ranked by doubt; a scripted person reviews the worst places. A mistake probe is used
where the policy has one saved. Without a volume the traces are of the sample's.
"""

import argparse
import json
from pathlib import Path

from bcannot_core.errors import CheckpointError
from bcannot_core.evaluation.reviewed import evaluate_review
from bcannot_core.evaluation.sample import sample_path
from bcannot_core.evaluation.tracing import EvaluationOptions
from bcannot_core.policy.policy import Policy
from bcannot_core.probes.directions import MistakeProbe
from bcannot_core.tracing import TraceOptions
from bcannot_core.volumes import open_volume

LEAST = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--policy", default="default")
    parser.add_argument("--volume", default=str(sample_path()))
    parser.add_argument("--labels", help="by default in the volume's file")
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--sections", type=int, default=50)
    parser.add_argument("--nm-per-px", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-probe", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    options = EvaluationOptions(
        episodes=asked.episodes,
        seed=asked.seed,
        trace=TraceOptions(asked.sections, asked.nm_per_px),
    )
    probe = None if asked.no_probe else saved_probe(asked.policy)
    found = evaluate_review(
        Policy.load(asked.policy, device=asked.device),
        open_volume(asked.volume),
        open_volume(asked.labels or asked.volume, labels=True),
        options,
        probe=probe,
    )
    print(f"{'mistake probe':28} {'none' if probe is None else 'the one saved'}")
    for name, value in found.items():
        print(f"{name:28} {value}")
    shares = {
        "mended by a tenth of looks": found["review"]["mended_share"],
        "in the first 10 % as ranked": found["found_in_first"]["10"],
    }
    for name, share in shares.items():
        if share is not None:  # there is a misplaced node
            print(f"{name:28} {share:.3f}: {'yes' if share >= LEAST else 'NO'}, {LEAST} wanted")
    if asked.json:
        asked.json.write_text(json.dumps({"policy": asked.policy, **found}, indent=1) + "\n")


def saved_probe(policy: str) -> MistakeProbe | None:
    try:
        return MistakeProbe.load(policy, "mistaken_placement")
    except CheckpointError:
        return None


if __name__ == "__main__":
    main()
