"""Activations of the [cls] stream over recorded sessions, on disk, in bounded memory.

A part holds the steps of a few dozen episodes: a float16 tensor a layer and the labels. Parts
appear whole or not at all, so that work that was interrupted goes on, and a layer is read without
the others.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bcannot_core.episodes.dataset import EpisodeDataset
from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.policy.tensors import written
from bcannot_core.probes.labels import LABELS, Labels
from bcannot_core.probes.reading import Reader, Stream

FORMAT, VERSION = "bcannot-activations", 1
PART_EPISODES = 32
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Activations:
    """Activations on disk.

    Attributes
    ----------
    parts : tuple of Path
        Where they are, in the order of the episodes.
    layers, width : int
        Shape of the stream of one step.
    labels : structured (steps,)
        What :data:`~bcannot_core.probes.labels.LABELS` says of every step.
    """

    parts: tuple[Path, ...]
    layers: int
    width: int
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def layer(self, index: int, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return one layer at some rows, sorted, (rows, width); a part is in memory at a time."""
        found = np.empty((len(rows), self.width), np.float32)
        first = 0
        for path in self.parts:
            with _opened(path) as part:
                stream = part.get_tensor(_name(index))
            begin, end = np.searchsorted(rows, (first, first + len(stream)))
            found[begin:end] = stream[rows[begin:end] - first]
            first += len(stream)
        return found


class Chosen(Sequence[Episode]):
    """Some episodes of a dataset, read when asked for.

    Parameters
    ----------
    data : EpisodeDataset
        The dataset.
    indices : int (n,)
        Which, in order.
    """

    def __init__(self, data: EpisodeDataset, indices: NDArray[np.intp]) -> None:
        self._data, self._indices = data, indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...
    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        """Return an episode, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self._data[int(i)] for i in self._indices[index]]
        return self._data[int(self._indices[index])]


def chosen_episodes(data: EpisodeDataset, most: int | None = None, seed: int = 0) -> Chosen:
    """Return episodes of a dataset, in order: of every task at most ``most``, drawn by the seed."""
    if most is None:
        return Chosen(data, np.arange(len(data)))
    tasks = data.column("task")
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(tasks == task))[:most] for task in np.unique(tasks)]
    return Chosen(data, np.sort(np.concatenate(drawn)))


def record_activations(
    reader: Reader,
    episodes: Sequence[Episode],
    folder: Path,
    *,
    policy: str = "",
    advance: Callable[[int], object] = lambda _n: None,
) -> Activations:
    """Record the stream over episodes; parts that are there are not made again.

    Parameters
    ----------
    reader : Reader
        How the stream is read.
    episodes : sequence of Episode
        What is replayed.
    folder : Path
        Where the activations are kept.
    policy : str
        What tells the policy from others, as its fingerprint.
    advance : callable
        Called with the number of episodes that were done.

    Raises
    ------
    UsageError
        There are no episodes, or the folder holds something else.
    DatasetError
        An episode cannot be replayed, or a part is not readable.
    CheckpointError
        The disk is full.
    """
    if not episodes:
        raise UsageError("there are no episodes to read activations of: give datasets with some")
    about = {
        "format": FORMAT,
        "version": VERSION,
        "policy": policy,
        "layers": reader.layers,
        "width": reader.width,
        "episodes": _digest(episodes),
    }
    _claim(folder, about)
    parts = []
    for first in range(0, len(episodes), PART_EPISODES):
        path = folder / f"part-{first // PART_EPISODES:05d}.safetensors"
        batch = episodes[first : first + PART_EPISODES]
        if not path.exists():
            _write_part(path, reader.read(first, batch), advance)
        else:
            advance(len(batch))
        parts.append(path)
    labels = np.concatenate([_labels(path) for path in parts])
    return Activations(tuple(parts), reader.layers, reader.width, labels)


def _write_part(
    path: Path, read: Iterable[tuple[Stream, Labels]], advance: Callable[[int], object]
) -> None:
    streams, labels = [], []
    for stream, rows in read:
        streams.append(stream)
        labels.append(rows)
        advance(1)
    whole = np.concatenate(streams)
    tensors: dict[str, NDArray[Any]] = {
        _name(i): np.ascontiguousarray(whole[:, i]) for i in range(whole.shape[1])
    }
    packed = np.concatenate(labels)
    tensors["labels"] = np.frombuffer(packed.tobytes(), np.uint8).reshape(len(packed), -1)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with written(path):
            save_file(tensors, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _claim(folder: Path, about: dict[str, Any]) -> None:
    """Take a folder for these activations, or see that it holds them."""
    manifest = folder / _MANIFEST
    folder.mkdir(parents=True, exist_ok=True)
    if manifest.exists():
        try:
            there = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError:
            there = None
        if there != about:
            raise UsageError(
                f"{folder} holds activations of another policy or other episodes: "
                "choose another folder"
            )
        return
    if any(folder.iterdir()):
        raise UsageError(f"{folder} holds something else than activations: choose another folder")
    aside = folder / f".{_MANIFEST}.{os.getpid()}"
    aside.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    aside.replace(manifest)


def _digest(episodes: Iterable[Episode]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for episode in episodes:
        about = (episode.task, to_json(episode.config), episode.variant, episode.seed)
        data = "" if episode.data is None else to_json(episode.data.to_dict())
        digest.update(repr((about, data, episode.clicks)).encode())
    return digest.hexdigest()


def _labels(path: Path) -> Labels:
    with _opened(path) as part:
        packed = part.get_tensor("labels")
    labels: Labels = packed.view(LABELS)[:, 0]
    return labels


def _name(layer: int) -> str:
    return f"layer-{layer:02d}"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="numpy") as part:
            yield part
    except (SafetensorError, OSError) as error:
        raise DatasetError(f"{path} is not readable: {error}; remove it") from error
