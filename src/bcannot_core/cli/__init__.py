"""The command line ``bcannot``: one file per command, arguments only."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with 0 (ok), 1 (failed) or 2 (wrong usage).

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process by default.
    """
    import sys

    from bcannot_core.cli.app import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
