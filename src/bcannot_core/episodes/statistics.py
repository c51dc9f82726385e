"""Statistics of a dataset: how long its episodes are, what is clicked in them, and what goes wrong.

Everything is counted in the columns of the shards, a row group at a time; no episode is built.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bcannot_core.annotators.labels import Flag, Phase
from bcannot_core.episodes.dataset import EpisodeDataset, open_dataset
from bcannot_core.episodes.mending import LabelledClicks, replaced, taken_back
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.tasks.base import TaskBase
from bcannot_core.tasks.registry import task_class

UNDO = "undo"
REMOVALS = frozenset({"remove", "delete"})  # edits that place nothing
_COLUMNS = ("task", "variant", "steps", "flags", "ms", "action", "meta")
_PERCENTILES = (5, 50, 95)


def dataset_statistics(*paths: str | os.PathLike[str]) -> dict[str, Any]:
    """Count what is in datasets.

    Parameters
    ----------
    *paths : path
        Folders of shards, or single shards.

    Returns
    -------
    dict
        ``episodes``, ``clicks``, ``bytes``, ``bytes_per_click``, and ``tasks``: for each task

        * ``episodes``, ``clicks``, ``steps_mean``, ``steps_sd``, ``steps_min``, ``steps_p5``,
          ``steps_p50``, ``steps_p95``, ``steps_max``, and ``lengths``: the steps of each episode;
        * ``actions``: the share of each action, the most frequent first; ``navigation``: that of
          the actions which only change the view; ``placement``: that of the task's edits;
          ``navigation_per_placement``;
        * ``correction_rate``: Undo among Undo and placements; ``mistakes``: the share of
          placements that an annotator knew to be wrong; ``error_then_undo``: the share that
          were wrong and were taken back by Undo; ``error_then_replaced``: that were wrong and for
          which the right thing was chosen or placed instead, without Undo;
          ``error_then_mended``: the two together;
        * ``phases``: the share of each phase of an annotator; ``seconds_mean``: the time of an
          episode; ``action_ms``: the median time of each action;
        * ``success_rate`` where the episodes say so; ``variants``, ``behaviours``,
          ``strategies``: how many episodes have each.

    Raises
    ------
    DatasetError
        A dataset is not there, damaged, or of another version.
    """
    data = open_dataset(*paths)
    counts: dict[str, TaskCounts] = {}
    for table in data.tables(_COLUMNS):
        for task in table.column("task").unique().to_pylist():
            rows = table.filter(pc.equal(table.column("task"), task))
            counts.setdefault(task, TaskCounts(task)).add(rows)
    clicks = sum(sum(count.lengths) for count in counts.values())
    size = _size(data)
    return {
        "episodes": len(data),
        "clicks": clicks,
        "bytes": size,
        "bytes_per_click": size / max(1, clicks),
        "tasks": {task: counts[task].summary() for task in sorted(counts)},
    }


def _size(data: EpisodeDataset) -> int:
    return sum(shard.stat().st_size for shard in data.shards)


@dataclass
class TaskCounts:
    """What is counted of one task."""

    task: str
    lengths: list[int] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    phases: Counter[int] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)
    meta: dict[str, Counter[Any]] = field(default_factory=dict)
    milliseconds: dict[str, list[NDArray[np.uint32]]] = field(default_factory=dict)
    seconds: float = 0.0
    placements: int = 0
    mistakes: int = 0
    undone: int = 0
    replaced: int = 0

    def add(self, rows: pa.Table) -> None:
        """Count the episodes of a table; all are of this task."""
        rows = rows.combine_chunks()
        steps = rows.column("steps").to_numpy()
        flags = rows.column("flags").chunk(0).flatten().to_numpy()
        times = rows.column("ms").chunk(0).flatten().to_numpy()
        coded = rows.column("action").chunk(0).flatten().dictionary_encode()
        codes, names = coded.indices.to_numpy(), coded.dictionary.to_pylist()
        self.lengths += steps.tolist()
        self.variants.update(rows.column("variant").to_pylist())
        self.seconds += float(times.sum(dtype=np.float64)) / 1000
        for code, name in enumerate(names):
            self.actions[name] += int(np.count_nonzero(codes == code))
            self.milliseconds.setdefault(name, []).append(times[codes == code])
        phase = flags >> 4 & 7
        for each, count in zip(*np.unique(phase, return_counts=True), strict=True):
            self.phases[int(each)] += int(count)
        edits = np.isin(codes, [c for c, name in enumerate(names) if name in self._edits])
        places = np.isin(codes, [c for c, name in enumerate(names) if name in self._placements])
        placed = (phase == Phase.PLACE) | (places & (phase == Phase.NONE))
        wrong = placed & (flags & Flag.MISTAKE > 0)
        self.placements += int(np.count_nonzero(placed))
        self.mistakes += int(np.count_nonzero(wrong))
        undos = codes == names.index(UNDO) if UNDO in names else np.zeros(len(codes), dtype=bool)
        clicks = LabelledClicks(np.cumsum(steps), flags, edits, places, undos)
        undone = taken_back(clicks)
        self.undone += int(np.count_nonzero(wrong & undone))
        self.replaced += int(np.count_nonzero(replaced(clicks, wrong, undone)))
        for text in rows.column("meta").to_pylist():
            for name, value in json.loads(text).items():
                if isinstance(value, str | bool):
                    self.meta.setdefault(name, Counter())[value] += 1

    @property
    def _class(self) -> type[TaskBase]:
        try:
            return task_class(self.task)
        except (UsageError, TaskError):  # not installed here: the usual names
            return TaskBase

    @property
    def _edits(self) -> frozenset[str]:
        return self._class.edit_actions

    @property
    def _placements(self) -> frozenset[str]:
        return self._edits - REMOVALS

    def summary(self) -> dict[str, Any]:
        """Return the figures of this task."""
        lengths = np.array(self.lengths)
        clicks = max(1, int(lengths.sum()))
        low, middle, high = np.percentile(lengths, _PERCENTILES)
        navigation = sum(self.actions[name] for name in self._class.navigation_actions)
        placement = sum(self.actions[name] for name in self._placements)
        undos = self.actions[UNDO]
        result: dict[str, Any] = {
            "episodes": len(lengths),
            "clicks": int(lengths.sum()),
            "steps_mean": float(lengths.mean()),
            "steps_sd": float(lengths.std()),
            "steps_min": int(lengths.min()),
            "steps_p5": float(low),
            "steps_p50": float(middle),
            "steps_p95": float(high),
            "steps_max": int(lengths.max()),
            "actions": {name: n / clicks for name, n in self.actions.most_common()},
            "navigation": navigation / clicks,
            "placement": placement / clicks,
            "navigation_per_placement": navigation / max(1, placement),
            "correction_rate": undos / max(1, undos + placement),
            "mistakes": self.mistakes / max(1, self.placements),
            "error_then_undo": self.undone / max(1, self.placements),
            "error_then_replaced": self.replaced / max(1, self.placements),
            "error_then_mended": (self.undone + self.replaced) / max(1, self.placements),
            "phases": {_phase(p): n / clicks for p, n in sorted(self.phases.items())},
            "seconds_mean": self.seconds / len(lengths),
            "action_ms": {
                name: float(np.median(np.concatenate(times)))
                for name, times in self.milliseconds.items()
            },
            "variants": dict(self.variants.most_common()),
            "behaviours": dict(self.meta.get("behaviour", Counter()).most_common()),
            "strategies": dict(self.meta.get("strategy", Counter()).most_common()),
            "lengths": lengths.tolist(),
        }
        success = self.meta.get("success")
        if success:
            result["success_rate"] = success[True] / sum(success.values())
        return result


def _phase(number: int) -> str:
    return Phase(number).name.lower() if number <= max(Phase) else "none"
