"""Learn annotation from clicks: tasks, scripted annotators, policies, tracing.

The names below are loaded when they are first used: importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcannot_core.annotators import make_annotator
    from bcannot_core.policy.policy import Policy
    from bcannot_core.tasks.registry import list_tasks, make
    from bcannot_core.tracing import trace
    from bcannot_core.volumes import open_volume

__all__ = ["Policy", "list_tasks", "make", "make_annotator", "open_volume", "trace"]

_HOMES = {
    "Policy": "bcannot_core.policy.policy",
    "list_tasks": "bcannot_core.tasks.registry",
    "make": "bcannot_core.tasks.registry",
    "make_annotator": "bcannot_core.annotators",
    "open_volume": "bcannot_core.volumes",
    "trace": "bcannot_core.tracing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
