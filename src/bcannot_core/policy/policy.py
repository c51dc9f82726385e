"""A policy as the rest of the system uses it: frames in, clicks out, one at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from bcannot_core.errors import CheckpointError, ClickError, UsageError
from bcannot_core.policy.checkpoint import (
    Net,
    family_of,
    load_checkpoint,
    resolve_policy,
    save_checkpoint,
)

Frame = NDArray[np.uint8]

_CLASSES = {
    "glance": "bcannot_core.policy.glance_policy:GlancePolicy",
    "frames": "bcannot_core.policy.frames.policy:FramesPolicy",
}


@dataclass(frozen=True)
class Proposal:
    """A click that the policy would make.

    Attributes
    ----------
    click_xy : tuple of int
        In frame pixels.
    confidence : float
        0…1: how probable the policy holds this choice and, on the canvas, this place.
    where : str
        ``"glance"`` for a place on the canvas near the last click, ``"screen"`` otherwise.
    """

    click_xy: tuple[int, int]
    confidence: float
    where: Literal["glance", "screen"]


def choose_device(device: str) -> torch.device:
    """Return the device of a name; ``"auto"`` is a GPU where there is one.

    Raises
    ------
    UsageError
        There is no such device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"there is no device {device!r}: use auto, cpu or cuda") from error
    return chosen


class Policy(ABC):
    """A trained policy with the memory of one session.

    Subclasses, one a family of networks, say how a frame is looked at, a click chosen, and a
    click taken in.

    Parameters
    ----------
    net : Net
        The network.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    temperature : float
        0 takes the most probable click; above, clicks are drawn.

    Attributes
    ----------
    name : str
        What it was loaded as.
    """

    def __init__(self, net: Net, *, device: str = "auto", temperature: float = 0.0) -> None:
        self.device = choose_device(device)
        self.temperature = temperature
        self.name = "unnamed"
        self._saved: Net = net.to(self.device).eval().requires_grad_(False)
        self._proposal: Proposal | None = None

    @classmethod
    def load(cls, name: str | Path, device: str = "auto", *, temperature: float = 0.0) -> Self:
        """Load a policy by name or from a checkpoint folder, whatever its family.

        Raises
        ------
        CheckpointError
            There is no such policy, its files are unreadable or of another version, or it is not
            of the family whose class was asked.
        """
        folder = resolve_policy(name)
        net = load_checkpoint(folder)
        module, _, kind = _CLASSES[family_of(net)].partition(":")
        family = getattr(import_module(module), kind)
        if not issubclass(family, cls):
            raise CheckpointError(
                f"{folder} holds a policy of the family {family_of(net)!r}, which is no "
                f"{cls.__name__}: load it by Policy.load"
            )
        policy: Self = family(net, device=device, temperature=temperature)
        policy.name = folder.name
        return policy

    def save(
        self, folder: str | Path, *, card: str = "", training: Mapping[str, Any] | None = None
    ) -> None:
        """Write the checkpoint folder: configuration, weights, model card."""
        save_checkpoint(self._saved, Path(folder), card=card, training=training or {})

    @property
    def frame_wh(self) -> tuple[int, int]:
        """Width and height of the frames that the policy was made for."""
        return self._saved.config.frame_wh

    # Acting -----------------------------------------------------------------------------------

    @abstractmethod
    def reset(self) -> None:
        """Forget the session; the next frame begins a new one."""

    @property
    def confidence(self) -> float:
        """Confidence of the last proposal, 0…1; 0 before the first."""
        return self._proposal.confidence if self._proposal else 0.0

    def act(self, frame: Frame) -> tuple[int, int]:
        """Choose a click for a frame and take it as made.

        Raises
        ------
        CheckpointError
            The policy cannot look at frames of this size.
        """
        proposal = self.propose(frame)
        self._commit(proposal.click_xy)
        return proposal.click_xy

    def propose(self, frame: Frame) -> Proposal:
        """Choose a click for a frame; it counts only once it is observed or acted."""
        self._look(frame)
        self._proposal = self._choose()
        return self._proposal

    def observe(self, frame: Frame, click: tuple[int, int], *, trusted: bool = False) -> None:
        """Take in a click that somebody else made on a frame.

        Parameters
        ----------
        frame : uint8 (height, width, 3)
            What was seen.
        click : tuple of int
            Where it was clicked, (x, y) in frame pixels.
        trusted : bool
            Follow the click even where the policy holds it for a mistake, as the plugin does
            with a person's.

        Raises
        ------
        ClickError
            The click lies outside the frame.
        """
        width, height = self._bounds(frame)
        if not (0 <= click[0] < width and 0 <= click[1] < height):
            raise ClickError(f"the click {click} lies outside the frame of {width} × {height} px")
        self._look(frame)
        self._commit((int(click[0]), int(click[1])), trusted=trusted)

    @abstractmethod
    def heatmap(self) -> NDArray[np.float32]:
        """Return the probability of the next click, (height, width), sum 1, for the last frame.

        Zeros before the first frame.
        """

    def belief(self, _click: tuple[int, int]) -> float | None:
        """Return how likely a place of the last frame belongs to the object that is followed.

        Parameters
        ----------
        _click : tuple of int
            (x, y) in frame pixels.

        Returns
        -------
        float or None
            0…1; None where nothing was seen yet, or by a policy that holds no such belief.
        """
        return None

    # For the families -------------------------------------------------------------------------

    def _bounds(self, _frame: Frame) -> tuple[int, int]:
        return self.frame_wh

    @abstractmethod
    def _look(self, frame: Frame) -> None:
        """Take in a frame, once."""

    @abstractmethod
    def _choose(self) -> Proposal:
        """Choose a click for the frame last looked at."""

    @abstractmethod
    def _commit(self, click: tuple[int, int], *, trusted: bool = False) -> None:
        """Take in the click made on the frame last looked at."""
