"""Brings a recorded session back: the volume that it was traced in, and every neurite as it was.

No Qt here. What waits for disks and servers (`plan_of`, `open_layer_of`, `make_again`) is for a
worker thread, the rest for the GUI thread.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.episodes.worlds import check_data
from bcannot_core.errors import BcannotError, JournalError, VolumeNotFoundError
from bcannot_core.session.journal import JournalContents
from bcannot_core.sittings import NeuriteRecord, SittingReader, SittingWriter
from bcannot_core.sittings.copies import address_of_copy, find_copy
from bcannot_core.tasks.neuron_tracing import TracingConfig
from bcannot_core.volumes import Contrast, Volume
from bcannot_core.volumes.address import MEMORY, lies_in_no_file
from napari_bcannot.geometry import VOLUME_KEY, finest_of, volume_of
from napari_bcannot.neurites import Neurite, Status, free_name
from napari_bcannot.recorded_place import colour_of, scale_of, triple_of, units_of
from napari_bcannot.recorder import ADDRESS
from napari_bcannot.tracing import TraceSession
from napari_bcannot.turns import one_line

if TYPE_CHECKING:
    from napari_bcannot.controller import TraceController
    from napari_bcannot.geometry import Placement

LayerData = tuple[Any, dict[str, Any], str]


def describe_place(
    layer: Any, volume: Volume, placement: "Placement", voxel_nm: Iterable[float]
) -> dict[str, Any]:
    """Return where a traced volume lies in the viewer, as it is recorded with each neurite."""
    changed = lies_in_no_file(volume.address)  # a layer may hold other voxels than its file
    return {
        ADDRESS: volume.address if changed else address_of(layer),
        "layer": layer.name,
        "finest": finest_of(layer),
        "layer_scale": [float(v) for v in layer.scale],
        "layer_translate": [float(v) for v in layer.translate],
        "units": [str(unit) for unit in layer.units],
        "voxel_nm": [float(v) for v in voxel_nm],
        "scale": list(placement.scale),
        "translate": list(placement.translate),
    }


def address_of(layer: Any) -> str:
    """Return what opens the volume of a layer again."""
    known = layer.metadata.get(VOLUME_KEY)
    if isinstance(known, Volume):
        return known.address
    return str(layer.source.path or f"{MEMORY}{layer.name}")


@dataclass(frozen=True)
class Plan:
    """What is needed to bring a session back.

    Attributes
    ----------
    reader : SittingReader
        The session.
    neurites : tuple
        Those that can be read, with their journals.
    place : mapping
        Where their volume lay in the viewer.
    data : DataRef
        Which volume that was.
    config : TracingConfig
        How the first of them was traced.
    problems : tuple of str
        A line for each neurite that cannot be brought back.
    """

    reader: SittingReader
    neurites: tuple[tuple[NeuriteRecord, JournalContents], ...]
    place: Mapping[str, Any]
    data: DataRef
    config: TracingConfig
    problems: tuple[str, ...]

    @property
    def voxel_nm(self) -> tuple[float, float, float]:
        """Voxel size of the layer's finest level."""
        return scale_of(self.place.get("voxel_nm")) or self.data.voxel_nm


def plan_of(folder: Path) -> Plan:
    """Read a session's folder.

    Raises
    ------
    JournalError
        It cannot be read, or there is nothing in it.
    """
    reader = SittingReader.open(folder)
    found: list[tuple[NeuriteRecord, JournalContents]] = []
    problems: list[str] = []
    first: tuple[DataRef, TracingConfig] | None = None
    for record in reader.neurites:
        try:
            contents = reader.journal(record)
            data, config = _task_of(contents)
            if first is not None and _same(first[0]) != _same(data):
                raise JournalError("it was traced in another volume")
        except (BcannotError, TypeError) as error:
            problems.append(f"{record.facts.name} cannot be brought back: {one_line(error)}")
            continue
        first = first or (data, config)
        found.append((record, contents))
    if first is None:
        why = f": {problems[0]}" if problems else ""
        raise JournalError(f"session {folder.name} holds no neurite{why}")
    return Plan(reader, tuple(found), found[0][0].facts.place, *first, tuple(problems))


def find_layer(layers: Iterable[Any], plan: Plan) -> Any:
    """Return the layer of a viewer that shows a session's volume; None where there is none."""
    wanted = plan.place.get(ADDRESS, plan.data.volume)
    for layer in layers:
        fits = type(layer).__name__ == "Image" and layer.ndim == 3 and address_of(layer) == wanted
        if fits and _holds(layer, plan):
            return layer
    return None


