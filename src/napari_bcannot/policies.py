"""The policies that can be chosen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from psygnal import SignalInstance

from bcannot_core.errors import CheckpointError

if TYPE_CHECKING:
    from napari_bcannot.turns import PolicyLike, WatcherLike

SHIPPED = "default"

changed = SignalInstance((str,), name="changed")
"""Sent with the name of a policy of the person's own that has been made or removed."""


def own_folder() -> Path:
    """Return the folder of the person's own policies."""
    return platformdirs.user_data_path("bcannot") / "policies"


def own_policies() -> list[str]:
    """Return the names of the person's own policies; loads nothing."""
    root = own_folder()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [folder.name for folder in folders if (folder / "config.json").is_file()]


def load_policy(name: str) -> "PolicyLike":
    """Load a policy by name or folder, on the device that suits.

    Raises
    ------
    CheckpointError
        There is none, or it cannot be used.
    """
    from bcannot_core.policy.policy import Policy  # imports torch, which takes seconds

    return Policy.load(name, device="auto")


def watcher_of(policy: Any, name: str) -> "WatcherLike | None":
    """Return who looks on for mistakes; None where no mistake probe is saved with the policy."""
    from bcannot_core.policy.policy import Policy
    from bcannot_core.probes.directions import MistakeProbe
    from bcannot_core.probes.live import MistakeWatcher

    if not isinstance(policy, Policy):
        return None
    try:
        return MistakeWatcher(policy, MistakeProbe.load(name))
    except CheckpointError:
        return None


def check_folder(folder: str) -> str:
    """Return the folder if it looks like a checkpoint.

    Raises
    ------
    CheckpointError
        It does not.
    """
    if not (Path(folder) / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no policy: choose the folder with its config.json and weights"
        )
    return folder
