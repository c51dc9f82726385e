"""Model cards: what a policy was made from, in Markdown."""

from collections import Counter
from collections.abc import Iterable

from bcannot_core.episodes.episode import Episode
from bcannot_core.training.recipe import TrainRecipe
from bcannot_core.volumes.address import split_options


def model_card(name: str, recipe: TrainRecipe, episodes: Iterable[Episode]) -> str:
    """Return the card of a policy: data, recipe, and what it is for.

    Figures are added by whoever evaluates it.
    """
    volumes = Counter(
        _base(episode.data.volume) for episode in episodes if episode.data is not None
    )
    lines = [
        f"# {name}",
        "",
        "A policy that traces neurites by clicking, trained with `bcannot train`.",
        "",
        f"* Screen: {recipe.policy.frame_wh[0]} × {recipe.policy.frame_wh[1]} px",
        f"* Trained at {recipe.glance.augmentation.nm_per_px:g} nm per canvas pixel, "
        f"zoom {recipe.glance.augmentation.zooms[0]:g} to {recipe.glance.augmentation.zooms[1]:g}",
        f"* Glance: {recipe.glance.updates} updates of {recipe.glance.lanes} glances",
        f"* Steps: {recipe.steps.updates} updates of {recipe.steps.windows} windows of "
        f"{recipe.policy.context} steps",
        f"* Seed: {recipe.seed}",
        "",
        "## Data",
        "",
        *(f"* {volume}: {count} episodes" for volume, count in sorted(volumes.items())),
        "",
    ]
    return "\n".join(lines)


def _base(address: str) -> str:
    """Return an address without options and folders: enough to know the data by."""
    location, _ = split_options(address)
    return location if location.startswith("synthetic://") else location.rpartition("/")[2]
