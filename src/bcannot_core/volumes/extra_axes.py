"""Time, channels and other axes beside z, y, x: which place of each is the volume."""

import re
from collections.abc import Sequence

from bcannot_core.errors import UsageError, VolumeAxesError, VolumeFormatError

At = tuple[tuple[str, int], ...]
"""Chosen places: (name of the axis, index); the name is empty where the order says which it is."""

SPACE = ("z", "y", "x")
_PLACE = re.compile(r"(?:([a-z0-9]+):)?([0-9]{1,9})")


def parse_at(text: str, address: str) -> At:
    """Return the places that ``t:3,c:0`` or, in the order of the axes, ``3,0`` names.

    Raises
    ------
    UsageError
        The text is malformed, or names an axis twice or only some of them.
    """
    found = [_PLACE.fullmatch(part.strip().lower()) for part in text.split(",")]
    places = [(part[1] or "", int(part[2])) for part in found if part is not None]
    names = [name for name, _ in places]
    mixed = any(names) and ("" in names or len(set(names)) != len(names))
    if len(places) != len(found) or mixed:
        raise UsageError(
            f"at={text} in the address {address} is not usable: name places as at=t:3,c:0"
        )
    return tuple(places)


def at_text(at: At) -> str:
    """Return what `parse_at` reads."""
    return ",".join(f"{name}:{index}" if name else str(index) for name, index in at)


def axis_names(count: int) -> list[str]:
    """Return names for axes that have none: the last three are space, the others numbered."""
    return [str(i) for i in range(count - 3)] + list(SPACE)


def fix_axes(
    names: Sequence[str], shape: Sequence[int], at: At, where: str, kept: Sequence[str] = SPACE
) -> tuple[int | slice, ...]:
    """Return the index that leaves the axes of space, in their order, of an array with more.

    Parameters
    ----------
    names, shape : sequence
        Of all axes; names in lower case.
    at : tuple
        The places chosen; axes of length one need none.
    where : str
        What is opened, for messages.
    kept : sequence of str
        The three axes of space.

    Raises
    ------
    VolumeFormatError
        The axes of space are not there in this order.
    VolumeAxesError
        An axis needs a place.
    UsageError
        A place does not exist.
    """
    others = [i for i, name in enumerate(names) if name not in kept]
    listed = ", ".join(f"{names[i]} ({shape[i]})" for i in others)
    if [name for name in names if name in kept] != list(kept):
        raise VolumeFormatError(
            f"{where} has the axes {', '.join(names)}, a volume needs {', '.join(kept)} in this "
            "order: store it as a (z, y, x) array"
        )
    if at and not at[0][0]:
        long = [i for i in others if shape[i] > 1] if len(at) != len(others) else others
        if len(at) != len(long):
            raise UsageError(
                f"{where} has beside z, y, x the axes {listed or 'none'}: at={at_text(at)}"
            )
        chosen = dict(zip(long, (index for _, index in at), strict=True))
    else:
        wrong = [name for name, _ in at if name not in [names[i] for i in others]]
        if wrong:
            raise UsageError(
                f"{where} has no axis {wrong[0]} beside z, y, x: it has {listed or 'none'}"
            )
        chosen = {list(names).index(name): index for name, index in at}
    open_ = [i for i in others if i not in chosen and shape[i] != 1]
    if open_:
        hint = ",".join(f"{names[i]}:0" for i in open_)
        raise VolumeAxesError(
            f"{where} has axes beside z, y, x: {listed}; choose a place of each, as in #at={hint}",
            tuple((names[i], shape[i]) for i in open_),
        )
    for i, index in chosen.items():
        if index >= shape[i]:
            raise UsageError(f"{where} has {names[i]} 0…{shape[i] - 1}, there is no {index}")
    return tuple(slice(None) if i not in others else chosen.get(i, 0) for i in range(len(names)))
