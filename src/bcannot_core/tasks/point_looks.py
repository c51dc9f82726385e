"""How points look in napari."""

from typing import Any

CLEAR = "transparent"


def ring_look(colour: Any) -> dict[str, Any]:
    """Return the attributes of a Points layer of thin rings, through which the picture is seen.

    Parameters
    ----------
    colour : str or float (n, 4)
        Of all rings, or of each.
    """
    return {
        "symbol": "disc",
        "face_color": CLEAR,
        "border_color": colour if len(colour) else "white",
        "border_width": 1.5,
        "border_width_is_relative": False,
    }
