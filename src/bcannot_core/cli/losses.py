"""The progress of a training run: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Self

import typer

from bcannot_core.cli.common import figure, progress
from bcannot_core.closing import Closing

LINE_EVERY_S = 30.0


class LossLine(Closing):
    """Shows the losses of updates as they come.

    Parameters
    ----------
    updates : int
        Updates of the whole run.
    """

    def __init__(self, updates: int) -> None:
        self._updates = updates
        self._stack = ExitStack()
        self._said = 0.0

    def __enter__(self) -> Self:
        self._advance = self._stack.enter_context(progress("training", self._updates))
        return self

    def close(self) -> None:
        """End the bar."""
        self._stack.close()

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Take the losses of one update, or how many episodes were left out before the first."""
        if "left_out" in entry:
            left_out, every = entry["left_out"], entry["episodes"] + entry["left_out"]
            text = f"note: {left_out} of {every} episodes are of other tasks: left out"
            typer.echo(text, file=sys.stderr)  # err=True would write into the bar
            return
        self._advance(1)
        if sys.stderr.isatty() or time.monotonic() - self._said < LINE_EVERY_S:
            return
        self._said = time.monotonic()
        typer.echo("  ".join(_words(entry)), err=True)


def _words(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield ``name value`` for every figure, those of groups by their own names."""
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from _words(value)
        else:
            yield f"{key} {figure(value)}"
