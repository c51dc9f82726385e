"""Records a sitting: whatever happens to the neurites of a list, in a session's folder.

A folder is begun with the first neurite and ended with the last one that is let go of. No Qt and
no napari here.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bcannot_core.episodes.worlds import describe_task
from bcannot_core.errors import BcannotError
from bcannot_core.session import ClickToken
from bcannot_core.session.journal import JournalHeader
from bcannot_core.sittings import NeuriteFacts, SittingWriter
from bcannot_core.sittings.copies import keep_copy
from bcannot_core.sittings.timeline import SHAPE
from bcannot_core.volumes import Volume
from bcannot_core.volumes.address import lies_in_no_file
from napari_bcannot.neurites import Neurite, NeuriteList
from napari_bcannot.tracing import TraceSession
from napari_bcannot.turns import one_line

Job = Callable[[], Any]
Place = Mapping[str, Any]
ADDRESS = "address"
"""In a neurite's place: what opens the volume that its layer shows."""


class SittingRecorder:
    """Writes a session's folder while it is switched on.

    Parameters
    ----------
    neurites : NeuriteList
        What is recorded.
    warn : callable
        Gets a one-line message when something cannot be written, once until it works again.

    Attributes
    ----------
    root : Path or None
        Where sessions' folders are made; None while nothing is recorded.
    place_of : callable
        Says of a neurite's session where its volume lies in the viewer: JSON values, `ADDRESS`
        among them.
    in_background : callable
        Runs a job, then hands its result to a function; by default at once.
    """

    def __init__(self, neurites: NeuriteList, warn: Callable[[str], None]) -> None:
        self.root: Path | None = None
        self.place_of: Callable[[TraceSession], Place] = _plain_place
        self.in_background: Callable[[Job, Callable[[Any], None]], None] = _at_once
        self._neurites = neurites
        self._warn = warn
        self._writer: SittingWriter | None = None
        self._numbers: dict[Neurite, int] = {}
        self._known: dict[int, int] = {}
        self._fingerprinted: set[str] = set()
        neurites.added.connect(self._added)
        neurites.removed.connect(self._removed)
        neurites.changed.connect(self._changed)
        neurites.activated.connect(self._activated)
        neurites.clicked.connect(self._clicked)
        neurites.reopened.connect(self._reopened)

    @property
    def folder(self) -> Path | None:
        """The folder of the session that is being recorded."""
        return None if self._writer is None else self._writer.folder

    def switch(self, root: Path | None) -> None:
        """Record all neurites, with their clicks so far, and those to come; None stops.

        Raises
        ------
        BcannotError
            The folder cannot be made; nothing is recorded.
        """
        self.end_all()
        self.root = root
        try:
            for neurite in self._neurites:
                self._begin(neurite)
        except BcannotError:
            self.end_all()
            self.root = None
            raise
        self._activated(self._neurites.active)

    def end_all(self) -> None:
        """End the session in order; there is nothing to restore then."""
        writer, self._writer = self._writer, None
        self._numbers.clear()
        self._known.clear()
        self._fingerprinted.clear()
        if writer is not None:
            writer.close()

    def go_on(self, writer: SittingWriter, known: Mapping[TraceSession, int]) -> None:
        """Go on with a recorded session; its neurites are about to be added to the list.

        Parameters
        ----------
        writer : SittingWriter
            Has resumed the session.
        known : mapping
            The neurites' numbers in it by their sessions.
        """
        self.end_all()
        self._writer = writer
        writer.report_to(self._on_error)
        self._known = {id(trace): number for trace, number in known.items()}

    def number_of(self, neurite: Neurite) -> int | None:
        """Return what a neurite is called in the session's folder; None where it is not in it."""
        return self._numbers.get(neurite)

    def note(self, kind: str, neurite: Neurite | None = None, **fields: Any) -> None:
        """Write an event of any other kind (a decision, say); nothing while nothing is recorded."""
        if self._writer is not None:
            number = None if neurite is None else self._numbers.get(neurite)
            self._writer.note(kind, **({} if number is None else {"neurite": number}), **fields)

    # ---------------------------------------------------------------------------- the list
    def _added(self, neurite: Neurite) -> None:
        number = self._numbers.get(neurite)
        if number is not None:
            if self._writer is not None:
                self._writer.restore(number)
            return
        try:
            self._begin(neurite)
        except BcannotError as error:
            self._warn(f"This session is not recorded: {one_line(error)}")

    def _begin(self, neurite: Neurite) -> None:
        known = self._known.pop(id(neurite.trace), None)
        if known is not None:
            self._numbers[neurite] = known
            return
        if self.root is None and self._writer is None:
            return
        header = _header(neurite.trace)
        if self._writer is None and self.root is not None:
            meta = {"recorded_with": f"napari-bcannot {version('napari-bcannot')}"}
            self._writer = SittingWriter.begin(self.root, meta=meta, on_error=self._on_error)
        if self._writer is not None:
            clicks, sure = neurite.trace.session.clicks, _confidences(neurite.trace)
            self._numbers[neurite] = self._writer.add(self._facts(neurite), header, clicks, sure)
            self._take_fingerprint(neurite.trace.volume)

    def _removed(self, neurite: Neurite) -> None:
        number = self._numbers.get(neurite)
        if self._writer is not None and number is not None:
            self._writer.remove(number)

    def _changed(self, neurite: Neurite, what: str) -> None:
        number = self._numbers.get(neurite)
        if self._writer is None or number is None:
            return
        fields = self._facts(neurite).to_fields()
        wanted = {"status": ("status", "note")}.get(what, (what,))
        self._writer.change(number, **{name: fields[name] for name in wanted})

    def _activated(self, neurite: object) -> None:
        number = self._numbers.get(neurite) if isinstance(neurite, Neurite) else None
        if self._writer is not None and number is not None:
            self._writer.activate(number)

    def _clicked(self, neurite: Neurite, token: ClickToken) -> None:
        number = self._numbers.get(neurite)
        if self._writer is None or number is None:
            return
        sure = None
        if token.actor == "policy" and token.action == "place":
            info = neurite.trace.node_info(neurite.trace.z)
            sure = None if info is None else info.confidence
        self._writer.click(number, token, sure)

    def _reopened(self, neurite: Neurite) -> None:
        """Go on in a new journal: the one before ends with Done."""
        number = self._numbers.get(neurite)
        if self._writer is not None and number is not None:
            trace = neurite.trace
            clicks, sure = trace.session.clicks, _confidences(trace)
            self._writer.begin_again(number, _header(trace), clicks, sure)

    # ---------------------------------------------------------------------------- internal
    def _facts(self, neurite: Neurite) -> NeuriteFacts:
        parent = None
        if neurite.parent is not None and neurite.parent[0] in self._neurites:
            above = self._numbers.get(self._neurites[neurite.parent[0]])
            parent = None if above is None else (above, float(neurite.parent[1]))
        place = dict(self.place_of(neurite.trace))
        return NeuriteFacts(
            neurite.name, neurite.colour, str(neurite.status), parent, place, neurite.note
        )

    def _take_fingerprint(self, volume: Volume) -> None:
        """Note the volume's fingerprint; taking it reads some of it, which may take a while."""
        writer, address = self._writer, volume.address
        if writer is None or address in self._fingerprinted:
            return
        self._fingerprinted.add(address)

        def note(fingerprint: str | None) -> None:
            if fingerprint is not None and self._writer is writer:
                writer.fingerprint(address, fingerprint)
                if lies_in_no_file(address):
                    self._keep_copy(writer.folder, volume, fingerprint)

        def take() -> str | None:
            try:
                return volume.fingerprint()
            except BcannotError:
                return None  # the volume is away: replay cannot check it then

        (_at_once if volume.in_memory else self.in_background)(take, note)

    def _keep_copy(self, folder: Path, volume: Volume, fingerprint: str) -> None:
        """Keep the voxels of a layer that lies in no file: the session could not be replayed."""

        def keep() -> str:
            try:
                keep_copy(folder, volume, fingerprint)
            except BcannotError as error:
                return one_line(error)
            return ""

        self.in_background(keep, lambda problem: self._warn(problem) if problem else None)

    def _on_error(self, error: BcannotError) -> None:
        self._warn(one_line(error))


def _header(trace: TraceSession) -> JournalHeader:
    meta = {"recorded_with": "napari-bcannot", SHAPE: list(trace.volume.shape)}
    return describe_task(trace.task, meta, fingerprint=False)


def _confidences(trace: TraceSession) -> dict[int, float | None]:
    """Return how sure a policy was of the clicks that placed the nodes that stand."""
    return {info.click: info.confidence for info in trace.node_infos() if info.actor == "policy"}


def _plain_place(trace: TraceSession) -> Place:
    return {ADDRESS: trace.volume.address}


def _at_once(job: Job, done: Callable[[Any], None]) -> None:
    done(job())
