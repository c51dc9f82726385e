"""``bcannot tasks``: the tasks that are installed."""

import sys

from bcannot_core.cli.common import JsonOption, table, write_json

NAME = "tasks"
EXAMPLE = "bcannot tasks"


def command(json_file: JsonOption = None) -> None:
    """List the tasks.

    Other packages can add theirs by the entry point group bcannot.tasks.
    """
    from bcannot_core.tasks.registry import list_tasks, task_class

    entries = []
    for name in list_tasks():
        task = task_class(name)
        home = task.__module__.partition(".")[0]
        summary = (sys.modules[task.__module__].__doc__ or "").strip().partition("\n")[0]
        entries.append({"id": name, "summary": summary, "package": home})
    table(("task", "what"), [(entry["id"], entry["summary"]) for entry in entries])
    write_json(json_file, {"tasks": entries})
