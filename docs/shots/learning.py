"""Pictures of *Learn from me*, learning from what the pictures before it recorded."""

from shots.driving import a_viewer, dock, press, settle, take_widget, wait

MINUTES = 1.0


def pictures() -> None:
    """Learn for a short while, and show what came of it."""
    with a_viewer(sample=None) as viewer:
        widget = dock(viewer, "Learn from me", width=520)
        wait(lambda: widget.view.sessions.count() > 0)
        widget.view.minutes.setValue(MINUTES)
        press(widget.view.start)
        settle(1.0)
        wait(lambda: not widget.controller.running, seconds=3600)
        take_widget(widget, "learn.png", height=widget.height())
