"""What recording costs, and whether the 1,000th session is as quick as the first.

    python benchmarks/recording.py [--sessions 1000] [--pairs 40] [--json FILE]

A session of two neurites, some 170 clicks, is recorded click by click and saved into a dataset:
once where there is nothing yet, once beside 1,000 sessions and in a dataset of as many, in turn, so
that what else the machine does counts on both sides.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bcannot_core.episodes.worlds import describe_task
from bcannot_core.session import ClickToken, Session
from bcannot_core.session.journal import JournalHeader
from bcannot_core.sittings import NeuriteFacts, SittingWriter, export_sittings, list_sittings
from bcannot_core.sittings.timeline import SHAPE
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_place
from bcannot_core.volumes import Contrast, Volume

SECTIONS = 44


@dataclass(frozen=True)
class Neurite:
    """What is recorded of one."""

    header: JournalHeader
    clicks: Sequence[ClickToken]


@dataclass(frozen=True)
class Took:
    """Milliseconds: of one session's recording, of its slowest click, and of saving it."""

    record: float
    slowest_click: float
    save: float


def make_neurite(seed: int) -> Neurite:
    """Trace a neurite by rule."""
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 255, (60, 256, 256), dtype=np.uint8)
    volume = Volume.from_array(
        array, voxel_nm=(30.0, 10.0, 10.0), address="bench", contrast=Contrast(0.0, 255.0)
    )
    world = TracingWorld(volume, (0, 128, 128))
    session = Session(NeuronTracing(world, TracingConfig(sections=SECTIONS)))
    for z, (dy, dx) in enumerate(rng.normal(0, 1.5, (SECTIONS, 2)).cumsum(axis=0)):
        click_all(session, clicks_to_place(session, (z, 128 + dy, 128 + dx)), "person", 0, 400)
    header = describe_task(session.task, {SHAPE: list(volume.shape)}, fingerprint=False)
    return Neurite(header, tuple(session.clicks))


def record(root: Path, dataset: Path, neurites: Sequence[Neurite]) -> Took:
    """Record a session click by click and save it."""
    begun = time.perf_counter()
    writer = SittingWriter.begin(root)
    slowest = 0.0
    for n, neurite in enumerate(neurites):
        facts = NeuriteFacts(f"neurite {n + 1}", place={"address": "bench"})
        number = writer.add(facts, neurite.header)
        for token in neurite.clicks:
            before = time.perf_counter()
            writer.click(number, token)
            slowest = max(slowest, time.perf_counter() - before)
    writer.close()
    recorded = time.perf_counter()
    export_sittings([writer.folder], dataset)
    saved = time.perf_counter()
    return Took(*(1e3 * s for s in (recorded - begun, slowest, saved - recorded)))


def measure(folder: Path, sessions: int, pairs: int) -> dict[str, float]:
    """Return the figures."""
    neurites = [make_neurite(seed) for seed in range(2)]
    root, dataset = folder / "sessions", folder / "set"
    for _ in range(sessions):
        record(root, dataset, neurites)
    early: list[Took] = []
    late: list[Took] = []
    for _ in range(pairs):
        early.append(record(folder / "first", folder / "first_set", neurites))
        shutil.rmtree(folder / "first")
        shutil.rmtree(folder / "first_set")
        late.append(record(root, dataset, neurites))
    first, last = (
        [statistics.median(getattr(t, name) for t in side) for name in ("record", "save")]
        for side in (early, late)
    )
    begun = time.perf_counter()
    known = list_sittings(root)
    listed = time.perf_counter()
    list_sittings(root, known)
    again = time.perf_counter()
    return {
        "sessions": len(known),
        "clicks_per_session": sum(len(one.clicks) for one in neurites),
        "record_first_ms": first[0],
        "record_last_ms": last[0],
        "record_ratio": last[0] / first[0],
        "save_first_ms": first[1],
        "save_last_ms": last[1],
        "save_ratio": last[1] / first[1],
        "both_ratio": sum(last) / sum(first),
        "slowest_click_ms_median": statistics.median(t.slowest_click for t in early + late),
        "list_ms": 1e3 * (listed - begun),
        "list_again_ms": 1e3 * (again - listed),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.sessions, options.pairs)
    for name, value in figures.items():
        print(f"{name:>26} {value:.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
