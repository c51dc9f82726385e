"""What was decided in a session before: read from its record."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bcannot_core.errors import JournalError
from bcannot_core.sittings import SittingReader
from bcannot_core.tracing.review import EVENT, Verdict
from napari_bcannot.neurites import Neurite

if TYPE_CHECKING:
    from napari_bcannot.recorder import SittingRecorder


def recorded_verdicts(recorder: "SittingRecorder", neurites: Iterable[Neurite]) -> list[Verdict]:
    """Return the verdicts in the record of the session at hand, on neurites that are there.

    They name neurites by their number in the list. Nothing where nothing is recorded; what
    cannot be read is left out: the nodes are listed again then.
    """
    if recorder.folder is None:
        return []
    try:
        events = SittingReader.open(recorder.folder).events
    except JournalError:
        return []
    numbers = {recorder.number_of(one): one.number for one in neurites}
    found = []
    for event in events:
        if event.kind != EVENT:
            continue
        try:
            verdict = Verdict.from_fields(event.fields)
        except JournalError:
            continue
        number = numbers.get(int(verdict.trace)) if str(verdict.trace).isdigit() else None
        if number is not None:
            found.append(replace(verdict, trace=number))
    return found
