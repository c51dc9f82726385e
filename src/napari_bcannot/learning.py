"""Learning from the person's sessions, as the *Learn from me* widget sees it: no widgets here."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from psygnal import Signal

from bcannot_core.sittings import SittingInfo, list_sittings
from bcannot_core.training.learn_process import LearnProcess, LearnRequest
from napari_bcannot import policies

CARD = "README.md"
_SMOOTH = 0.9
_STAGES = {
    "reading": "Reading the sessions",
    "before": "Scoring the policy on the sessions held out",
    "learning": "Learning",
    "after": "Scoring what was learned",
}


class Job(Protocol):
    """What learns, somewhere else."""

    def news(self) -> list[Mapping[str, Any]]:
        """Return what was told since the last call."""
        ...

    def pause(self) -> None:
        """Wait."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def stop(self) -> None:
        """End soon."""
        ...

    def close(self) -> None:
        """End now."""
        ...


@dataclass(frozen=True)
class SessionEntry:
    """A session, or a dataset of them, that can be learned from."""

    path: Path
    label: str
    tip: str = ""
    useful: bool = True


@dataclass
class Progress:
    """How far learning has come.

    Attributes
    ----------
    stage : str
        ``idle``, ``reading``, ``before``, ``learning``, ``after``, ``result``, ``stopped`` or
        ``failed``.
    done : float
        How much of the stage is done, 0…1.
    losses : list of tuple
        (done, loss on the sessions, loss on what is rehearsed), smoothed.
    before, after : mapping, optional
        Scores on the sessions held out.
    message : str
        What there is to say.
    """

    stage: str = "idle"
    done: float = 0.0
    losses: list[tuple[float, float, float]] = field(default_factory=list)
    before: Mapping[str, float] | None = None
    after: Mapping[str, float] | None = None
    message: str = ""


class LearnController:
    """Begins, follows, pauses and ends learning; one at a time.

    Parameters
    ----------
    begin : callable
        Makes a job from a request.

    Attributes
    ----------
    changed : psygnal.Signal
        After anything changed.
    progress : Progress
        How far it has come.
    """

    changed = Signal()

    def __init__(self, begin: Callable[[LearnRequest], Job] = LearnProcess) -> None:
        self._begin = begin
        self._job: Job | None = None
        self._since = 0.0
        self._name = ""
        self.paused = False
        self.progress = Progress()

    @property
    def running(self) -> bool:
        """Whether something is being learned, or waits."""
        return self._job is not None

    def start(self, request: LearnRequest) -> None:
        """Begin to learn; nothing happens while something is being learned."""
        if self._job is None:
            self.progress = Progress("reading", message=_STAGES["reading"] + " …")
            self.paused = False
            self._name, self._since = request.name, monotonic()
            self._job = self._begin(request)
            self.changed.emit()

    def toggle_pause(self) -> None:
        """Pause, or go on."""
        if self._job is not None:
            self.paused = not self.paused
            (self._job.pause if self.paused else self._job.resume)()
            self.changed.emit()

    def stop(self) -> None:
        """End soon; what was learned is kept for the next start under the same name."""
        if self._job is not None:
            self.paused = False
            self.progress.message = "Stopping …"
            self._job.stop()
            self.changed.emit()

    def poll(self) -> None:
        """Take in what the job told; to be called now and then."""
        if self._job is None:
            return
        news = self._job.news()
        for entry in news:
            self._take(entry)
        if news:
            self.changed.emit()

    def close(self) -> None:
        """End at once."""
        job, self._job = self._job, None
        if job is not None:
            job.close()

    def _take(self, entry: Mapping[str, Any]) -> None:
        progress, stage = self.progress, str(entry["stage"])
        if stage in ("result", "stopped", "failed"):
            self._end(stage, entry)
            return
        if stage == "learning" and progress.stage != "learning":
            self._since = monotonic() - 0.0
        progress.stage, progress.done = stage, float(entry["done"])
        progress.message = f"{_STAGES.get(stage, stage)} …"
        if stage == "learning":
            self._add_loss(entry)
            progress.message = (
                f"Learning: update {entry['update']}{self._left(progress.done)}, "
                f"{entry['right']:.0%} of the clicks near the node"
            )
        elif entry.get("score") is not None:
            score: Mapping[str, float] = entry["score"]
            if stage == "before":
                progress.before = score
            else:
                progress.after = score

    def _add_loss(self, entry: Mapping[str, Any]) -> None:
        losses = self.progress.losses
        now = float(entry["lessons"]), float(entry.get("rehearsal", float("nan")))
        if losses:
            _, *last = losses[-1]
            now = tuple(  # type: ignore[assignment]
                _SMOOTH * b + (1 - _SMOOTH) * n for b, n in zip(last, now, strict=True)
            )
        losses.append((self.progress.done, *now))

    def _left(self, done: float) -> str:
        """Return how much longer it will take, in words; nothing at the very beginning."""
        spent = monotonic() - self._since
        if self.paused or done < 0.02 or spent < 2:
            return ""
        left = spent * (1 - done) / done
        return f", {left / 60:.0f} min left" if left > 90 else f", {left:.0f} s left"

    def _end(self, stage: str, entry: Mapping[str, Any]) -> None:
        self._job = None
        self.paused = False
        progress = self.progress
        progress.stage = stage
        if stage == "failed":
            progress.message = str(entry["message"])
        elif stage == "stopped":
            progress.message = (
                f"Stopped. Start again under the name {self._name!r} to go on from here."
            )
        else:
            progress.done = 1.0
            left_out = entry.get("problems") or ()
            more = f" {len(left_out)} could not be used: {left_out[0]}" if left_out else ""
            progress.message = (
                f"{self._name!r} learned from {entry['sessions']} neurites with "
                f"{entry['corrections']} corrections; it is in the list of policies.{more}"
            )
            policies.changed.emit(self._name)


def usable_sessions(root: Path) -> list[SessionEntry]:
    """Return the recorded sessions that hold clicks, the latest first; reads the disk."""
    return [_entry(info) for info in list_sittings(root) if info.clicks or info.problem]


def _entry(info: SittingInfo) -> SessionEntry:
    begun = datetime.fromtimestamp(info.begun_ms / 1000).astimezone().strftime("%d %b %Y, %H:%M")
    count = len(info.neurites)
    what = f"{count} neurite{'' if count == 1 else 's'}, {info.by_person} of {info.clicks} clicks"
    tip = "\n".join(info.volumes) or str(info.folder)
    if info.problem:
        return SessionEntry(info.folder, f"{info.folder.name}: damaged", info.problem, False)
    return SessionEntry(info.folder, f"{begun} · {what} by you", tip)


def free_name(base: str, taken: Iterable[str]) -> str:
    """Return a name for a policy that is not taken yet."""
    known = set(taken)
    names = (f"{base}-{i}" if i > 1 else base for i in range(1, len(known) + 3))
    return next(name for name in names if name not in known)


def name_problem(name: str, taken: Sequence[str]) -> str:
    """Return why a policy cannot have a name; empty where it can."""
    if not re.fullmatch(r"[\w][\w .-]{0,60}", name):
        return "Name the new policy: letters, digits, - and _."
    if name in taken:
        return f"There is a policy {name!r} already: choose another name."
    return ""


def policy_card(name: str) -> str:
    """Return the model card of one of the person's own policies, Markdown; empty for none."""
    path = policies.own_folder() / name / CARD
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
