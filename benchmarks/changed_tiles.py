"""What an update costs that looks at the tiles that changed alone, against one that looks at all.

    python benchmarks/changed_tiles.py [--recipe tasks] [--updates N] [--json FILE]

Frames of a session are alike, so that most of what a convolutional encoder sees was seen a frame
before. Both ways get the same windows and weights, forward and backward, in turn; their losses are
equal. On a processor, in this process alone.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.precision import autocast
from bcannot_core.training.frames.cutting import Cutter, numbered
from bcannot_core.training.frames.feed import DeviceBatch, feed
from bcannot_core.training.frames.recipe import FramesRecipe, load_any_recipe
from bcannot_core.training.frames.sources import make_source
from bcannot_core.training.frames.windows import WindowSource


def learn(net: FramesNet, batch: DeviceBatch) -> tuple[float, float]:
    """Return the seconds that a batch's gradients take, and its loss."""
    began = time.perf_counter()
    with autocast(torch.device("cpu")):
        click = net(batch.frames, batch.clicks, batch.rects, batch.noise)
        losses = -click.target_log_prob(batch.rects)
    loss = (torch.where(batch.weights > 0, losses, 0.0) * batch.weights).sum() / batch.weight
    loss.backward()
    seconds = time.perf_counter() - began
    net.zero_grad()
    return seconds, loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", default="tasks")
    parser.add_argument("--updates", type=int, default=8)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    recipe = load_any_recipe(asked.recipe)
    if not isinstance(recipe, FramesRecipe) or recipe.config.encoder.kind != "conv":
        parser.error(f"{asked.recipe} is no recipe of a frames policy with convolutions")
    torch.manual_seed(0)
    nets = [FramesNet(recipe.config).train() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    nets[0].encoder.sparse, nets[1].encoder.sparse = True, False
    cutter = Cutter.of_recipe(recipe, make_source((), recipe.data))
    first = cutter.lanes // recipe.windows
    numbers = (numbered(first + i, recipe.windows, 0, 1) for i in range(asked.updates + 1))
    rows = []
    for batch in feed(WindowSource(cutter, recipe.windows), numbers, torch.device("cpu")):
        (changed, loss), (every, same) = (learn(net, batch) for net in nets)
        rows.append((changed, every, abs(loss - same)))
        print(f"changed {changed:6.2f} s   all {every:6.2f} s   loss {loss:.5f} and {same:.5f}")
    changed, every, apart = zip(*rows[1:], strict=True)  # the first one warms up
    found = {
        "seconds_changed": statistics.median(changed),
        "seconds_all": statistics.median(every),
        "ratio": statistics.median(b / a for a, b in zip(changed, every, strict=True)),
        "losses_differ_at_most": max(apart),
    }
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
