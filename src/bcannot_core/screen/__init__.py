"""Screens: layouts, drawing and hit testing. The interface is pixels."""

from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.layout import ButtonSpec, Layout, build_layout
from bcannot_core.screen.screen import Content, Hit, Marker, Screen
from bcannot_core.screen.themes import THEMES, VARIANTS, Theme, Variant, get_variant

__all__ = [
    "THEMES",
    "VARIANTS",
    "ButtonSpec",
    "Content",
    "Hit",
    "Layout",
    "Marker",
    "Rect",
    "Screen",
    "Theme",
    "Variant",
    "build_layout",
    "get_variant",
]
