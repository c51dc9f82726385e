"""Click tokens: what is stored of a click, and what is said of its effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

ACTORS = ("person", "policy", "annotator")


class ClickToken(NamedTuple):
    """One click of a session, as it is recorded.

    Attributes
    ----------
    x, y : int
        Frame pixels, origin top left.
    actor : str
        Who clicked: ``"person"``, ``"policy"`` or ``"annotator"``.
    flags : int
        Bit field of the annotator: mistake, correction, and so on; 0 otherwise.
    ms : int
        Milliseconds since the click before, 0 where unknown.
    action : str
        What the click did, named as in ``info["action"]``.
    """

    x: int
    y: int
    actor: str = "person"
    flags: int = 0
    ms: int = 0
    action: str = "none"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a click did to a session.

    Attributes
    ----------
    action : str
        Its name; ``"none"`` where nothing happened.
    detail : mapping
        The task's description of the effect, plain values only.
    state_before, state_after : object
        The task's immutable states; the same object where nothing happened.
    """

    action: str
    detail: Mapping[str, Any]
    state_before: Any
    state_after: Any
