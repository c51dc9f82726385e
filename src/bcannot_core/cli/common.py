"""What several commands share: arguments, progress, tables and JSON."""

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bcannot_core.errors import UsageError


def _writable(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written, now rather than after the work."""
    if path is None or (path.exists() and not (path.is_file() or path.is_dir())):
        return path  # /dev/stdout, a pipe
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not above.is_dir() or not os.access(above, os.W_OK):
        raise typer.BadParameter(f"{path} cannot be written: name a file in a folder of yours")
    return path


JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the result as JSON, too.", callback=_writable
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed: the same seed, the same result.")]


def numbers(text: str, what: str, count: int = 3) -> tuple[float, ...]:
    """Parse ``1,2.5,3``.

    Raises
    ------
    UsageError
        When the text is not ``count`` finite numbers with commas between them.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or not all(math.isfinite(value) for value in values):
        form = ",".join("ZYX" if count == 3 else "N" * count)
        raise UsageError(f"{what} {text!r} is not {count} numbers: give it as {form}")
    return values


def zyx(text: str, what: str) -> tuple[float, float, float]:
    """Parse ``Z,Y,X``."""
    z, y, x = numbers(text, what)
    return z, y, x


def voxel_size(text: str | None) -> tuple[float, float, float] | None:
    """Parse ``--voxel-nm``; None stays None."""
    if text is None:
        return None
    size = zyx(text, "--voxel-nm")
    if min(size) <= 0:
        raise UsageError(f"--voxel-nm {text!r} has a size that is not positive")
    return size


def plain(value: object) -> object:
    """Return numpy scalars and arrays, paths and NaN as what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write a result to a file in one go; nowhere for None."""
    if path is None:
        return
    text = json.dumps(plain(result), indent=2) + "\n"
    if path.is_relative_to("/dev") or (path.exists() and not path.is_file()):
        # /dev/stdout, a pipe; never put in place of what was there, even where it leads to a file
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def say(text: str = "") -> None:
    """Write a line of a command's answer to stdout; files are written where nobody reads on."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show a table: aligned on a terminal, tab separated into a pipe."""
    if sys.stdout is None or not sys.stdout.isatty():
        for row in (header, *rows):
            say("\t".join(str(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        drawn.add_column(name)
    for row in rows:
        drawn.add_row(*(Text(str(cell)) for cell in row))
    Console().print(drawn)


def figure(value: object) -> str:
    """Return a value as a table shows it: floats with three significant places."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr when that is a terminal.

    Yields
    ------
    callable
        ``advance(n)``: n more are done.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)
