"""What processes that prepare data share."""

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Let this process end with the one that started it, rather than wait for ever."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: end without a word
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
