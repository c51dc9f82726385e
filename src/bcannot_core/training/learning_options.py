"""What is asked of learning from sessions, what comes of it, and how it is paused and stopped."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bcannot_core.errors import UsageError
from bcannot_core.policy.checkpoint import policy_folders, user_policies
from bcannot_core.training.held_out import HeldOutScore
from bcannot_core.training.lesson_stage import LearnRecipe

REHEARSAL = tuple(
    f"synthetic://{recipe}?seed={seed + i}&shape={shape}&variety=0.2"
    for recipe, seed, shape in (("default", 2000, "64,192,192"), ("sections30", 2100, "48,224,224"))
    for i in range(3)
)
"""Labelled tissue of the kind that the shipped policy was trained on."""


@dataclass(frozen=True)
class LearnOptions:
    """What a policy is to learn from, and where the result goes.

    Attributes
    ----------
    name : str
        Of the new policy.
    start_from : str
        Name or folder of the policy to begin with.
    recipe : LearnRecipe
        How.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    minutes : float, optional
        Time for the updates; the rate then falls with the time that is left.
    rehearsal : tuple of str
        Addresses of labelled volumes that the policy is not to forget.
    root : Path, optional
        Folder of the named policies; the user's own by default.
    work : Path, optional
        Folder for the log, and for what is needed to go on after a stop; beside the policies by
        default.
    """

    name: str
    start_from: str = "default"
    recipe: LearnRecipe = field(default_factory=LearnRecipe)
    device: str = "auto"
    minutes: float | None = None
    rehearsal: tuple[str, ...] = REHEARSAL
    root: Path | None = None
    work: Path | None = None

    @property
    def out(self) -> Path:
        """Folder of the new policy."""
        return (self.root or user_policies()) / self.name

    @property
    def work_folder(self) -> Path:
        """Folder of the log and the state."""
        return self.work or (self.root or user_policies()).parent / "learning" / self.name


@dataclass(frozen=True)
class Learned:
    """What came of it.

    Attributes
    ----------
    folder : Path
        The new policy.
    before, after : HeldOutScore, optional
        On the sessions held out, by the policy it began with and by the new one; None where there
        were too few sessions to hold any out.
    updates : int
        How many were made.
    sessions, held_out, sections, corrections : int
        Sessions learned from and held out; sections with a node, and corrections, among the former.
    seconds : float
        Time the updates took.
    problems : tuple of str
        A line for each session that could not be used.
    """

    folder: Path
    before: HeldOutScore | None
    after: HeldOutScore | None
    updates: int
    sessions: int
    held_out: int
    sections: int
    corrections: int
    seconds: float
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "folder": str(self.folder), "problems": list(self.problems)}


def check_name(options: LearnOptions, *, taken: bool = False) -> None:
    """See that a policy can have a name.

    Raises
    ------
    UsageError
        It is no plain file name, that of a shipped policy, or taken (unless that may be).
    """
    name = options.name
    plain = name and name == Path(name).name and not name.startswith(".") and len(name) <= 80
    if not plain or any(mark in name for mark in '\\:*?"<>|'):
        raise UsageError(f"{name!r} cannot name a policy: use letters, digits, - and _")
    shipped = policy_folders().get(name)
    if shipped is not None and shipped.parent != user_policies():
        raise UsageError(f"{name!r} is a shipped policy, which stays: choose another name")
    if options.out.exists() and not taken:
        raise UsageError(f"there is a policy {name!r} already: choose another name")
