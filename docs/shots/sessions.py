"""Pictures of *Sessions*: what the pictures before it recorded."""

from shots.driving import a_viewer, dock, press, take, wait


def pictures() -> None:
    """List the sessions, and replay the latest one."""
    with a_viewer() as viewer:
        widget = dock(viewer, "Sessions")
        wait(lambda: widget.view.list.topLevelItemCount() > 0)
        widget.view.list.topLevelItem(0).setSelected(True)
        press(widget.view.replay)
        wait(lambda: widget.replay is not None)
        widget.view.slider.setValue(widget.view.slider.maximum() // 3)
        take(viewer, "sessions.png", rest=2.0)
        press(widget.view.end)
