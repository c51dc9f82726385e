"""``bcannot trace``: trace one or many neurites."""

from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bcannot_core.cli.cluster import SchedulerOption, WorkersOption, cluster
from bcannot_core.cli.common import JsonOption, progress, table, write_json, zyx
from bcannot_core.cli.data import KeyOption, VoxelOption, ZStepOption, open_grey
from bcannot_core.errors import BcannotError, UsageError

if TYPE_CHECKING:
    from bcannot_core.tracing import Trace
    from bcannot_core.tracing.starts import NamedStart

NAME = "trace"
EXAMPLE = "bcannot trace em.tif --voxel-nm 30,8,8 --start 0,512,480 --sections 200 --out n.swc"
Zyx = tuple[float, float, float]


def command(
    volume: Annotated[str, typer.Argument(help="A path or URL (bcannot volumes lists some).")],
    start: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="A point in the neurite, voxels.")
    ] = None,
    starts: Annotated[
        Path | None,
        typer.Option(
            help="Many start points: a CSV file with columns z,y,x; a column name names the files."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The .swc or .csv file; with --starts a folder."),
    ] = None,
    policy: Annotated[str, typer.Option(help="The policy, a name or a folder.")] = "default",
    sections: Annotated[int, typer.Option(min=1, help="How many sections at most.")] = 50,
    backwards: Annotated[bool, typer.Option("--backwards", help="Towards smaller z.")] = False,
    voxel_nm: VoxelOption = None,
    key: KeyOption = None,
    z_step: ZStepOption = 1,
    nm_per_px: Annotated[float, typer.Option(help="Size of a canvas pixel, nm.")] = 10.0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; with one worker.")] = "auto",
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
    json_file: JsonOption = None,
) -> None:
    """Trace one or many neurites.

    What was traced until a server stopped answering is kept; the exit code is then 1.
    """
    from bcannot_core.episodes.generate import lost_workers
    from bcannot_core.policy.checkpoint import resolve_policy
    from bcannot_core.policy.policy import Policy
    from bcannot_core.tracing import TraceOptions, trace_many
    from bcannot_core.tracing.batch_run import DIED

    grey = open_grey(volume, voxel_nm, key, z_step)
    named = _starts(start, starts, grey.voxel_nm if grey.voxel_known else None)
    points = [one.zyx for one in named]
    targets = _targets(out, [one.name for one in named], many=starts is not None)
    options = TraceOptions(sections, nm_per_px, -1 if backwards else 1)
    traces: dict[int, Trace] = {}
    with ExitStack() as stack:
        executor = _executor(stack, workers, scheduler)
        acting: Any = str(resolve_policy(policy))
        if executor is None:
            acting = Policy.load(policy, device=device)
        advance = stack.enter_context(progress("tracing", len(points)))
        died: Exception | None = None
        try:
            for i, trace in trace_many(grey, points, acting, options, executor=executor):
                traces[i] = trace
                if len(trace):
                    targets[i].parent.mkdir(parents=True, exist_ok=True)
                    trace.save(targets[i])
                advance(1)
        except lost_workers() as error:
            died = error
    done = {targets[i]: traces[i] for i in sorted(traces)}
    _report(done, grey.address, json_file)
    if died is not None:
        raise BcannotError(f"{len(done)} of {len(points)} traces are there. {DIED}") from died
    _see_complete(list(done.values()))
    if not grey.voxel_known:
        z, y, x = grey.voxel_nm
        note = f"note: {grey.address} states no voxel size, {z:g},{y:g},{x:g} nm was taken"
        typer.echo(f"{note}: give --voxel-nm", err=True)


def _starts(start: str | None, starts: Path | None, voxel_nm: Zyx | None) -> "list[NamedStart]":
    from bcannot_core.tracing.starts import NamedStart, read_named_starts

    if (start is None) == (starts is None):
        raise UsageError("say where to begin: either --start Z,Y,X or --starts FILE.csv")
    if start is not None:
        return [NamedStart(zyx(start, "--start"))]
    assert starts is not None
    return read_named_starts(starts, voxel_nm)


def _targets(out: Path | None, names: list[str], *, many: bool) -> list[Path]:
    """Return a file for each trace: of many by their names, or numbers where they have none."""
    from bcannot_core.tracing.starts import file_names

    if not many:
        target = out or Path("trace.swc")
        if target.suffix not in (".swc", ".csv"):
            raise UsageError(f"--out {target} ends in neither .swc nor .csv")
        return [target]
    folder = out or Path("traces")
    if folder.suffix in (".swc", ".csv") or folder.is_file():
        raise UsageError(f"--out {folder} is a file: with --starts it is a folder")
    numbered = [name or f"{i:05d}" for i, name in enumerate(names)]
    return [folder / f"{name}.swc" for name in file_names(numbered)]


def _executor(stack: ExitStack, workers: int, scheduler: str | None) -> Executor | None:
    if scheduler is not None or workers == 1:
        return stack.enter_context(cluster(scheduler))
    from bcannot_core.tracing.pool import TracingPool

    return stack.enter_context(TracingPool(workers))


def _report(traces: "dict[Path, Trace]", volume: str, json_file: Path | None) -> None:
    entries = [
        {
            "file": str(target) if len(trace) else None,
            "start_zyx": trace.start_zyx,
            "nodes": len(trace),
            "confidence": float(trace.confidence.mean()) if len(trace) else None,
            "stopped": trace.stopped,
            "problem": trace.problem,
            "clicks": trace.clicks,
        }
        for target, trace in traces.items()
    ]
    table(
        ("file", "nodes", "stopped"),
        [(of["file"] or "-", of["nodes"], of["stopped"]) for of in entries],
    )
    write_json(json_file, {"traces": entries, "volume": volume})


def _see_complete(traces: "list[Trace]") -> None:
    """Say so where traces broke off or have no nodes."""
    broken = [trace for trace in traces if trace.stopped == "unreachable"]
    empty = [trace for trace in traces if not len(trace) and trace.stopped != "unreachable"]
    if broken:
        last = broken[0].nodes_zyx[-1] if len(broken[0]) else broken[0].start_zyx
        raise BcannotError(
            f"{len(broken)} of {len(traces)} traces broke off, what there was is kept; continue "
            f"with --start {','.join(f'{value:g}' for value in last)}: {broken[0].problem}"
        )
    if empty:
        raise BcannotError(
            f"{len(empty)} of {len(traces)} traces have no nodes, the first from "
            f"{empty[0].start_zyx}: is the start point inside a neurite?"
        )
