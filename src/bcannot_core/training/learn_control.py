"""Pausing, resuming and stopping what learns in another thread."""

import threading


class LearnControl:
    """Lets another thread pause, resume and stop learning."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._running.set()
        self._stopped = False

    @property
    def paused(self) -> bool:
        """Whether learning waits to be resumed."""
        return not self._running.is_set()

    @property
    def stopped(self) -> bool:
        """Whether learning is to end."""
        return self._stopped

    def pause(self) -> None:
        """Wait at the next update."""
        if not self._stopped:
            self._running.clear()

    def resume(self) -> None:
        """Go on."""
        self._running.set()

    def stop(self) -> None:
        """End at the next update; what was learned is kept where it goes on later."""
        self._stopped = True
        self._running.set()

    def keep_on(self) -> bool:
        """Wait while paused; return whether to go on."""
        self._running.wait()
        return not self._stopped
