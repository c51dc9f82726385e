"""What is known of a stage on disk: its command line, the minutes it took, whether it is whole."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.study.plan import Stage

from bcannot_core.errors import UsageError

RECORD = "stage.json"
_BEAT_S = 5.0


def write_whole(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file holds, None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


class Record:
    """The record of a stage.

    Parameters
    ----------
    stage : Stage
        The stage.

    Raises
    ------
    UsageError
        The stage's folder holds another stage.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.path = stage.folder / RECORD
        self._is = {"argv": list(stage.argv), "recipe": stage.recipe}
        there = read_json(self.path) or {}
        if there and {name: there.get(name) for name in self._is} != self._is:
            raise UsageError(f"{stage.folder} holds another stage: choose another folder")
        self.minutes = float(there.get("minutes", 0.0))
        self._done = bool(there.get("done"))
        self._before = self.minutes
        self._began: float | None = None

    @property
    def so_far(self) -> float:
        """Minutes up to now."""
        if self._began is None:
            return self.minutes
        return self._before + (time.monotonic() - self._began) / 60

    @property
    def whole(self) -> bool:
        """Whether the stage ended well and all that it gives is there."""
        return self._done and all(_is_whole(path) for path in self.stage.gives)

    def complete(self) -> bool:
        """Take a stage that ended well as whole if all it gives is there; return whether it is."""
        self._done = True
        self._write()
        return self.whole

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count the minutes of what is done inside, so that a kill loses few seconds of them."""
        self._before, self._began = self.minutes, time.monotonic()
        over = threading.Event()
        self._done = False
        self._write()

        def beat() -> None:
            while not over.wait(_BEAT_S):
                self.minutes = self.so_far
                self._write()

        watch = threading.Thread(target=beat, daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()
            self.minutes = self.so_far
            self._began = None
            self._write()

    def _write(self) -> None:
        known = {**self._is, "minutes": round(self.minutes, 4), "done": self._done}
        write_whole(self.path, known)


def _is_whole(path: Path) -> bool:
    """Whether a file or folder is there, with something in it; JSON that can be read."""
    if path.is_dir():
        return any(path.iterdir())
    if path.suffix == ".json":
        return read_json(path) is not None
    return path.is_file() and path.stat().st_size > 0
