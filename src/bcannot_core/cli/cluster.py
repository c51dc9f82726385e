"""Working on a dask cluster instead of this machine."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Annotated

import typer

from bcannot_core.errors import BcannotError, UsageError

CONNECT_S = 15

WorkersOption = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Work on this dask.distributed scheduler, tcp://host:port."
    ),
]


@contextmanager
def cluster(scheduler: str | None) -> Iterator[Executor | None]:
    """Connect to a scheduler and give its executor; None without an address.

    Raises
    ------
    UsageError
        dask.distributed is not installed.
    BcannotError
        Nobody answers at the address.
    """
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--scheduler needs dask.distributed: pip install 'napari-bcannot[all]'"
        ) from None
    try:
        client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BcannotError(f"no scheduler answers at {scheduler!r}: {error}") from error
    with client:
        executor: Executor = client.get_executor()
        yield executor
