"""Recording of played sessions: a journal while playing, a row of a dataset after Done."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.episodes.episode import DataRef, Episode
from bcannot_core.episodes.worlds import describe_task
from bcannot_core.errors import BcannotError
from bcannot_core.session import ClickToken, Outcome, Session
from bcannot_core.session.journal import JournalHeader
from bcannot_core.sittings.copies import address_of_copy, keep_copy
from bcannot_core.volumes import Volume
from bcannot_core.volumes.address import lies_in_no_file
from napari_bcannot.recording import Recording, make_folder
from napari_bcannot.turns import one_line


class PlayRecording:
    """Records one session, whoever clicks, its clicks so far included.

    Every click is in a journal before the next one. After Done the session becomes an episode of
    the dataset in the same folder, and the journal is deleted once the episode is on the disk.
    The journal of a session without Done stays, unless nobody clicked. Layers that lie in no file
    are copied into the folder: the session could not be looked at, or learnt from, without them.

    Parameters
    ----------
    folder : path
        Made if missing.
    session : Session
        What is recorded.
    seed : int
        Of its world.
    on_error : callable
        Gets a one-line message when writing begins to fail.

    Raises
    ------
    BcannotError
        The folder or the journal cannot be made, or a layer not be copied.
    """

    def __init__(
        self, folder: Path, session: Session, seed: int, on_error: Callable[[str], None]
    ) -> None:
        meta = {"recorded_with": "napari-bcannot"}
        make_folder(folder)
        self._header = _lasting(describe_task(session.task, meta, seed=seed), session.task, folder)
        self._folder = folder
        self._session = session
        self._on_error = on_error
        self.stored: int | None = None
        """Number of clicks of the episode in the dataset, once there is one."""
        self._recording = Recording(folder, self._header, on_error)
        self._recording.write(session.clicks)
        self._unsubscribe = session.subscribe(self._write)

    @property
    def path(self) -> Path:
        """The journal."""
        return self._recording.path

    def close(self) -> None:
        """End the recording; a finished session goes to the dataset."""
        self._unsubscribe()
        self._recording.close()
        task: Any = self._session.task
        if not self._session.terminated:
            if not self._session.clicks:
                self._delete_journal()
            return
        try:
            self._store({"success": bool(task.score(self._session.state)["success"])})
        except BcannotError as error:
            self._on_error(f"{one_line(error)} The session is kept in {self.path}.")
        else:
            self.stored = len(self._session.clicks)
            self._delete_journal()

    def _store(self, meta: dict[str, Any]) -> None:
        header = replace(self._header, meta={**self._header.meta, **meta})
        with EpisodeWriter(self._folder) as writer:
            writer.append(Episode.from_header(header, tuple(self._session.clicks)))

    def _delete_journal(self) -> None:
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._on_error(f"the journal {self.path} cannot be deleted: {error.strerror or error}")

    def _write(self, _: Outcome, token: ClickToken) -> None:
        self._recording.write([token])


def _lasting(header: JournalHeader, task: Any, folder: Path) -> JournalHeader:
    """Return a header whose volume and labels are there the next time, too."""
    if header.data is None:
        return header
    data = DataRef.from_dict(header.data)
    data = replace(data, volume=_lasting_address(task.world.volume, folder))
    if data.labels is not None:
        data = replace(data, labels=_lasting_address(task.world.labels, folder))
    return replace(header, data=data.to_dict())


def _lasting_address(volume: Volume, folder: Path) -> str:
    """Return what opens a volume later: its address, or that of a copy in the folder."""
    if not lies_in_no_file(volume.address):
        return volume.address
    copy = keep_copy(folder.absolute(), volume, volume.fingerprint())
    return address_of_copy(copy, volume.voxel_nm)
