"""Finding tasks by id: the entry point group ``bcannot.tasks``, so that others can add theirs."""

import difflib
from functools import lru_cache, partial
from importlib import metadata
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.tasks.base import TaskBase
from bcannot_core.tasks.env import AnnotationEnv

GROUP = "bcannot.tasks"
_BUILT_IN = {
    "animal_behavior_tracking": "animal_behavior_tracking:AnimalBehaviorTracking",
    "animal_limb_tracking": "animal_limb_tracking:AnimalLimbTracking",
    "cell_lineage": "cell_lineage:CellLineage",
    "colored_dot_tracking": "colored_dot_tracking:ColoredDotTracking",
    "exploration_3d": "exploration_3d:Exploration3D",
    "multichannel_alignment": "multichannel_alignment:MultichannelAlignment",
    "neuron_tracing": "neuron_tracing:NeuronTracing",
    "neuron_tracking": "neuron_tracking:NeuronTracking",
    "road_network": "road_network:RoadNetwork",
    "shape_matching": "shape_matching:ShapeMatching",
    "spectral_plume": "spectral_plume:SpectralPlume",
}


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, metadata.EntryPoint]:
    """Return the tasks that are installed; the built-in ones also from a bare checkout."""
    found = {
        name: metadata.EntryPoint(name=name, value=f"bcannot_core.tasks.{value}", group=GROUP)
        for name, value in _BUILT_IN.items()
    }
    for point in metadata.entry_points(group=GROUP):
        found.setdefault(point.name, point)
    return found


def list_tasks() -> list[str]:
    """Return the ids of all installed tasks."""
    return sorted(_entry_points())


def task_class(task_id: str) -> type[TaskBase]:
    """Return the class of a task.

    Raises
    ------
    UsageError
        There is no task of this id; the message names the nearest one.
    TaskError
        What the entry point names is no task.
    """
    points = _entry_points()
    if task_id not in points:
        near = difflib.get_close_matches(task_id, points, n=1, cutoff=0.5)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(sorted(points))}"
        )
        raise UsageError(f"unknown task {task_id!r}: {hint}")
    point = points[task_id]
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise TaskError(f"task {task_id!r} ({point.value}) cannot be loaded: {error}") from error
    if not (isinstance(found, type) and issubclass(found, TaskBase)):
        raise TaskError(f"task {task_id!r}: {point.value} is not a subclass of TaskBase")
    return found


def make_task(task_id: str, seed: int = 0, **options: Any) -> TaskBase:
    """Make a task on a random world.

    Parameters
    ----------
    task_id : str
        One of :func:`list_tasks`.
    seed : int
        Of the world.
    **options
        The task's own, and ``variant``.
    """
    return task_class(task_id).sample(np.random.default_rng(seed), **options)


def make(
    task_id: str,
    variant: str = "original",
    *,
    max_steps: int | None = None,
    render_mode: str | None = "rgb_array",
    **options: Any,
) -> AnnotationEnv:
    """Make a task's environment.

    Parameters
    ----------
    task_id : str
        One of :func:`list_tasks`.
    variant : str
        Interface variant, a key of ``bcannot_core.screen.VARIANTS``.
    max_steps : int, optional
        Truncate episodes after so many clicks.
    render_mode : str, optional
        ``"rgb_array"`` or None.
    **options
        The task's own: for ``neuron_tracing`` the fields of ``TracingConfig``, and ``volume``,
        ``labels`` and ``start_zyx``.

    Raises
    ------
    UsageError
        The task, the variant or an option is unknown.
    """
    env = AnnotationEnv(
        task_class(task_id),
        {"variant": variant, **options},
        max_steps=max_steps,
        render_mode=render_mode,
    )
    again = partial(make, task_id, variant, max_steps=max_steps, **options)
    env.spec = EnvSpec(
        f"bcannot/{task_id}-v0", again, order_enforce=False, disable_env_checker=True
    )
    return env
