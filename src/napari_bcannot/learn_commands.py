"""Commands of the *Learn from me* widget, opened where it is not."""

from typing import TYPE_CHECKING, Any

from napari.viewer import Viewer

from napari_bcannot.commands import widget_in

if TYPE_CHECKING:
    from napari_bcannot.widgets.learn_panel import LearnWidget


def learn_widget(viewer: Any) -> "LearnWidget":
    """Return the *Learn from me* widget of a viewer, opened where it is not."""
    from napari_bcannot.widgets.learn_panel import LearnWidget

    return widget_in(viewer, LearnWidget, "napari-bcannot.learn_from_me")


def learn_start(viewer: Viewer) -> None:
    """Let the policy learn from the ticked sessions."""
    learn_widget(viewer).start()


def learn_pause(viewer: Viewer) -> None:
    """Pause learning, or go on."""
    learn_widget(viewer).pause()


def learn_stop(viewer: Viewer) -> None:
    """Stop learning; it goes on from there when begun again under the same name."""
    learn_widget(viewer).stop()


def learn_refresh(viewer: Viewer) -> None:
    """Look again for recorded sessions."""
    learn_widget(viewer).refresh()
