"""How a policy's run has gone so far, and when it has gone on for too long."""

IDLE_CLICKS = 12
"""A policy that clicks this often in a row without effect is paused."""
CLICKS_PER_SECTION = 8
"""A policy that clicks this often per section, on average, is paused."""


class RunCount:
    """Counts the clicks of a run.

    Parameters
    ----------
    once : bool
        Whether the run is a single click.
    """

    def __init__(self, *, once: bool = False) -> None:
        self.once = once
        self._clicks = self._idle = 0

    def count(self, action: str, sections: int) -> str | None:
        """Take note of a click; return why the run is over, None where it is not."""
        self._clicks += 1
        self._idle = self._idle + 1 if action == "none" else 0
        if self.once:
            return f"One step: {action.replace('_', ' ')}."
        if self._idle >= IDLE_CLICKS:
            return f"Paused: the policy's last {IDLE_CLICKS} clicks did nothing."
        if self._clicks >= CLICKS_PER_SECTION * sections:
            return f"Paused: {self._clicks} clicks without Done."
        return None
