"""Which edits can be undone and redone: a pure function of the outcomes so far."""

from typing import NamedTuple

from bcannot_core.session.clicks import Outcome
from bcannot_core.session.protocol import Action


class Edit(NamedTuple):
    """An edit of the session: what was asked for, and what came of it."""

    action: Action
    outcome: Outcome


class History:
    """The edits in force and those taken back; forgets nothing that can come back.

    An edit that equals the one undone last, whoever clicks it and from whichever view, is its
    redo; any other edit makes an end of what was undone before.

    Parameters
    ----------
    edit_actions : frozenset of str
        The actions that Undo takes back.
    """

    def __init__(self, edit_actions: frozenset[str]) -> None:
        self._edit_actions = edit_actions
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    def record(self, action: Action, outcome: Outcome) -> None:
        """Take note of a click's outcome."""
        if outcome.action == "undo":
            if self._done:
                self._undone.append(self._done.pop())
        elif outcome.action in self._edit_actions:
            if self._undone and _same(self._undone[-1].outcome, outcome):
                self._undone.pop()
            else:
                self._undone.clear()
            self._done.append(Edit(action, outcome))

    @property
    def can_undo(self) -> bool:
        """Whether an edit is in force."""
        return bool(self._done)

    @property
    def next_redo(self) -> Edit | None:
        """The edit that was undone last and can be done again."""
        return self._undone[-1] if self._undone else None


def _same(one: Outcome, other: Outcome) -> bool:
    return one.action == other.action and one.detail == other.detail
