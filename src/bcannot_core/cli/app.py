"""The application: its commands, and how errors become exit codes."""

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer
import typer.main

from bcannot_core.cli import (
    average,
    bench,
    convert,
    demo,
    evaluate,
    export,
    finetune,
    generate,
    learn,
    policies,
    probe,
    replay,
    report,
    stats,
    tasks,
    trace,
    train,
    volumes,
)
from bcannot_core.errors import BcannotError, UsageError
from bcannot_core.url_queries import masked

PROGRAM = "bcannot"
_INTERRUPTED = 130
# what the argument parser raises; typer does not name the class
_ParserProblem: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command shows an example with --help. "
    "Add --debug to see the traceback of an error.",
)
COMMANDS = (
    demo,
    trace,
    convert,
    generate,
    replay,
    stats,
    export,
    train,
    finetune,
    learn,
    average,
    evaluate,
    report,
    probe,
    bench,
    tasks,
    volumes,
    policies,
)
for module in COMMANDS:
    app.command(module.NAME, epilog="\b\nExample:\n  " + module.EXAMPLE)(module.command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {metadata.version('napari-bcannot')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of errors.")] = False,
) -> None:
    """Learn image annotation from clicks: trace neurites, record, train and evaluate."""


def _complain(message: str) -> None:
    """Write one line to stderr."""
    line = masked(" ".join(message.split()))
    typer.echo(f"{PROGRAM}: {line}", err=True)


def _said(error: BaseException) -> str:
    """Return the message of an error; what the system says without its number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _wrong_usage(error: Exception) -> int:
    """Report what the argument parser refused."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else PROGRAM
    text = str(getattr(error, "format_message", error.__str__)())
    _complain(f"{text.rstrip('.')} (see: {command} --help)")
    return 2


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; ``--debug`` lets errors through."""
    debug = "--debug" in argv
    arguments = [argument for argument in argv if argument != "--debug"]
    try:
        result = typer.main.get_command(app).main(
            arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False
        )
        code = result if isinstance(result, int) else 0
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        return code
    except _ParserProblem as error:
        return _wrong_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return 1
    except BrokenPipeError:
        # the reader of our output has gone: nothing can be said to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BcannotError, OSError, MemoryError) as error:
        if debug:
            raise
        _complain(_said(error))
        return 2 if isinstance(error, UsageError) else 1
    except Exception as error:
        if debug:
            raise
        said = " ".join([str(error), *getattr(error, "__notes__", ())])
        _complain(f"{type(error).__name__}: {said} (a fault of bcannot: --debug shows where)")
        return 1
