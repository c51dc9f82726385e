"""An episode: the program that makes frames, a few hundred bytes.

Task, configuration, a reference to the data, interface variant, seed and click tokens; the frames
are derived by replay.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from bcannot_core.errors import DatasetError
from bcannot_core.session.clicks import ClickToken
from bcannot_core.session.journal import JournalHeader

MAX_CLICKS = 1_000_000


@dataclass(frozen=True)
class DataRef:
    """Which data an episode looks at.

    Attributes
    ----------
    volume : str
        Address of the volume, or a region of one in its string form.
    start_zyx : tuple of int
        Where the trace begins, voxels of that volume.
    voxel_nm : tuple of float
        Voxel size (z, y, x) that the session used.
    contrast : tuple of float
        Raw values shown black and white.
    fingerprint : str
        Hash of the volume's shape, dtype and a sample of its voxels; replay refuses data that do
        not match. Empty where none was taken.
    labels : str, optional
        Address of the ground truth, where there is one.
    """

    volume: str
    start_zyx: tuple[int, int, int]
    voxel_nm: tuple[float, float, float]
    contrast: tuple[float, float]
    fingerprint: str = ""
    labels: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        """Build a reference from JSON values, checked.

        Raises
        ------
        DatasetError
            A field is missing or of the wrong kind.
        """
        names = {f.name for f in fields(cls)}
        try:
            values = {name: body[name] for name in names if name in body}
            z, y, x = (int(c) for c in body["start_zyx"])
            vz, vy, vx = (float(c) for c in body["voxel_nm"])
            low, high = (float(c) for c in body["contrast"])
            values |= {"start_zyx": (z, y, x), "voxel_nm": (vz, vy, vx), "contrast": (low, high)}
            reference = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"a data reference cannot be read: {error!r} in {dict(body)!r}"[:400]
            ) from error
        texts = (reference.volume, reference.fingerprint, reference.labels or "")
        if not all(isinstance(text, str) for text in texts):
            raise DatasetError(f"a data reference cannot be read: {dict(body)!r}"[:400])
        return reference


@dataclass(frozen=True)
class Episode:
    """One session, by anybody, in full.

    Attributes
    ----------
    task : str
        Task id.
    config : mapping
        The task's configuration as JSON values.
    data : DataRef or None
        What the session looks at; None where ``seed`` and ``config`` decide everything.
    variant : str
        Interface variant.
    seed : int
        Seed of the task's world, 0 to 2**63 - 1.
    clicks : tuple of ClickToken
        What was clicked, in order, taken-back clicks and their Undo included.
    meta : mapping
        Anything else worth keeping, JSON values; does not change the replay.
    """

    task: str
    config: Mapping[str, Any]
    data: DataRef | None
    variant: str
    seed: int
    clicks: tuple[ClickToken, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.clicks)

    def header(self) -> JournalHeader:
        """Return the first line of this episode's journal."""
        data = None if self.data is None else self.data.to_dict()
        return JournalHeader(self.task, self.config, data, self.variant, self.seed, self.meta)

    @classmethod
    def from_header(cls, header: JournalHeader, clicks: tuple[ClickToken, ...]) -> Self:
        """Build an episode from what a journal holds.

        Raises
        ------
        DatasetError
            The header's data reference cannot be read.
        """
        data = None if header.data is None else DataRef.from_dict(header.data)
        return cls(
            header.task, header.config, data, header.variant, header.seed, clicks, header.meta
        )


def to_json(value: Mapping[str, Any]) -> str:
    """Return a mapping as canonical JSON: sorted keys, no spaces, no NaN.

    Raises
    ------
    DatasetError
        A value is none that JSON knows.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"a value cannot be stored as JSON: {error}") from error
