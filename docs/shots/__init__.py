"""The pictures of the plugin: a module for each widget, and how a window is driven."""
