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
_ORDER = ("item", "tab", "button", "toggle")
_MANY = 4


def assign_keys(specs: Iterable[ButtonSpec]) -> dict[str, str]:
    """Give every button a key of its own.

    The usual ones keep theirs; a list has the digits, and so have labels that begin with one. The
    others get a letter of their label; tabs the upper row of letters in their order, where they do
    not begin with different ones.

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
    rest = [spec for spec in specs if not _take(keys, spec, (_USUAL.get(spec.id, ""),))]
    tabs = [spec for spec in rest if spec.kind == "tab"]
    alike = len({_letters(spec)[:1] for spec in tabs}) < len(tabs)
    for spec in sorted(rest, key=lambda spec: _ORDER.index(spec.kind)):
        if spec.kind == "item" or spec.label[:1].isdigit():
            wished = _DIGITS + _LETTERS
        elif spec.kind == "tab" and alike:
            wished = _LETTERS + _DIGITS
        else:
            wished = _letters(spec) + _LETTERS + _DIGITS
        _take(keys, spec, wished)
    order = {spec.id: i for i, spec in enumerate(specs)}
    return dict(sorted(keys.items(), key=lambda item: order[item[1]]))


def _take(keys: dict[str, str], spec: ButtonSpec, wished: Iterable[str]) -> bool:
    free = next((key for key in wished if key and key not in keys), None)
    if free is not None:
        keys[free] = spec.id
    return free is not None


def _letters(spec: ButtonSpec) -> str:
    return "".join(c for c in spec.label.upper() if c in _LETTERS)


def keys_help(keys: Mapping[str, str], specs: Iterable[ButtonSpec]) -> str:
    """Return the keys as a line of rich text; those of a list, and of many tabs, in short."""
    specs = tuple(specs)
    parts = []
    for kind in _ORDER:
        labels = {spec.id: spec.label for spec in specs if spec.kind == kind}
        own = [(key, labels[button]) for key, button in keys.items() if button in labels]
        if own and (kind == "item" or (kind == "tab" and len(own) > _MANY)):
            span = f"{own[0][0]} … {own[-1][0]}" if len(own) > 1 else own[0][0]
            parts.append(f"<b>{span}</b> {'list' if kind == 'item' else 'tabs'}")
        else:
            parts += [f"<b>{key}</b> {label}" for key, label in own]
    return " &nbsp; ".join(parts)
