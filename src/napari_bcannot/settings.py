"""What is kept from one start of napari to the next: a small JSON file of named sections.

Every call reads or writes the file itself, so that two windows of napari do not undo each other's
changes. A file that cannot be read is put aside and said so; the defaults hold then.
"""

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs

from bcannot_core.volumes.atomic import write_atomic
from napari_bcannot import notices

Value = bool | int | float | str | None
"""What can be kept."""
MOST_BYTES = 1 << 20
"""A larger file is none of ours."""
FILE_NAME = "napari.json"


def settings_path() -> Path:
    """Return the file that settings are kept in."""
    return platformdirs.user_config_path("bcannot", appauthor=False) / FILE_NAME


def read_section(name: str) -> dict[str, Value]:
    """Return what is kept under a name, empty where nothing is.

    A file that cannot be used is put aside, with a message.
    """
    section = _read().get(name)
    if not isinstance(section, dict):
        return {}
    return {key: value for key, value in section.items() if isinstance(value, Value)}


def keep_section(name: str, values: Mapping[str, Value]) -> None:
    """Keep values under a name, beside those that are kept there; where that fails, say so once."""
    everything = _read()
    before = everything.get(name)
    everything[name] = {**(before if isinstance(before, dict) else {}), **values}
    path = settings_path()
    text = json.dumps(everything, indent=2, sort_keys=True) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda file: file.write(text.encode()))
    except OSError as error:
        _warn_once(f"Settings are not kept: {path} cannot be written: {error.strerror}.")


def forget_settings() -> None:
    """Let the defaults hold again."""
    settings_path().unlink(missing_ok=True)


def _read() -> dict[str, Any]:
    path = settings_path()
    try:
        text = _text(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        _warn_once(f"Settings cannot be read, the defaults hold: {path}: {error.strerror}.")
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    _put_aside(path)
    return {}


def _text(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(MOST_BYTES + 1)
    return text if len(text) <= MOST_BYTES else b""


def _put_aside(path: Path) -> None:
    aside = path.with_suffix(".bad.json")
    try:
        os.replace(path, aside)
    except OSError:
        _warn_once(f"{path} holds no settings: the defaults hold. Remove the file.")
    else:
        notices.show_warning(
            f"{path} held no settings and was renamed to {aside.name}: the defaults hold."
        )


@lru_cache(maxsize=32)
def _warn_once(message: str) -> None:
    notices.show_warning(message)
