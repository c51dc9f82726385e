"""Sample data for napari's *Open sample* menu."""

from importlib.resources import files
from typing import Any, Protocol

LayerData = tuple[Any, dict[str, Any], str]


def sample_em() -> list[LayerData]:
    """Return the bundled volume: synthetic electron microscopy, and its neurites (hidden)."""
    from bcannot_core.volumes import open_volume
    from napari_bcannot.remote_layers import volume_layer

    path = str(files("bcannot_core") / "data" / "sample_em.npz")
    image = volume_layer(open_volume(path), "sample EM")
    data, meta, kind = volume_layer(open_volume(path, labels=True), "sample neurites")
    return [image, (data, meta | {"visible": False}, kind)]


class TaskSample(Protocol):
    """Makes the layers of a task's world."""

    def __call__(self, seed: int = 0, **options: Any) -> list[LayerData]:
        """Return the world of a seed, its ground truth hidden; options are the task's own."""


def sample_of(task_id: str) -> TaskSample:
    """Return what opens worlds of a task; nothing is loaded before."""

    def sample(seed: int = 0, **options: Any) -> list[LayerData]:
        from bcannot_core.tasks.registry import make_task
        from napari_bcannot.shown_world import for_view, is_spatial

        layers = make_task(task_id, seed, **options).layers()
        if is_spatial(layers):
            _show_in_3d()
        return for_view(layers)

    sample.__name__ = task_id
    return sample


def _show_in_3d() -> None:
    """Let the viewer that a sample is opened in show three dimensions; it adds the layers next."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        viewer.dims.ndisplay = 3


colored_dot_tracking = sample_of("colored_dot_tracking")
neuron_tracking = sample_of("neuron_tracking")
multichannel_alignment = sample_of("multichannel_alignment")
exploration_3d = sample_of("exploration_3d")
spectral_plume = sample_of("spectral_plume")
animal_limb_tracking = sample_of("animal_limb_tracking")
road_network = sample_of("road_network")
cell_lineage = sample_of("cell_lineage")
animal_behavior_tracking = sample_of("animal_behavior_tracking")
shape_matching = sample_of("shape_matching")
neuron_tracing = sample_of("neuron_tracing")
