"""What a click is, in words."""

from typing import NamedTuple

from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.session.clicks import ClickToken
from bcannot_core.session.session import Session

EVENT_NAMES = {
    Flag.MISTAKE: "mistake",
    Flag.CORRECTION: "correction",
    Flag.VERIFY: "verification",
    Flag.OVERSHOOT: "one too far",
}


class Caption(NamedTuple):
    """A click in words.

    Attributes
    ----------
    action : str
        What the click does, named as in ``info["action"]``.
    where : str
        The button's label in quotes, or the canvas pixel.
    actor : str
        Who clicks.
    events : tuple of str
        What the annotator knows of it: mistake, correction, verification, one too far.
    phase : str
        Part of the work, empty where unknown.
    item : int or None
        Index of the object concerned, None where unknown.
    ms : int
        Time since the click before, 0 where unknown.
    """

    action: str
    where: str
    actor: str
    events: tuple[str, ...] = ()
    phase: str = ""
    item: int | None = None
    ms: int = 0

    @property
    def text(self) -> str:
        """The caption on one line."""
        parts = [self.actor, f"{self.action.replace('_', ' ')} {self.where}"]
        if self.phase:
            parts.append(f"phase {self.phase}")
        if self.item is not None:
            parts.append(f"item {self.item + 1}")
        parts += [event.upper() for event in self.events]
        if self.ms:
            parts.append(f"{self.ms / 1000:.1f} s")
        return " · ".join(parts)


def describe_click(session: Session, click: ClickToken) -> Caption:
    """Say what a click of a session is.

    Raises
    ------
    ClickError
        The click lies outside the session's frame.
    """
    hit = session.screen.hit(click.x, click.y)
    if hit.canvas_xy is not None:
        where = f"at ({hit.canvas_xy[0]}, {hit.canvas_xy[1]})"
    else:
        names = {spec.id: spec.label for spec in session.screen.layout.specs}
        where = f"‘{names[hit.target]}’" if hit.target in names else "beside everything"
    labels = unpack_flags(click.flags)
    events = tuple(name for flag, name in EVENT_NAMES.items() if labels.events & flag)
    phase = "" if labels.phase is Phase.NONE else labels.phase.name.lower()
    return Caption(click.action, where, click.actor, events, phase, labels.position, click.ms)
