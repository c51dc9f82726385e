"""What is read of a policy that is plain values, and may come from anywhere."""

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bcannot_core.errors import CheckpointError

_LARGEST = 65_536
_MOST_BYTES = 1_000_000


def read_description(path: Path, what: str, form: str, version: int, remedy: str) -> dict[str, Any]:
    """Return the contents of a JSON file that says what it is, and in which version.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should describe.
    form : str
        Its ``"format"``.
    version : int
        Its ``"version"``.
    remedy : str
        What to do about another version.

    Raises
    ------
    CheckpointError
        It is missing, unreadable, too large, or describes something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{path} is larger than {_MOST_BYTES} bytes: not {what}")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable as {what}: {error}") from error
    if not isinstance(found, dict) or found.get("format") != form:
        raise CheckpointError(f"{path} does not describe {what}: its format is not {form!r}")
    if found.get("version") != version:
        raise CheckpointError(
            f"{path} has version {found.get('version')!r}, this release reads version {version}: "
            f"update bcannot or {remedy}"
        )
    return found


def checked_values(
    kind: type, values: Mapping[str, Any], *, apart: Collection[str] = (), open_: str = ""
) -> dict[str, Any]:
    """Return plain values for the fields of a dataclass, each of the type of its default.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are words, whole numbers, or tuples of them.
    values : mapping
        What was read.
    apart : collection of str
        Fields that are checked elsewhere, and not in ``values``.
    open_ : str
        A field whose tuple may have any length.

    Raises
    ------
    CheckpointError
        A value is missing, unknown, of the wrong type, or too large.
    """
    names = {f.name for f in fields(kind)} - set(apart)
    if set(values) != names:
        odd = sorted(set(values) ^ names)
        raise CheckpointError(f"the policy configuration lacks or does not know {', '.join(odd)}")
    default = kind()
    plain: dict[str, Any] = {}
    for name, value in values.items():
        value = tuple(value) if isinstance(value, list) else value
        wanted = getattr(default, name)
        if name == open_ and isinstance(value, tuple):
            wanted = wanted[:1] * len(value)
        if not _like(value, wanted):
            raise CheckpointError(f"the policy configuration has {name} = {value!r}"[:200])
        plain[name] = value
    return plain


def _like(value: Any, default: Any) -> bool:
    """Whether a value is a word or a whole number, or as many of them as there are by default."""
    if isinstance(default, tuple):
        return (
            isinstance(value, tuple)
            and len(value) == len(default)
            and all(_like(v, d) for v, d in zip(value, default, strict=True))
        )
    if isinstance(default, str):
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
