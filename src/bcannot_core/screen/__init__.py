"""Screens: layouts, drawing and hit testing. The interface is pixels."""

from bcannot_core.screen.geometry import Rect
from bcannot_core.screen.layout import Layout, build_layout
from bcannot_core.screen.screen import Content, Hit, Screen
from bcannot_core.screen.shapes import Box, Cross, Disc, Line, Marker, Shape, Text
from bcannot_core.screen.specs import ButtonSpec
from bcannot_core.screen.themes import (
    THEMES,
    VARIANTS,
    Colour,
    Theme,
    Variant,
    get_variant,
    random_variant,
)

__all__ = [
    "THEMES",
    "VARIANTS",
    "Box",
    "ButtonSpec",
    "Colour",
    "Content",
    "Cross",
    "Disc",
    "Hit",
    "Layout",
    "Line",
    "Marker",
    "Rect",
    "Screen",
    "Shape",
    "Text",
    "Theme",
    "Variant",
    "build_layout",
    "get_variant",
    "random_variant",
]
