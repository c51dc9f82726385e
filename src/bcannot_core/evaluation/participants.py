"""Who is evaluated, by name: a trained policy, a baseline, or a vision-language model."""

from bcannot_core.errors import UsageError
from bcannot_core.evaluation.actors import Actors, policy_actors
from bcannot_core.evaluation.scripted import PREFIX, scripted_actors

VLM_PREFIX = "vlm:"
USUAL_ROWS = 16


def open_actors(
    name: str,
    task: str,
    rows: int | None = None,
    *,
    device: str = "auto",
    temperature: float = 0.0,
    seed: int = 0,
) -> Actors:
    """Open whoever is to be evaluated.

    Parameters
    ----------
    name : str
        A policy's name or folder, ``baseline:random``, ``baseline:annotator``,
        ``baseline:flawless``, or ``vlm:MODEL@URL``.
    task : str
        Task id.
    rows : int, optional
        Sessions at once; by default 16 where the policy takes them in one batch, else 1.
    device : str
        For policies.
    temperature : float
        For policies: 0 takes the most probable click.
    seed : int
        Of draws.

    Raises
    ------
    UsageError
        There is no such baseline, or no session is asked for.
    CheckpointError
        There is no such policy.
    """
    if rows is not None and rows < 1:
        raise UsageError(f"{rows} sessions at once: give at least 1")
    if name.startswith(PREFIX):
        return scripted_actors(name, rows or USUAL_ROWS, seed)
    if name.startswith(VLM_PREFIX):
        from bcannot_core.evaluation.vlm.policy import VlmActors, endpoint_of

        return VlmActors(endpoint_of(name), task, rows or 1)
    from bcannot_core.policy.policy import Policy

    policy = Policy.load(name, device=device, temperature=temperature)
    return policy_actors(policy, rows or USUAL_ROWS)
