"""The main job on bundled data: trace neurites, score them, and write what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bcannot_core.episodes.dataset import write_shard
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.worlds import episode_of
from bcannot_core.evaluation.montage import Strip, montage
from bcannot_core.evaluation.sample import open_sample
from bcannot_core.tasks.neurites import LabelSource, NeuritePath, sample_neurites
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingWorld
from bcannot_core.tracing import Trace, TraceOptions, Tracer
from bcannot_core.tracing.tracer import TracingPolicy

MIN_SECTIONS = 20
_TRIES = 500


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does.

    Attributes
    ----------
    neurites : int
        How many, each another one.
    sections : int
        Sections of a trace.
    seed : int
        Draws the neurites.
    """

    neurites: int = 6
    sections: int = 50
    seed: int = 0


@dataclass(frozen=True)
class _Traced:
    path: NeuritePath
    trace: Trace
    score: dict[str, Any]
    episode: Episode


def run_demo(
    policy: TracingPolicy,
    out: Path,
    options: DemoOptions | None = None,
    advance: Callable[[int], object] = lambda _n: None,
) -> dict[str, Any]:
    """Trace neurites in the sample volume and write the results to a folder.

    Parameters
    ----------
    policy : TracingPolicy
        What traces.
    out : Path
        Gets ``neurite-ID.swc``, ``montage.png`` and the dataset ``sessions``; files of these
        names are replaced.
    options : DemoOptions, optional
        How many neurites.
    advance : callable
        Called with 1 after every neurite.

    Returns
    -------
    dict
        ``neurites``: a list with the score of each; means over them under the names of the
        scores; ``files``.
    """
    options = options or DemoOptions()
    volume, labels = open_sample()
    (out / "sessions").mkdir(parents=True, exist_ok=True)
    traced = []
    for path in distinct_neurites(labels, options):
        y, x = (float(value) for value in path.points_yx[0])
        world = TracingWorld(volume, (path.z0, y, x), labels, path)
        traced.append(_trace(NeuronTracing(world, TraceOptions(options.sections).config()), policy))
        advance(1)
    files = [_save(one, out) for one in traced]
    write_shard(out / "sessions" / "demo.parquet", [one.episode for one in traced])
    strips = [Strip(_title(one), one.trace.nodes_zyx, one.path, labels) for one in traced]
    Image.fromarray(montage(volume, strips)).save(out / "montage.png")
    return {
        **_means(traced),
        "neurites": [{"label": one.path.label, **one.score} for one in traced],
        "volume": volume.address,
        "voxel_nm": list(volume.voxel_nm),
        "files": [*(file for file in files if file), "montage.png", "sessions"],
    }


def distinct_neurites(labels: LabelSource, options: DemoOptions) -> list[NeuritePath]:
    """Draw different neurites of at least 20 sections; fewer where the volume has no more."""
    shortest = min(MIN_SECTIONS, options.sections, labels.shape[0])
    drawn = sample_neurites(
        labels,
        np.random.default_rng(options.seed),
        min_sections=shortest,
        sections=options.sections,
    )
    found: dict[int, NeuritePath] = {}
    for _ in range(_TRIES):
        path = next(drawn)
        if len(path) >= shortest:
            found.setdefault(path.label, path)
        if len(found) == options.neurites:
            break
    return list(found.values())


def _trace(task: NeuronTracing, policy: TracingPolicy) -> _Traced:
    tracer = Tracer.begin(task, policy)
    trace = tracer.run()
    score = {**task.score(tracer.session.state), "stopped": trace.stopped, "clicks": trace.clicks}
    episode = episode_of(tracer.session, {"policy": trace.policy, "success": score["success"]})
    return _Traced(task.path, trace, score, episode)


def _save(one: _Traced, out: Path) -> str | None:
    if not len(one.trace):
        return None
    name = f"neurite-{one.path.label}.swc"
    one.trace.save(out / name)
    return name


def _title(one: _Traced) -> str:
    return (
        f"neurite {one.path.label}: {len(one.trace)} nodes in {len(one.path)} sections, "
        f"{one.score['skeleton_accuracy']:.0%} on target"
    )


def _means(traced: list[_Traced]) -> dict[str, float]:
    names = ("skeleton_accuracy", "coverage", "first_node_accuracy", "done")
    means = {name: float(np.mean([float(one.score[name]) for one in traced])) for name in names}
    means["done_rate"] = means.pop("done")
    return means
