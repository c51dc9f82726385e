"""From an episode to the task it was made in, and from a task to what an episode keeps of it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.errors import BcannotError, DatasetError, TaskError, UsageError
from bcannot_core.session.journal import JournalHeader
from bcannot_core.session.protocol import Task
from bcannot_core.session.session import Session
from bcannot_core.tasks.base import TaskBase
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.registry import make_task
from bcannot_core.url_queries import without_query
from bcannot_core.volumes import Contrast, Region, Volume, open_volume
from bcannot_core.volumes.address import Address, parse_address

_REGION_OPTIONS = ("box", "axes", "flip", "step")
_OPEN_VOLUMES = 16

FILES = "files_fingerprint"
"""In an episode's ``meta``: hash of the user's files that its world was drawn from."""


def build_task(episode: Episode, *, volume: Volume | None = None, labels: bool = False) -> Task:
    """Build the task of an episode.

    Parameters
    ----------
    episode : Episode
        Its clicks play no part.
    volume : Volume, optional
        What the episode looks at, where its address cannot be opened here (a volume in memory,
        a file that moved); checked like one that is opened.
    labels : bool
        Whether to open the labels too, for a score or an annotator.

    Raises
    ------
    DatasetError
        The task is unknown, its configuration does not fit, or the data are not those that the
        episode was made on.
    VolumeError
        The volume cannot be opened.
    """
    data = episode.data
    if data is None:
        return _sample_task(episode)
    if episode.task != NeuronTracing.id:
        raise DatasetError(
            f"an episode of {episode.task!r} names a volume, which it cannot look at"
        )
    try:
        config = TracingConfig(**{**episode.config, "variant": episode.variant})
    except (TypeError, BcannotError) as error:
        raise DatasetError(
            f"an episode's configuration does not fit {episode.task}: {error}"
        ) from error
    if volume is None:
        volume = open_shared(data.volume, contrast=data.contrast)
    else:
        volume = volume.with_contrast(Contrast(*data.contrast))
    check_data(data, volume)
    truth = open_shared(data.labels, labels=True) if labels and data.labels is not None else None
    try:
        return NeuronTracing(TracingWorld(volume, data.start_zyx, truth), config)
    except (TaskError, UsageError) as error:
        raise DatasetError(f"an episode does not fit its volume: {error}") from error


def _sample_task(episode: Episode) -> Task:
    """Draw the world of an episode again from its seed and configuration."""
    options = {name: _frozen(value) for name, value in episode.config.items()}
    try:
        task = make_task(episode.task, episode.seed, **{**options, "variant": episode.variant})
        files = task.files_fingerprint()
    except (TypeError, UsageError, TaskError) as error:
        raise DatasetError(f"the task of an episode cannot be made: {error}") from error
    known = episode.meta.get(FILES, "")
    if known and files != known:
        raise DatasetError(
            f"{options.get('folder') or episode.task} does not hold the files that the episode was "
            f"made on (fingerprint {files or 'none'}, not {known}): put them back, no more and no "
            "fewer"
        )
    return task


def _frozen(value: Any) -> Any:
    """Return a JSON value as a configuration holds it: tuples for lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def check_data(data: DataRef, volume: Volume) -> None:
    """See that a volume is the one that a reference was made of.

    Raises
    ------
    DatasetError
        Voxel size or voxels differ.
    """
    if tuple(volume.voxel_nm) != tuple(data.voxel_nm):
        raise DatasetError(
            f"the voxels of {volume.address} are {volume.voxel_nm} nm, the episode was made with "
            f"{data.voxel_nm}: open it with that voxel size"
        )
    if data.fingerprint and volume.fingerprint() != data.fingerprint:
        raise DatasetError(
            f"{volume.address} does not hold the voxels that the episode was made on "
            f"(fingerprint {volume.fingerprint()}, not {data.fingerprint})"
        )


def open_shared(
    address: str, *, labels: bool = False, contrast: tuple[float, float] | None = None
) -> Volume:
    """Open a volume, or one that is open already in this process.

    A few volumes stay open; regions share what lies below them.

    Parameters
    ----------
    address : str
        As for ``open_volume``.
    labels : bool
        Open ids instead of grey values.
    contrast : tuple of float, optional
        Raw values shown black and white.

    Raises
    ------
    VolumeError
        The volume cannot be opened.
    """
    region = parse_address(address).region
    base = _without_region(address)
    below = _open_base(base, labels) if contrast is None else _open_grey(base, contrast)
    if region is None:
        return below
    return Region(below, region.box, region.axes, region.flips, region.step)


