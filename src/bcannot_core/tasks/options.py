"""What can be asked of a task: its configuration's fields as data, to make a form of.

Nothing is stated here a second time: names and defaults are those of the configuration's class,
descriptions come from its docstring, and limits from the very checks that refuse a wrong value.
"""

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_type_hints

from bcannot_core.errors import OptionError, UsageError
from bcannot_core.tasks.registry import task_class

Kind = Literal["whole", "number", "choice", "folder", "text"]
Value = int | float | str | None

_UNITS = {"px": "px", "deg": "°", "nm": "nm"}
_NO_SUCH = "\0"
_ENTRY = re.compile(r"^(\w+(?:, \w+)*) :")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of a task.

    Attributes
    ----------
    name, label : str
        As the configuration has it, and as people read it.
    help : str
        What it means.
    kind : str
        ``"whole"`` or ``"number"``, ``"choice"``, ``"folder"`` (may be empty) or ``"text"``.
    default : int, float, str or None
        Of the configuration.
    low, high : float or None
        The least and the greatest number whatever the other options are; None where there is none.
    choices : tuple
        What there is to choose from.
    """

    name: str
    label: str
    help: str
    kind: Kind
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether the default is no number of the range but asks to draw one for each world."""
        if self.kind not in ("whole", "number"):
            return False
        return not isinstance(self.default, int | float) or self.default < (self.low or 0)


@lru_cache(maxsize=64)
def option_specs(task_id: str) -> tuple[OptionSpec, ...]:
    """Return the options of a task in their order, without the interface variant.

    A task whose configuration is no dataclass that its ``__init__`` names has none.

    Raises
    ------
    UsageError
        There is no task of this id.
    """
    config_class = _config_class(task_class(task_id))
    if config_class is None:
        return ()
    found = {field.name: field for field in fields(config_class) if field.name != "variant"}
    helps = _described(config_class)
    errors = {name: _refusal(config_class, {name: math.nan}) for name in found}
    errors |= {
        name: _refusal(config_class, {name: _NO_SUCH})
        for name, field in found.items()
        if isinstance(field.default, str)
    }
    highest = {
        name: error.high
        for name, error in errors.items()
        if error is not None and error.high is not None
    }
    return tuple(
        _spec(field, helps.get(name, ""), _widest(config_class, name, errors[name], highest))
        for name, field in found.items()
    )


def _config_class(task: type) -> Any:
    """Return what ``config`` is in a task's ``__init__``; None where that is no dataclass."""
    try:
        hint = get_type_hints(task.__init__).get("config")  # type: ignore[misc]
    except NameError:  # of another package, with names that only a type checker sees
        return None
    kinds = [kind for kind in (get_args(hint) or (hint,)) if is_dataclass(kind)]
    return kinds[0] if kinds else None


def _refusal(config_class: Any, options: Mapping[str, Any]) -> OptionError | None:
    """Return why a configuration is refused, where that is the value of a single option."""
    try:
        config_class(**options)
    except OptionError as error:
        return error
    except (UsageError, TypeError):
        return None
    return None


def _widest(
    config_class: Any, name: str, error: OptionError | None, highest: Mapping[str, float]
) -> OptionError | None:
    """Return the refusal with the greatest limit that other options allow."""
    if error is None or error.high is None:
        return error
    for other, high in highest.items():
        again = _refusal(config_class, {name: math.nan, other: high}) if other != name else None
        if again is not None and again.name == name and (again.high or 0) > (error.high or 0):
            error = again
    return error


def _spec(field: "Field[Any]", description: str, error: OptionError | None) -> OptionSpec:
    default = None if field.default is MISSING else field.default
    choices: tuple[Any, ...] = () if error is None else error.choices
    kind: Kind = "text"
    if choices:
        kind = "choice"
    elif isinstance(default, str):
        kind = "folder" if field.name == "folder" else "text"
    elif isinstance(default, float) or isinstance(getattr(error, "high", None), float):
        kind = "number"
    else:
        kind = "whole"
    low, high = (None, None) if error is None else (error.low, error.high)
    label = _label(field.name)
    return OptionSpec(field.name, label, description, kind, default, low, high, choices)


def _label(name: str) -> str:
    words = name.split("_")
    if len(words) == 2 and words[-1] in _UNITS:
        return f"{words[0].capitalize()} ({_UNITS[words[-1]]})"
    return " ".join(words) if words[0] in _UNITS else " ".join(words).capitalize()


def _described(config_class: type) -> dict[str, str]:
    """Return what the docstring says of each parameter, on one line."""
    doc = inspect.getdoc(config_class) or ""
    _, _, listed = doc.partition("Parameters\n----------\n")
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in listed.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            names = entry[1].split(", ")
        elif not line.startswith("    "):
            names = []
        for name in names if entry is None else ():
            found.setdefault(name, []).append(line.strip())
    return {name: " ".join(lines).replace("``", "") for name, lines in found.items()}
