"""Model cards of frames policies, in Markdown."""

from collections.abc import Sequence

from bcannot_core.training.frames.recipe import FramesRecipe


def frames_card(name: str, recipe: FramesRecipe, tasks: Sequence[str], updates: int) -> str:
    """Return the card of a policy: what it does, and what it was made from.

    Figures are added by whoever evaluates it.

    Parameters
    ----------
    name : str
        Of the run.
    recipe : FramesRecipe
        What it was made with.
    tasks : sequence of str
        Ids of the tasks that it has seen.
    updates : int
        How many updates were carried out.
    """
    config, data, optimizer = recipe.config, recipe.data, recipe.optimizer
    weights = data.tasks or dict.fromkeys(tasks, 1.0)
    total = sum(weights.get(task, 0.0) for task in tasks) or 1.0
    lines = [
        f"# {name}",
        "",
        "A policy that annotates by clicking on what it sees, trained with `bcannot train`.",
        "",
        f"* Screen: {config.frame_wh[0]} × {config.frame_wh[1]} px, {config.context} steps of "
        "context",
        f"* Encoder: {config.encoder.kind}, transformer of width {config.width} and "
        f"{config.layers} layers, {config.head} head",
        f"* Updates: {updates} of {recipe.updates}, {recipe.windows} windows each",
        f"* Optimizer: {optimizer.name}, rate {optimizer.rate:g}",
        f"* Seed: {recipe.seed}",
        "",
        "## Data",
        "",
        *(f"* {task}: {100 * weights.get(task, 0.0) / total:.0f} % of windows" for task in tasks),
        "",
    ]
    return "\n".join(lines)