def with_volume(episode: Episode, location: str) -> Episode:
    """Return an episode that looks for its volume elsewhere: the file or server has moved.

    Parameters
    ----------
    episode : Episode
        Of a task that looks at a volume.
    location : str
        The new address; where it has no options of its own, the recorded ones (key, scale, voxel
        size, region) stay.

    Raises
    ------
    DatasetError
        The episode names no volume.
    """
    if episode.data is None:
        raise DatasetError(f"an episode of {episode.task} names no volume that could have moved")
    head, mark, options = episode.data.volume.rpartition("#")
    has_options = bool(mark) and parse_address(episode.data.volume).base() == head
    location = without_query(location)
    new = parse_address(location)
    plain = new == Address(new.location, new.kind)
    address = f"{location}#{options}" if has_options and plain else location
    return replace(episode, data=replace(episode.data, volume=address))


def _without_region(address: str) -> str:
    if parse_address(address).region is None:
        return address
    location, _, options = address.rpartition("#")
    kept = [part for part in options.split("&") if part.partition("=")[0] not in _REGION_OPTIONS]
    return f"{location}#{'&'.join(kept)}" if kept else location


@lru_cache(maxsize=_OPEN_VOLUMES)
def _open_base(address: str, labels: bool) -> Volume:
    return open_volume(address, labels=labels)


@lru_cache(maxsize=_OPEN_VOLUMES)
def _open_grey(address: str, contrast: tuple[float, float]) -> Volume:
    volume, wanted = _open_base(address, False), Contrast(*contrast)
    return volume if volume.contrast == wanted else volume.with_contrast(wanted)


def describe_task(
    task: Any,
    meta: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    fingerprint: bool = True,
) -> JournalHeader:
    """Return what a journal or an episode keeps of a task: the journal's first line.

    Parameters
    ----------
    task : Task
        Of a session; a neurite's volume is referred to by its address and fingerprint, other worlds
        are drawn again from the seed and the configuration. Where these draw from the user's
        files, ``meta`` gets their fingerprint.
    meta : mapping, optional
        JSON values to keep.
    seed : int
        What the world was drawn with; decides it where there is no volume.
    fingerprint : bool
        Whether to take the volume's, which reads some of it.

    Raises
    ------
    VolumeError
        The volume cannot be read.
    UsageError
        The user's files cannot be read any more.
    """
    config = asdict(task.config)
    variant = config.pop("variant")
    world = getattr(task, "world", None)
    volume = getattr(world, "volume", None) if task.id == NeuronTracing.id else None
    data = None
    if world is not None and volume is not None:
        reference = refer_to(volume, world.start_zyx, world.labels, fingerprint=fingerprint)
        data = reference.to_dict()
    files = task.files_fingerprint() if isinstance(task, TaskBase) else ""
    kept = {**(meta or {}), FILES: files} if files else dict(meta or {})
    return JournalHeader(task.id, config, data, str(variant), seed, kept)


def refer_to(
    volume: Volume,
    start_zyx: tuple[float, float, float],
    labels: Any = None,
    *,
    fingerprint: bool = True,
) -> DataRef:
    """Return a reference to a start point in a volume, with or without its fingerprint."""
    z, y, x = (round(c) for c in start_zyx)
    return DataRef(
        volume=volume.address,
        start_zyx=(z, y, x),
        voxel_nm=volume.voxel_nm,
        contrast=(volume.contrast.lo, volume.contrast.hi),
        fingerprint=volume.fingerprint() if fingerprint else "",
        labels=getattr(labels, "address", None),
    )


def episode_of(
    session: Session, meta: Mapping[str, Any] | None = None, *, seed: int = 0
) -> Episode:
    """Return a session as an episode, its clicks so far included; as :func:`describe_task`.

    Raises
    ------
    VolumeError
        The volume cannot be read.
    """
    header = describe_task(session.task, meta, seed=seed)
    return Episode.from_header(header, tuple(session.clicks))
