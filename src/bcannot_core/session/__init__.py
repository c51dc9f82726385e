"""Sessions: one reducer for every click, with a history that never forgets."""

from bcannot_core.session.clicks import ACTORS, ClickToken, Outcome
from bcannot_core.session.protocol import NONE, Action, Aim, Task
from bcannot_core.session.session import Listener, Session

__all__ = [
    "ACTORS",
    "NONE",
    "Action",
    "Aim",
    "ClickToken",
    "Listener",
    "Outcome",
    "Session",
    "Task",
]
