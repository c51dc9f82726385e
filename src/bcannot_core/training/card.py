"""Model cards: what a policy was made from, in Markdown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcannot_core.episodes.episode import Episode
from bcannot_core.training.recipe import TrainRecipe
from bcannot_core.volumes.address import split_options

if TYPE_CHECKING:
    from bcannot_core.training.lessons import Corrected


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
        f"* Glance: {recipe.glance.updates} updates of {recipe.glance.batch} glances",
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


def learned_card(
    name: str, start: Path, result: Mapping[str, Any], sessions: "Sequence[Corrected]"
) -> str:
    """Return the card of a policy that learned from a person's sessions.

    Parameters
    ----------
    name : str
        Of the policy.
    start : Path
        Folder of the policy that it began with.
    result : mapping
        What came of it, as plain values.
    sessions : sequence of Corrected
        What it learned from.
    """
    volumes = Counter(_base(getattr(s.task.world.volume, "address", "")) for s in sessions)
    scales = sorted({f"{s.task.config.nm_per_px:g}" for s in sessions})
    lines = [
        f"# {name}",
        "",
        f"A policy that traces neurites by clicking: `{start.name}`, gone on learning from "
        "sessions that a person corrected.",
        "",
        f"* Sessions: {result['sessions']}, with {result['sections']} sections and "
        f"{result['corrections']} corrections; {result['held_out']} more were held out",
        f"* Canvas pixels: {', '.join(scales)} nm",
        f"* Updates: {result['updates']} in {result['seconds'] / 60:.1f} minutes, beside a "
        "rehearsal of labelled tissue",
        "",
        "## On the sessions held out",
        "",
        *_scores(result["before"], result["after"], start.name, name),
        "",
        "## Data",
        "",
        *(f"* {volume}: {count} sessions" for volume, count in sorted(volumes.items())),
        "",
    ]
    return "\n".join(lines)


def _scores(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, old: str, new: str
) -> list[str]:
    if before is None or after is None:
        return ["There were too few sessions to hold any out."]
    rows = ((f"`{old}`, before", before), (f"`{new}`", after))
    return [
        "| policy | proposals on the neurite | corrections per 100 sections |",
        "|---|---|---|",
        *(f"| {n} | {s['right']:.1%} | {s['corrections_per_100']:.1f} |" for n, s in rows),
        "",
        f"{after['sections']} sections of {after['sessions']} sessions.",
    ]


def _base(address: str) -> str:
    """Return an address without options and folders: enough to know the data by."""
    location, _ = split_options(address)
    return location if location.startswith("synthetic://") else location.rpartition("/")[2]
