"""Reads a session's folder: what happened, neurite by neurite."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bcannot_core.episodes.episode import Episode
from bcannot_core.errors import BcannotError, DatasetError
from bcannot_core.session.journal import JournalContents, read_journal
from bcannot_core.sittings.copies import address_of_copy, find_copy
from bcannot_core.sittings.facts import NeuriteRecord, SittingFacts, fold
from bcannot_core.sittings.lines import RECORD, RecordContents, SittingEvent, read_record
from bcannot_core.volumes.address import lies_in_no_file
from bcannot_core.volumes.formats.units import usable_voxel


@dataclass(frozen=True)
class SittingReader:
    """A session's folder: its record as it was when opened; journals are read when asked for.

    Made by :meth:`open`; the folder may be one that is being written.

    Attributes
    ----------
    folder : Path
        Where it lies.
    record : RecordContents
        The record's lines.
    facts : SittingFacts
        What they amount to.
    """

    folder: Path
    record: RecordContents
    facts: SittingFacts

    @classmethod
    def open(cls, folder: Path) -> "SittingReader":
        """Read the record of a session's folder.

        Raises
        ------
        JournalError
            It is missing, damaged or of another version.
        """
        record = read_record(folder / RECORD)
        return cls(folder, record, fold(record.events, folder))

    @property
    def id(self) -> str:
        """What names the session wherever its folder lies."""
        return self.record.header.id

    @property
    def events(self) -> tuple[SittingEvent, ...]:
        """All events that are no clicks, of unknown kinds too."""
        return self.record.events

    @property
    def neurites(self) -> tuple[NeuriteRecord, ...]:
        """The neurites that were not removed."""
        return tuple(one for one in self.facts.neurites.values() if not one.removed)

    def journal(self, neurite: NeuriteRecord, which: int = -1) -> JournalContents:
        """Read one of a neurite's journals, by default the one in force.

        Its header has the fingerprint of the volume, where that was learnt later, and the address
        of the copy of one that lay in no file.

        Raises
        ------
        JournalError
            It is missing or damaged.
        """
        contents = read_journal(self.folder / neurite.journals[which])
        data = contents.header.data
        if not data:
            return contents
        learnt = self._learnt(data)
        return replace(contents, header=replace(contents.header, data=learnt))

    def _learnt(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a reference to data with what became known of it later."""
        volume = str(data.get("volume"))
        fingerprint = str(data.get("fingerprint") or self.facts.fingerprints.get(volume, ""))
        copy = find_copy(self.folder, fingerprint) if lies_in_no_file(volume) else None
        learnt = {**data, "fingerprint": fingerprint}
        size = usable_voxel(data.get("voxel_nm") or ())
        return learnt if copy is None or size is None else {
            **learnt, "volume": address_of_copy(copy, size),
        }  # fmt: skip

    def episode(self, neurite: NeuriteRecord) -> Episode:
        """Return a neurite as an episode; ``meta`` says which session and neurite it is.

        Raises
        ------
        JournalError
            The journal is missing or damaged.
        DatasetError
            Its reference to data cannot be read.
        """
        contents = self.journal(neurite)
        meta: Mapping[str, Any] = {
            **contents.header.meta,
            "session": self.id,
            "neurite": neurite.number,
            "name": neurite.facts.name,
            "status": neurite.facts.status,
        }
        if neurite.facts.parent is not None:
            meta = {**meta, "parent": list(neurite.facts.parent)}
        return Episode.from_header(replace(contents.header, meta=meta), contents.clicks)

    def episodes(self, problems: list[str] | None = None) -> Iterator[Episode]:
        """Yield the neurites that were not removed and have clicks, as episodes.

        Parameters
        ----------
        problems : list, optional
            Gets a line for every neurite that cannot be read; without it such a one is an error.

        Raises
        ------
        DatasetError
            A neurite cannot be read.
        """
        for neurite in self.neurites:
            try:
                episode = self.episode(neurite)
            except BcannotError as error:
                message = f"{neurite.facts.name} of session {self.folder.name}: {error}"
                if problems is None:
                    raise DatasetError(message) from error
                problems.append(message)
            else:
                if episode.clicks:
                    yield episode
