"""What processes that prepare data share."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end when the one that started it was killed, rather than wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
