"""Commands of the *Learn from me* widget, opened where it is not."""

from typing import TYPE_CHECKING

from napari_bcannot.commands import open_widget

if TYPE_CHECKING:
    from napari_bcannot.widgets.learn_panel import LearnWidget


def learn_widget() -> "LearnWidget":
    """Return the *Learn from me* widget of the viewer at hand, opened where it is not."""
    from napari_bcannot.widgets.learn_panel import LearnWidget

    return open_widget(LearnWidget, "napari-bcannot.learn_from_me")


def learn_start() -> None:
    """Let the policy learn from the ticked sessions."""
    learn_widget().start()


def learn_pause() -> None:
    """Pause learning, or go on."""
    learn_widget().pause()


def learn_stop() -> None:
    """Stop learning; it goes on from there when begun again under the same name."""
    learn_widget().stop()


def learn_refresh() -> None:
    """Look again for recorded sessions."""
    learn_widget().refresh()
