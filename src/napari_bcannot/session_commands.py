"""The commands of *Sessions* in the plugin's menu and in napari's command palette."""

from typing import TYPE_CHECKING

from napari_bcannot.commands import widget_in
from napari_bcannot.compat import viewer_at_hand

if TYPE_CHECKING:
    from napari_bcannot.widgets.session_browser import SessionBrowser


def browser() -> "SessionBrowser":
    """Return the *Sessions* widget of the viewer at hand, opened where it is not."""
    from napari_bcannot.widgets.session_browser import SessionBrowser

    return widget_in(viewer_at_hand(), SessionBrowser, "napari-bcannot.sessions")


def restore_session() -> None:
    """Bring back the latest session that was interrupted."""
    browser().restore()


def open_session() -> None:
    """Bring the chosen session back into the viewer and go on with it."""
    browser().open_chosen()


def replay_session() -> None:
    """Look at the chosen session click by click."""
    browser().replay_chosen()


def export_sessions() -> None:
    """Write the chosen sessions as a dataset."""
    browser().export_chosen()


def delete_sessions() -> None:
    """Delete the chosen sessions from the disk, after asking."""
    browser().delete_chosen()


def play_replay() -> None:
    """Let the session that is replayed go on by itself, or hold it."""
    browser().play()


def close_replay() -> None:
    """Take the replay out of the viewer."""
    browser().close_replay()
