"""What the arguments of ``bcannot generate`` and ``bcannot bench`` say about tasks."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bcannot_core.errors import UsageError

ALL = "all"
SEEN, UNSEEN = "seen", "unseen"


def chosen_tasks(words: Sequence[str]) -> dict[str, float | None]:
    """Return the tasks that are asked for and their weights, None where none was given.

    A word is a task's id, ``id=weight``, ``all`` or ``all=weight``; what is said of a task by its
    id goes before what is said of all.

    Raises
    ------
    UsageError
        A task is unknown or named twice, or a weight is not positive.
    """
    from bcannot_core.tasks.registry import list_tasks, task_class

    said: dict[str, float | None] = {}
    for word in words:
        name, given, text = word.partition("=")
        if name in said:
            raise UsageError(f"task {name!r} is named twice: name it once, with its weight")
        said[name] = _weight(text, word) if given else None
        if name != ALL:
            task_class(name)
    if ALL in said:
        every = said.pop(ALL)
        return {name: said.get(name, every) for name in list_tasks()}
    return said


def _weight(text: str, word: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"the weight in {word!r} is no positive number: give it as TASK=2.5")
    return weight


def task_options(words: Iterable[str], tasks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the options of each task from ``name=value`` and ``task.name=value``.

    Values are JSON; what is no JSON is a text.

    Raises
    ------
    UsageError
        A word has another form, or names a task that is not asked for.
    """
    found: dict[str, dict[str, Any]] = {name: {} for name in tasks}
    for word in words:
        path, given, text = word.partition("=")
        task, dot, name = path.rpartition(".")
        if not (given and name) or (dot and task not in found):
            asked = ", ".join(found)
            raise UsageError(f"--set {word!r}: give NAME=VALUE or TASK.NAME=VALUE, TASK of {asked}")
        for each in [task] if dot else found:
            found[each][name] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def chosen_variants(words: Sequence[str]) -> tuple[str, ...]:
    """Return interface variants by their names; ``seen`` and ``unseen`` stand for several.

    ``random``, a variant with all axes drawn, stays as it is.
    """
    from bcannot_core.screen import VARIANTS

    groups: Mapping[str, list[str]] = {
        SEEN: [name for name, variant in VARIANTS.items() if not variant.held_out],
        UNSEEN: [name for name, variant in VARIANTS.items() if variant.held_out],
    }
    names = [name for word in words for name in groups.get(word, [word])]
    return tuple(dict.fromkeys(names))
