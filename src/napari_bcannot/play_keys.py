"""Which key presses which button of a task's screen. No Qt here."""

from collections.abc import Iterable, Mapping

from bcannot_core.screen import ButtonSpec

UNDO, REDO = "Ctrl+Z", "Ctrl+Shift+Z"

_USUAL: Mapping[str, str] = {
    "next_section": ".",
    "next_frame": ".",
    "next": ".",
    "previous_section": ",",
    "previous_frame": ",",
    "previous": ",",
    "undo": UNDO,
    "done": "Shift+D",
}
"""Keys that mean the same in every task, and in *Trace neuron*."""
_DIGITS = "1234567890"
_LETTERS = "QWERTYUIOPASDFGHJKLZXCVBNM"


def assign_keys(specs: Iterable[ButtonSpec]) -> dict[str, str]:
    """Give every button a key of its own.

    The usual ones keep theirs; the others get the first letter of their label that is free, and
    digits where they are entries of a list, or where no letter of the label is left.

    Parameters
    ----------
    specs : iterable of ButtonSpec
        The buttons, in their order.

    Returns
    -------
    dict of str to str
        Button id by key, spelled as Qt does; buttons beyond the number of keys have none.
    """
    specs = tuple(specs)
    keys: dict[str, str] = {}
    rest = []
    for spec in specs:
        key = _USUAL.get(spec.id)
        if key is None or key in keys:
            rest.append(spec)
        else:
            keys[key] = spec.id
    for spec in rest:
        free = next((key for key in _wished(spec) if key not in keys), None)
        if free is not None:
            keys[free] = spec.id
    order = {spec.id: i for i, spec in enumerate(specs)}
    return dict(sorted(keys.items(), key=lambda item: order[item[1]]))


def _wished(spec: ButtonSpec) -> str:
    own = "".join(c for c in spec.label.upper() if c in _LETTERS)
    first_digits = spec.kind == "item" or not own
    return _DIGITS + own + _LETTERS if first_digits else own + _DIGITS + _LETTERS


def keys_help(keys: Mapping[str, str], specs: Iterable[ButtonSpec]) -> str:
    """Return the keys as a line of rich text; those of a list in short."""
    labels = {spec.id: spec.label for spec in specs if spec.kind != "item"}
    items = [key for key, button in keys.items() if button not in labels]
    parts = [f"<b>{key}</b> {labels[button]}" for key, button in keys.items() if button in labels]
    if items:
        span = items[0] if len(items) == 1 else f"{items[0]} … {items[-1]}"
        parts.insert(0, f"<b>{span}</b> list")
    return " &nbsp; ".join(parts)
