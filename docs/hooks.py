# ruff: noqa: TID251 (the pages are of the plugin, too)
"""Pages that the program itself writes when the site is built: commands, keys, public volumes.

MkDocs calls `on_files`; the pages are never out of step with what is installed.
"""

import contextlib
import io
import os
from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from bcannot_core.cli import app
from bcannot_core.volumes import catalogue
from napari_bcannot.shortcuts import all_shortcuts

PLUGIN = "src/napari_bcannot/napari.yaml"
WIDTH = "88"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site."""
    written = {
        "reference/command-line.md": command_line(),
        "reference/shortcuts.md": shortcuts(),
        "reference/catalogue.md": public_volumes(),
    }
    for path, text in written.items():
        files.append(File.generated(config, path, content=text))
    return files


def command_line() -> str:
    """Return the page of the command line: what every command says of itself."""
    parts = [
        "# Command line",
        "Exit codes: 0 ok, 1 failed, 2 wrong usage. Errors are one line; `bcannot --debug COMMAND "
        "…` shows where they came from. `--json FILE` writes a result for other programs.",
        f"```text\n{said_by()}\n```",
    ]
    for module in app.COMMANDS:
        parts += [f"## bcannot {module.NAME}", f"```text\n{said_by(module.NAME)}\n```"]
    return "\n\n".join(parts) + "\n"


def said_by(*command: str) -> str:
    """Return what a command answers to ``--help``."""
    said = io.StringIO()
    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = WIDTH
    with contextlib.redirect_stdout(said):
        code = app.run([*command, "--help"])
    if code:
        raise PluginError(f"bcannot {' '.join(command)} --help ended with {code}")
    return said.getvalue().strip()


def shortcuts() -> str:
    """Return the page of keys and of everything that the manifest puts into napari's menus."""
    parts = [
        "# Commands and shortcuts",
        "Keys act while their widget is open and the picture has the focus. A key that somebody "
        "else has bound stays theirs. The keys of *Play a task* are on [its page](../playing.md).",
    ]
    for group, rows in all_shortcuts():
        parts += [f"## {group}", table(("key", "does"), [(f"`{key}`", does) for key, does in rows])]
    return "\n\n".join([*parts, *manifest_tables()]) + "\n"


def manifest_tables() -> list[str]:
    """Return what the manifest has for people: widgets, commands, samples."""
    with open(PLUGIN, encoding="utf-8") as file:
        manifest = yaml.safe_load(file)["contributions"]
    widgets = {one["command"]: one["display_name"] for one in manifest["widgets"]}
    samples = {one["command"] for one in manifest["sample_data"]}
    rows = [
        (one["title"], f"`{one['id']}`")
        for one in manifest["commands"]
        if one["id"] not in samples | set(widgets) and one.get("enablement") != "False"
    ]
    sample_rows = [(one["display_name"], f"`{one['key']}`") for one in manifest["sample_data"]]
    return [
        "## Widgets",
        "*Plugins ▸ bcannot*, and *Layers ▸ Annotate ▸ bcannot*.",
        table(("widget", "id"), [(name, f"`{of}`") for of, name in widgets.items()]),
        "## Commands",
        "All of them are in the command palette (`Ctrl+Shift+P`) and in *Layers ▸ Annotate ▸ "
        "bcannot*. A widget that a command needs is opened.",
        table(("command", "id"), rows),
        "## Samples",
        '*File ▸ Open Sample ▸ bcannot*, or `viewer.open_sample("napari-bcannot", KEY)`.',
        table(("sample", "key"), sample_rows),
    ]


def public_volumes() -> str:
    """Return the page of the volumes that have a name."""
    rows = [
        (f"`{of.name}`", of.title, size(of.voxel_nm), f"`{of.address}`", of.source)
        for of in catalogue()
    ]
    return (
        "# Public volumes\n\nThey need no account. A name stands for its address wherever an "
        "address is asked for, as in `bcannot volumes h01`.\n\n"
        + table(("name", "what", "voxel z, y, x (nm)", "address", "source"), rows)
        + "\n"
    )


def size(voxel_nm: Iterable[float] | None) -> str:
    """Return a voxel size as people write it."""
    return "as the volume says" if voxel_nm is None else " × ".join(f"{v:g}" for v in voxel_nm)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
