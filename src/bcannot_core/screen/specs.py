"""What stands beside the canvas: buttons, toggles, tabs and items, and their sizes."""

from dataclasses import dataclass
from typing import Literal

from bcannot_core.screen.themes import ButtonSize, Colour


@dataclass(frozen=True, slots=True)
class ButtonSpec:
    """A button: its id, which is the action that it asks for, and what stands on it.

    Attributes
    ----------
    id : str
        Action name.
    label : str
        Its text.
    icon : str
        What is shown in place of the label on icon buttons; the label where empty.
    group : str
        The split layout puts ``"navigation"`` above the canvas and ``"edit"`` below.
    kind : str
        ``"button"``; ``"toggle"``, which stays pressed; ``"tab"``, in a row above the canvas; or
        ``"item"``, a line of the list in the side panel.
    swatch : tuple of int, optional
        A colour shown beside the text.
    """

    id: str
    label: str
    icon: str = ""
    group: Literal["navigation", "edit"] = "edit"
    kind: Literal["button", "toggle", "tab", "item"] = "button"
    swatch: Colour | None = None


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How large buttons of one size are: in a side panel, at least in a row, and their height."""

    panel_w: int
    row_w: int
    most_w: int
    height: int
    text: int


SIZES: dict[ButtonSize, SizeRule] = {
    "small": SizeRule(92, 44, 66, 28, 18),
    "medium": SizeRule(122, 52, 76, 36, 20),
    "large": SizeRule(122, 60, 112, 44, 22),
    "icon": SizeRule(70, 44, 70, 40, 28),
}
