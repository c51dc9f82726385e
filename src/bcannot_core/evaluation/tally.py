"""Counts of teacher-forced evaluation: what was asked of a policy, and how well it answered."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

PIXELS = (1, 2, 5, 10)
DECISION_PX = 20.0
"""A click on the canvas means the same object as another one that is nearer than this."""


class Answer(NamedTuple):
    """One proposal beside the recorded click.

    Attributes
    ----------
    action : str
        What the recorded click did.
    button : str
        The button that it was on; empty for the canvas.
    same_action : bool
        Whether the proposal would have done an action of the same name.
    same_button : bool
        Whether it is on the same button, or on the canvas, too.
    apart_px : float
        Distance of the two clicks.
    on_target : bool or None
        Whether a proposed placement is right in the judgement of the flawless annotator; None
        where that was not asked.
    """

    action: str
    button: str
    same_action: bool
    same_button: bool
    apart_px: float
    on_target: bool | None = None

    @property
    def decided(self) -> bool:
        """Whether what is to be done was decided as recorded: button, or action and object."""
        if not (self.same_action and self.same_button):
            return False
        return bool(self.button) or self.apart_px <= DECISION_PX


class Tally:
    """Adds up answers."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        self.answers.append(answer)

    def report(self) -> dict[str, Any]:
        """Return the shares; None where nothing was counted.

        Returns
        -------
        dict
            As of :func:`~bcannot_core.evaluation.teacher_forced.evaluate_teacher_forced`.
        """
        answers = self.answers
        names = sorted({answer.action for answer in answers})
        grouped = {name: [a for a in answers if a.action == name] for name in names}
        accuracy = {
            name: share(sum(a.same_action for a in group), len(group))
            for name, group in grouped.items()
        }
        placed = grouped.get("place", [])
        errors = np.array([a.apart_px for a in placed if a.same_action])
        canvas = [answer for answer in answers if not answer.button]
        judged = [answer.on_target for answer in placed if answer.on_target is not None]
        return {
            "steps": len(answers),
            "action_accuracy": share(sum(a.same_action for a in answers), len(answers)),
            "action_accuracy_by_type": accuracy,
            **_within("placement", placed),
            "placement_error_px": round(float(np.median(errors)), 3) if errors.size else None,
            "placement_on_target": share(sum(judged), len(judged)),
            "decision_accuracy": share(sum(a.decided for a in answers), len(answers)),
            **_within("motor", [answer for answer in canvas if answer.decided]),
            "by_action": {name: _of(group) for name, group in grouped.items()},
            "buttons": _buttons(answers),
        }


def share(part: int, whole: int) -> float | None:
    """Return a share, None of nothing."""
    return round(part / whole, 4) if whole else None


def _of(group: list[Answer]) -> dict[str, Any]:
    """Return the figures of one action; distances where it is clicked on the canvas."""
    found: dict[str, Any] = {
        "steps": len(group),
        "accuracy": share(sum(a.same_action for a in group), len(group)),
        "decision": share(sum(a.decided for a in group), len(group)),
    }
    canvas = [answer for answer in group if not answer.button]
    return found | (_within("", canvas) if canvas else {})


def _within(name: str, group: list[Answer]) -> dict[str, float | None]:
    """Return the shares within 1, 2, 5 and 10 px; another action than recorded is a miss."""
    errors = np.array([a.apart_px if a.same_action else np.inf for a in group])
    first = f"{name}_" if name else ""
    return {
        f"{first}at_{pixels}px": share(int((errors <= pixels).sum()), errors.size)
        for pixels in PIXELS
    }


def _buttons(answers: list[Answer]) -> Mapping[str, float | None]:
    """Return for each button how often the proposal was on it when it was to be clicked."""
    asked = Counter(a.button for a in answers if a.button)
    hit = Counter(a.button for a in answers if a.button and a.same_button)
    return {name: share(hit[name], asked[name]) for name in sorted(asked)}
