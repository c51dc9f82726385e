"""Sessions: one reducer for every click, with a history that never forgets."""

from bcannot_core.session.clicks import ACTORS, ClickToken, Outcome

__all__ = ["ACTORS", "ClickToken", "Outcome"]
