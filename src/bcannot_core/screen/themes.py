"""Interface variants: six independent axes, and the colour themes among them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from bcannot_core.errors import UsageError

Colour = tuple[int, int, int]
PanelSide = Literal["right", "left", "top", "bottom", "split"]
ButtonStyle = Literal["rounded", "pill", "square"]
ButtonSize = Literal["small", "medium", "large", "icon"]
Border = Literal["none", "thin", "thick", "glow"]
StatusPosition = Literal["top", "bottom"]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of an interface, (r, g, b) in 0…255."""

    name: str
    background: Colour
    button: Colour
    button_edge: Colour
    button_text: Colour
    pressed: Colour
    disabled: Colour
    disabled_text: Colour
    text: Colour
    accent: Colour
    track: Colour
    border: Colour


THEMES: dict[str, Theme] = {
    theme.name: theme
    for theme in (
        Theme(
            "dark",
            background=(30, 31, 36),
            button=(62, 66, 77),
            button_edge=(88, 93, 107),
            button_text=(238, 240, 245),
            pressed=(92, 108, 150),
            disabled=(38, 40, 46),
            disabled_text=(98, 101, 110),
            text=(214, 217, 224),
            accent=(88, 156, 255),
            track=(52, 55, 64),
            border=(76, 80, 92),
        ),
        Theme(
            "light",
            background=(240, 241, 244),
            button=(255, 255, 255),
            button_edge=(176, 180, 190),
            button_text=(34, 36, 42),
            pressed=(196, 214, 250),
            disabled=(230, 231, 235),
            disabled_text=(172, 175, 183),
            text=(52, 55, 62),
            accent=(32, 102, 220),
            track=(212, 215, 222),
            border=(140, 144, 154),
        ),
        Theme(
            "retro",
            background=(4, 14, 6),
            button=(6, 32, 12),
            button_edge=(36, 164, 66),
            button_text=(92, 255, 132),
            pressed=(22, 92, 40),
            disabled=(4, 20, 8),
            disabled_text=(26, 92, 42),
            text=(82, 232, 118),
            accent=(70, 240, 110),
            track=(10, 52, 20),
            border=(48, 200, 84),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Variant:
    """How an interface is laid out and drawn.

    Attributes
    ----------
    name : str
        Its name in ``VARIANTS``.
    panel : str
        Where the buttons are; ``"split"`` puts the navigation above and the rest below.
    theme : str
        A key of ``THEMES``.
    button_style, button_size : str
        Shape and size of the buttons; ``"icon"`` shows icons in place of labels.
    border : str
        What surrounds the canvas.
    status : str
        Whether the status line is above or below the canvas.
    held_out : bool
        Kept for testing, never trained on.
    """

    name: str
    panel: PanelSide = "right"
    theme: str = "dark"
    button_style: ButtonStyle = "rounded"
    button_size: ButtonSize = "medium"
    border: Border = "none"
    status: StatusPosition = "bottom"
    held_out: bool = False


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("original"),
        Variant("left_panel", panel="left"),
        Variant("top_toolbar", panel="top", button_style="pill"),
        Variant("bottom_toolbar", panel="bottom", button_size="small", status="top"),
        Variant("light_right", theme="light", button_style="square", border="thin"),
        Variant("minimal_left", panel="left", button_size="icon", status="top"),
        Variant("retro", theme="retro", button_style="square", border="glow"),
        Variant("split", panel="split", button_size="large"),
        Variant(
            "ood_light_left",
            panel="left",
            theme="light",
            button_style="pill",
            border="thin",
            held_out=True,
        ),
        Variant("ood_retro_top", panel="top", theme="retro", border="glow", held_out=True),
        Variant("ood_light_split", panel="split", theme="light", border="thick", held_out=True),
    )
}


_AXES: dict[str, tuple[str, ...]] = {
    "panel": get_args(PanelSide),
    "theme": tuple(THEMES),
    "button_style": get_args(ButtonStyle),
    "button_size": get_args(ButtonSize),
    "border": get_args(Border),
    "status": get_args(StatusPosition),
}


def axes_of(variant: Variant) -> tuple[str, ...]:
    """Return the six axes of a variant: panel, theme, button style and size, border, status."""
    return tuple(getattr(variant, axis) for axis in _AXES)


_HELD_OUT = frozenset(axes_of(variant) for variant in VARIANTS.values() if variant.held_out)


def random_variant(rng: np.random.Generator) -> Variant:
    """Draw all six axes of a variant; never those of one that is held out.

    Its name spells the axes, so that :func:`get_variant` finds it again.
    """
    while True:
        axes = tuple(choices[int(rng.integers(len(choices)))] for choices in _AXES.values())
        if axes not in _HELD_OUT:
            return _spelled(":".join(axes))


@lru_cache(maxsize=2048)
def _spelled(name: str) -> Variant:
    parts = name.split(":")
    if len(parts) != len(_AXES):
        raise UsageError(
            f"interface variant {name!r} has {len(parts)} parts: give "
            f"{':'.join(axis.upper() for axis in _AXES)}"
        )
    chosen: dict[str, Any] = dict(zip(_AXES, parts, strict=True))
    for axis, value in chosen.items():
        if value not in _AXES[axis]:
            raise UsageError(
                f"interface variant {name!r}: {axis} is {value!r}, "
                f"choose one of {', '.join(_AXES[axis])}"
            )
    return Variant(name, **chosen, held_out=tuple(parts) in _HELD_OUT)


def get_variant(variant: str | Variant) -> Variant:
    """Return a variant by its name; a ``Variant`` is returned as it is.

    Parameters
    ----------
    variant : str or Variant
        A key of ``VARIANTS``, or the six axes as ``random_variant`` spells them:
        ``"left:light:pill:icon:glow:top"``.

    Raises
    ------
    UsageError
        There is no variant of this name.
    """
    if isinstance(variant, Variant):
        return variant
    if ":" in variant:
        return _spelled(variant)
    if variant not in VARIANTS:
        raise UsageError(
            f"unknown interface variant {variant!r}: choose one of {', '.join(VARIANTS)}"
        )
    return VARIANTS[variant]