def _holds(layer: Any, plan: Plan) -> bool:
    """Whether a layer that is no view of a volume, but has a name or a file, holds what it did."""
    if isinstance(layer.metadata.get(VOLUME_KEY), Volume) or not plan.data.fingerprint:
        return True
    try:
        return volume_of(layer, plan.voxel_nm).fingerprint() == plan.data.fingerprint
    except BcannotError:
        return False


def open_layer_of(plan: Plan) -> LayerData:
    """Open a session's volume as it lay in the viewer; waits for servers.

    Raises
    ------
    VolumeError
        It cannot be opened.
    """
    from napari_bcannot.opening import Request, read_request

    place = plan.place
    address = str(place.get(ADDRESS, plan.data.volume))
    copy = find_copy(plan.reader.folder, plan.data.fingerprint)
    if address.startswith(MEMORY) and copy is not None:
        address = address_of_copy(copy, plan.data.voxel_nm)
    if address.startswith(MEMORY):
        raise VolumeNotFoundError(
            f"this session was traced in the layer {address.removeprefix(MEMORY)!r}, which was in "
            "no file, and no copy was kept: open the same data as a layer of that name, then open "
            "the session again"
        )
    finest = place.get("finest")
    opened = read_request(Request(address, finest=finest if isinstance(finest, int) else 0))
    data, meta, kind = opened.layers[0]
    return data, {**meta, **_layer_meta(place)}, kind


def _layer_meta(place: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a layer lay in the viewer, as far as that was recorded and makes sense."""
    known = {
        "scale": scale_of(place.get("layer_scale")),
        "translate": triple_of(place.get("layer_translate")),
        "units": units_of(place.get("units")),
    }
    meta: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    if isinstance(place.get("layer"), str):
        meta["name"] = place["layer"]
    return meta


@dataclass(frozen=True)
class Restored:
    """A session that is back in memory, its folder open to go on with."""

    plan: Plan
    writer: SittingWriter
    traces: tuple[tuple[NeuriteRecord, TraceSession], ...]


def make_again(plan: Plan, volume: Volume) -> Restored:
    """Make every click of a session again; nothing of the volume is read but its fingerprint.

    Parameters
    ----------
    plan : Plan
        What was recorded.
    volume : Volume
        What it was traced in.

    Raises
    ------
    BcannotError
        The volume is not the one, or the session is being recorded by somebody else.
    """
    volume = volume.with_contrast(Contrast(*plan.data.contrast))
    check_data(plan.data, volume)
    traces = []
    for record, contents in plan.neurites:
        data, config = _task_of(contents)
        trace = TraceSession(volume, data.start_zyx, config)
        trace.replay(contents.clicks, contents.confidences)
        traces.append((record, trace))
    return Restored(plan, SittingWriter.resume(plan.reader.folder), tuple(traces))


def put_back(restored: Restored, controller: "TraceController") -> list[Neurite]:
    """Let a controller go on with a session; what it holds until then is let go of."""
    controller.close(quiet=True)
    known = {trace: record.number for record, trace in restored.traces}
    controller.recorder.go_on(restored.writer, known)
    names: dict[int, str] = {}
    for record, _ in restored.traces:
        names[record.number] = free_name(record.facts.name, names.values())
    made: list[Neurite] = []
    for record, trace in restored.traces:
        facts = record.facts
        above = None if facts.parent is None else names.get(facts.parent[0])
        parent = None if facts.parent is None or above is None else (above, int(facts.parent[1]))
        neurite = controller.neurites.add(
            trace,
            name=names[record.number],
            colour=colour_of(facts.colour),
            parent=parent,
            status=_status(facts.status),
            activate=False,
        )
        neurite.note = facts.note
        made.append(neurite)
    numbers = [record.number for record, _ in restored.traces]
    active = restored.plan.reader.facts.active
    controller.activate(made[numbers.index(active) if active in numbers else -1])
    return made


def _task_of(contents: JournalContents) -> tuple[DataRef, TracingConfig]:
    episode = Episode.from_header(contents.header, ())
    if episode.data is None:
        raise JournalError(f"it is a journal of {episode.task!r}, not of a neurite")
    return episode.data, TracingConfig(**{**episode.config, "variant": episode.variant})


def _same(data: DataRef) -> tuple[object, ...]:
    return data.volume, data.voxel_nm


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        return Status.OPEN
