"""Watching a session live, to say of each click how likely it was a mistake."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.probes.directions import MistakeProbe
from bcannot_core.probes.taps import ClsTap

Frame = NDArray[np.uint8]


class MistakeWatcher:
    """Looks on at a session with a memory of its own, and scores each click that is made.

    A policy that is told to trust a person's clicks takes them for the truth, mistakes included:
    its stream knows nothing of them any more. The watcher trusts nobody. It shares the policy's
    network and leaves its memory alone.

    Parameters
    ----------
    policy : Policy
        Whose network looks on.
    probe : MistakeProbe
        Of the same weights.
    """

    def __init__(self, policy: Any, probe: MistakeProbe) -> None:
        self._policy = type(policy)(policy.net, device=str(policy.device))
        self._probe = probe

    def reset(self) -> None:
        """Forget the session; the next click begins a new one."""
        self._policy.reset()

    def saw(
        self, frame: Frame, click_xy: tuple[int, int], following: Frame | None = None
    ) -> float | None:
        """Take in a click, and return how likely it was a mistake, 0 to 1.

        Parameters
        ----------
        frame : uint8 (height, width, 3)
            What was seen.
        click_xy : tuple of int
            What was clicked, in frame pixels, by whomever.
        following : uint8 (height, width, 3), optional
            What came of it; without it the click is taken in and None returned.

        Raises
        ------
        ClickError
            The click lies outside the frame.
        """
        self._policy.observe(frame, click_xy)
        if following is None:
            return None
        with ClsTap(self._policy) as tap:
            self._policy.propose(following)
            return self._probe.score(tap.latest)

    def alarming(self, score: float) -> bool:
        """Whether a score is one that at most about one right click in twenty reaches."""
        return score > 1 / (1 + float(np.exp(-self._probe.finding.threshold)))
