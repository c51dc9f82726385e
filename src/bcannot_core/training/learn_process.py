"""Learning in a process of its own: whoever began it stays free, and outlives its failure."""

import multiprocessing
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcannot_core.errors import BcannotError
from bcannot_core.training.learn_control import LearnControl
from bcannot_core.training.workers import end_with_parent

if TYPE_CHECKING:
    from bcannot_core.training.learning_options import LearnOptions

_POLITE = 5
_ENDS_S = 2.0

Told = Mapping[str, Any]


@dataclass(frozen=True)
class LearnRequest:
    """What to learn from, and how; asking for it loads nothing.

    Attributes
    ----------
    paths : tuple of Path
        Where the sessions lie.
    name : str
        Of the new policy.
    start_from, device, minutes
        As in ``LearnOptions``.
    held_out : float
        Share of the sessions to score on.
    updates : int, optional
        At most; as many as the recipe says by default.
    rehearsal : tuple of str, optional
        Labelled volumes not to forget; generated tissue by default.
    """

    paths: tuple[Path, ...]
    name: str
    start_from: str = "default"
    device: str = "auto"
    minutes: float | None = None
    held_out: float = 0.2
    updates: int | None = None
    rehearsal: tuple[str, ...] | None = None

    def options(self) -> "LearnOptions":
        """Return this as options; loads what learning needs."""
        from bcannot_core.training.learning_options import REHEARSAL, LearnOptions
        from bcannot_core.training.lesson_stage import LearnRecipe

        base = LearnRecipe()
        recipe = replace(base, held_out=self.held_out, updates=self.updates or base.updates)
        known = REHEARSAL if self.rehearsal is None else self.rehearsal
        return LearnOptions(self.name, self.start_from, recipe, self.device, self.minutes, known)


class LearnProcess:
    """A process that learns; what it tells waits until it is asked for.

    Parameters
    ----------
    request : LearnRequest
        What to do.
    """

    def __init__(self, request: LearnRequest) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, request), daemon=True)
        self._process.start()
        theirs.close()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether there is nothing more to come."""
        return self._over

    def news(self) -> list[Told]:
        """Return what was told since the last call; never waits.

        The last entry of all has the stage ``result`` (with what came of it), ``stopped`` or
        ``failed`` (with a ``message``).
        """
        found: list[Told] = []
        try:
            while not self._over and self._ours.poll():
                found.append(self._ours.recv())
                self._over = found[-1]["stage"] in ("result", "stopped", "failed")
        except (EOFError, OSError):
            self._over = True
            found.append({"stage": "failed", "message": "the process that learns has ended"})
        if self._over:
            self._ours.close()
        return found

    def pause(self) -> None:
        """Wait at the next update."""
        self._ask("pause")

    def resume(self) -> None:
        """Go on."""
        self._ask("resume")

    def stop(self) -> None:
        """End soon; what was learned is kept, and goes on when the same is asked again."""
        self._ask("stop")

    def close(self) -> None:
        """End now, with a moment to keep what was learned."""
        self.stop()
        self._process.join(_ENDS_S)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._over = True
        self._ours.close()

    def _ask(self, what: str) -> None:
        with suppress(OSError):  # it has ended: nobody is left to ask
            self._ours.send(what)


def _run(link: Connection, request: LearnRequest) -> None:
    """Learn, telling what happens and doing what is asked through the link."""
    end_with_parent()
    if hasattr(os, "nice"):
        os.nice(_POLITE)
    control = LearnControl()
    threading.Thread(target=_listen, args=(link, control), daemon=True).start()
    with suppress(OSError):  # nobody listens any more
        link.send(_outcome(link, request, control))


def _outcome(link: Connection, request: LearnRequest, control: LearnControl) -> Told:
    from bcannot_core.training.session_files import read_sessions

    try:
        episodes, problems = read_sessions(request.paths)
        from bcannot_core.training.learning import learn  # takes seconds: only where it is needed

        learned = learn(episodes, request.options(), control=control, progress=link.send)
    except (BcannotError, OSError, MemoryError, RuntimeError) as error:
        return {"stage": "failed", "message": str(error) or type(error).__name__}
    if learned is None:
        return {"stage": "stopped"}
    told = learned.to_json()
    return {"stage": "result", **told, "problems": [*problems, *told["problems"]]}


def _listen(link: Connection, control: LearnControl) -> None:
    """Do what is asked; where nobody can ask any more, stop."""
    asked = {"pause": control.pause, "resume": control.resume, "stop": control.stop}
    with suppress(EOFError, OSError):
        while True:
            asked[link.recv()]()
    control.stop()
