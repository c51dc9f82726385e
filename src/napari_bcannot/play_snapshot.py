"""What the player says is to be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PlaySnapshot:
    """What is to be shown: a value, made anew after every change.

    Attributes
    ----------
    title : str
        What is played or looked at.
    stale : bool
        Whether the screen does not show the moment: it is being read, or could not be.
    position, steps : int
        Where the shown moment stands.
    playing : bool
        Whether it goes on by itself.
    can_advance, can_click : bool
        Whether there is a next step, and whether the person's clicks count here.
    recorded : bool
        Whether this is a recording.
    caption : str
        What the click that comes next is.
    mistaken : bool
        Whether that click is an annotator's mistake.
    text : str
        What happened, or what to do.
    score : mapping or None
        The task's metrics where the shown moment is after Done.
    recording : Path or None
        The journal that is being written.
    """

    title: str = ""
    stale: bool = False
    position: int = 0
    steps: int = 0
    playing: bool = False
    can_advance: bool = False
    can_click: bool = False
    recorded: bool = False
    caption: str = ""
    mistaken: bool = False
    text: str = "Choose a task and press New seed."
    score: Mapping[str, Any] | None = None
    recording: Path | None = None

    @property
    def active(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.title)


def task_title(task_id: str) -> str:
    """Return a task's name as people read it."""
    title = task_id.replace("_3d", " in 3D").replace("_", " ")
    return title[:1].upper() + title[1:]
