"""Dock widgets: view code only."""
