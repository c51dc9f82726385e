"""How often a person must correct a policy in assist mode, by a scripted person.

    python benchmarks/assist.py [--policy P] [--volume V] [--labels L] [--episodes N] [--json FILE]

The policy moves through the sections and proposes nodes; the person accepts what lies in the
neurite and corrects everything else: a node beside it, a section left out, Done too early or too
late, a right node taken back. Neurites are drawn as by ``bcannot eval``; without a volume they are
those of the sample. ``docs/evaluation.md`` says what is counted.
"""

import argparse
import json
from pathlib import Path

from bcannot_core.evaluation.assisted import evaluate_assisted
from bcannot_core.evaluation.sample import sample_path
from bcannot_core.evaluation.tracing import EvaluationOptions
from bcannot_core.policy.policy import Policy
from bcannot_core.tracing import TraceOptions
from bcannot_core.volumes import open_volume

LIMIT = 8.0


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
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    options = EvaluationOptions(
        episodes=asked.episodes,
        seed=asked.seed,
        trace=TraceOptions(asked.sections, asked.nm_per_px),
    )
    found = evaluate_assisted(
        Policy.load(asked.policy, device=asked.device),
        open_volume(asked.volume),
        open_volume(asked.labels or asked.volume, labels=True),
        options,
    )
    for name, value in found.items():
        if name != "per_episode":
            print(f"{name:28} {value}")
    met = found["corrections_per_100_sections"] <= LIMIT
    print(f"{'at most ' + str(LIMIT):28} {'yes' if met else 'NO'}")
    if asked.json:
        asked.json.write_text(json.dumps({"policy": asked.policy, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
