"""Recorded sessions as layers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.worlds import build_task
from bcannot_core.errors import DatasetError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from napari_bcannot.layers import LayerData, trace_layers
from napari_bcannot.nodes import rows_to_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bcannot_core.episodes.episode import Episode

MAX_EPISODES = 500
"""So many traces are shown of a dataset, the first ones."""

Voxel = tuple[float, float, float]


def dataset_layers(path: str) -> list[LayerData]:
    """Return the traces of a dataset: a vectors and a points layer for each volume.

    The points' features say which ``episode`` of the dataset a node is of.

    Raises
    ------
    DatasetError
        The dataset cannot be read or holds no traces.
    VolumeError
        A volume that it names cannot be opened.
    """
    traces: dict[tuple[str, Voxel], list[tuple[int, NDArray[np.float64]]]] = {}
    for index, episode in enumerate(open_dataset(path)):
        if index >= MAX_EPISODES:
            break
        if episode.data is not None and episode.task == NeuronTracing.id:
            key = (episode.data.volume, episode.data.voxel_nm)
            traces.setdefault(key, []).append((index, _nodes(episode)))
    if not traces:
        raise DatasetError(
            f"{path} holds no traced neurites, and only those are shown as layers: look at other "
            "episodes in Play a task, Open recording"
        )
    name = Path(path).name
    layers: list[LayerData] = []
    for (volume, voxel_nm), members in traces.items():
        layers += _layers_of(name, volume, voxel_nm, members)
    return layers


def _layers_of(
    name: str, volume: str, voxel_nm: Voxel, members: "list[tuple[int, NDArray[np.float64]]]"
) -> list[LayerData]:
    rows = np.concatenate([nodes for _, nodes in members])
    edges = np.concatenate([rows_to_edges(nodes) for _, nodes in members])
    episodes = np.concatenate([np.full(len(nodes), index) for index, nodes in members])
    layers = trace_layers(rows, edges, voxel_nm, name, {"episode": episodes})
    for _, meta, _ in layers:
        meta["metadata"] = {"volume": volume}
    return layers


def _nodes(episode: "Episode") -> "NDArray[np.float64]":
    """Return the nodes that stood at the end; no frame is drawn for it."""
    task: Any = build_task(episode)
    session = Session(task)
    for token in episode.clicks:
        session.apply((token.x, token.y), token.actor, token.flags, token.ms)
    return np.asarray(task.nodes_zyx(session.state), dtype=np.float64).reshape(-1, 3)
