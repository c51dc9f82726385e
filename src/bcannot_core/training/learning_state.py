"""The state of learning that was stopped: it goes on from the same policy and sessions alone."""

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bcannot_core.episodes.episode import Episode, to_json
from bcannot_core.training.store import load_state, save_state

_STATE, _ASIDE = "state", "state-before"
_ORIGIN = "origin"


def origin_of(net: nn.Module, episodes: Iterable[Episode], held_out: float) -> str:
    """Return what tells learning from other learning: where it begins, what it sees and does not.

    To go on with other sessions would score the policy on some that it has learned from.

    Parameters
    ----------
    net : nn.Module
        The policy that it begins with.
    episodes : iterable of Episode
        The sessions, in order: that decides which are held out.
    held_out : float
        Share of them that is.
    """
    digest = hashlib.blake2b(repr(held_out).encode(), digest_size=16)
    for name, tensor in net.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    for episode in episodes:
        about = (episode.task, to_json(episode.config), episode.variant, episode.seed)
        data = "" if episode.data is None else to_json(episode.data.to_dict())
        digest.update(repr((about, data, tuple(episode.clicks))).encode())
    return digest.hexdigest()


class LearningState:
    """The state in a folder.

    Parameters
    ----------
    work : Path
        The folder of the log and the state.

    Attributes
    ----------
    origin : str
        As :func:`origin_of` has it, once it is known.
    """

    def __init__(self, work: Path) -> None:
        self._folder, self._aside = work / _STATE, work / _ASIDE
        self.origin = ""

    def take(self) -> tuple[tuple[dict[str, Any], dict[str, Tensor]] | None, str]:
        """Return what to go on from, None where there is nothing of this origin, and a remark.

        A state of another origin is moved away, which the remark says; one such state is kept.

        Raises
        ------
        CheckpointError
            It is there but not readable.
        """
        kept = load_state(self._folder)
        if kept is None or kept[0].get(_ORIGIN) == self.origin:
            return kept, ""
        shutil.rmtree(self._aside, ignore_errors=True)
        self._folder.replace(self._aside)
        return None, (
            "what was learned under this name before, and stopped: it was from another policy or "
            f"other sessions, and lies in {self._aside}"
        )

    def save(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Keep what is needed to go on."""
        save_state(self._folder, {**values, _ORIGIN: self.origin}, tensors)

    def remove(self) -> None:
        """Remove it: the policy is saved, and who learns under its name again begins anew."""
        shutil.rmtree(self._folder, ignore_errors=True)
