"""What is shown of a review: values, made anew after every change."""

from dataclasses import dataclass

from bcannot_core.tracing.review import Place
from napari_bcannot.neurites import Neurite


@dataclass(frozen=True)
class Entry:
    """A place of the queue as it is shown.

    ``section`` is that of the node to look at; ``z_from`` the section of the node at which the
    doubt begins, ``z_to`` that of the last one that shares it.
    """

    number: int
    name: str
    colour: str
    section: int
    z_from: int
    z_to: int
    doubt: float
    why: str


@dataclass(frozen=True)
class ReviewSnapshot:
    """What is to be shown of a review: a value, made anew after every change.

    ``at`` is the place that is looked at, by its place among ``entries``, -1 for none; ``stale``
    counts the neurites that changed since, or were never looked at.
    """

    entries: tuple[Entry, ...] = ()
    at: int = -1
    stale: int = 0
    looking: bool = False
    progress: tuple[int, int] = (0, 0)
    verdicts: int = 0
    text: str = ""
    can_go_back: bool = False


def entry_of(neurite: Neurite, place: Place) -> Entry:
    """Return how a place of a neurite is shown."""
    task = neurite.trace.task
    first, last = task.z_of(place.first.section), task.z_of(place.last_section)
    return Entry(
        neurite.number, neurite.name, neurite.colour, place.worst.section, first, last,
        place.doubt, place.worst.why,
    )  # fmt: skip
