"""What the person is told: napari's notifications, by one name each so that tests can listen."""

from napari.utils.notifications import show_error, show_info, show_warning

__all__ = ["show_error", "show_info", "show_warning"]
