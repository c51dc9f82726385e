"""What a session's folder says of its neurites, folded from the record's events."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bcannot_core.errors import JournalError
from bcannot_core.sittings.lines import SittingEvent, is_whole

NEURITE, CHANGED, REMOVED, RESTORED = "neurite", "changed", "removed", "restored"
JOURNAL, ACTIVE, FINGERPRINT = "journal", "active", "fingerprint"
CLOSED, RESUMED = "closed", "resumed"
OWN_KINDS = (
    NEURITE, CHANGED, REMOVED, RESTORED, JOURNAL, ACTIVE, FINGERPRINT, CLOSED, RESUMED
)  # fmt: skip
"""Events that the recorder itself writes; others may write any other kind."""

_TEXTS = ("name", "colour", "status", "note")
_JOURNAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}\.jsonl")


@dataclass(frozen=True)
class NeuriteFacts:
    """What is known of a neurite besides its clicks.

    Attributes
    ----------
    name, colour, status : str
        As the person sees them.
    parent : tuple or None
        Number of the neurite that it branches off, and at which z.
    place : mapping
        Where its volume lies in the viewer, JSON values; ``address`` is what the layer shows.
    note : str
        Why it has this status; empty where there is nothing to say.
    """

    name: str
    colour: str = ""
    status: str = ""
    parent: tuple[int, float] | None = None
    place: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def to_fields(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "name": self.name,
            "colour": self.colour,
            "status": self.status,
            "parent": None if self.parent is None else list(self.parent),
            "place": dict(self.place),
            "note": self.note,
        }

    def changed(self, fields: Mapping[str, Any]) -> "NeuriteFacts":
        """Return the facts with those changed that an event names.

        Raises
        ------
        ValueError
            A value is of the wrong kind.
        """
        texts = {key: fields[key] for key in _TEXTS if key in fields}
        if not all(isinstance(value, str) for value in texts.values()):
            raise ValueError(f"{texts} are not texts")
        changes: dict[str, Any] = dict(texts)
        if "parent" in fields:
            changes["parent"] = _parent(fields["parent"])
        if "place" in fields:
            if not isinstance(fields["place"], dict):
                raise ValueError(f"place is {fields['place']!r}, no object")
            changes["place"] = fields["place"]
        return replace(self, **changes)


@dataclass(frozen=True)
class NeuriteRecord:
    """A neurite of a session.

    Attributes
    ----------
    number : int
        Names it within the session, from 1; never used twice.
    facts : NeuriteFacts
        What is known of it.
    journals : tuple of str
        Its journals' file names. The last one is in force: it begins with the clicks of the one
        before, as far as they were made again.
    carried : tuple of int
        With how many clicks of the journal before each journal begins.
    removed : bool
        Whether the person removed it.
    """

    number: int
    facts: NeuriteFacts
    journals: tuple[str, ...]
    carried: tuple[int, ...]
    removed: bool = False


@dataclass(frozen=True)
class SittingFacts:
    """All that a record says, after its last event.

    Attributes
    ----------
    neurites : mapping
        By number, removed ones included.
    active : int or None
        Number of the neurite that was at hand last.
    fingerprints : mapping
        Of volumes by their address.
    closed : bool
        Whether the session was ended in order.
    """

    neurites: Mapping[int, NeuriteRecord] = field(default_factory=dict)
    active: int | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False


def fold(events: Iterable[SittingEvent], where: object = "the session") -> SittingFacts:
    """Return what a record's events amount to.

    Parameters
    ----------
    events : iterable of SittingEvent
        In order.
    where : object
        For messages.

    Raises
    ------
    JournalError
        An event of a known kind does not say what it has to.
    """
    facts = SittingFacts()
    for number, event in enumerate(events):
        try:
            facts = step(facts, event)
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(
                f"{where}: event {number} ({event.kind}) cannot be understood: {error}"
            ) from error
    return facts


def step(facts: SittingFacts, event: SittingEvent) -> SittingFacts:
    """Return the facts after one more event.

    Raises
    ------
    KeyError, TypeError, ValueError
        The event does not say what it has to.
    """
    if event.kind in (CLOSED, RESUMED):
        return replace(facts, closed=event.kind == CLOSED)
    if event.kind == FINGERPRINT:
        known = {str(event.fields["volume"]): str(event.fields["fingerprint"])}
        return replace(facts, fingerprints={**facts.fingerprints, **known})
    if event.kind == ACTIVE:
        return replace(facts, active=_number(event.fields))
    if event.kind not in OWN_KINDS:
        return facts
    number = _number(event.fields)
    known_before = facts.neurites.get(number)
    if event.kind == NEURITE:
        if known_before is not None:
            raise ValueError(f"neurite {number} was there already")
        neurite = _new(number, event.fields)
    elif known_before is None:
        raise ValueError(f"there is no neurite {number}")
    else:
        neurite = _later(known_before, event)
    return replace(facts, neurites={**facts.neurites, number: neurite})


def _new(number: int, fields: Mapping[str, Any]) -> NeuriteRecord:
    facts = NeuriteFacts("").changed(fields)
    return NeuriteRecord(number, facts, (_journal(fields),), (0,))


def _later(neurite: NeuriteRecord, event: SittingEvent) -> NeuriteRecord:
    if event.kind == CHANGED:
        return replace(neurite, facts=neurite.facts.changed(event.fields))
    if event.kind == JOURNAL:
        carried = event.fields["carried"]
        if not is_whole(carried) or carried < 0:
            raise ValueError(f"carried is {carried!r}")
        return replace(
            neurite,
            journals=(*neurite.journals, _journal(event.fields)),
            carried=(*neurite.carried, carried),
        )
    return replace(neurite, removed=event.kind == REMOVED)


def _number(fields: Mapping[str, Any]) -> int:
    number = fields["neurite"]
    if not is_whole(number):
        raise ValueError(f"neurite is {number!r}, no number")
    return int(number)


def _journal(fields: Mapping[str, Any]) -> str:
    """Return a journal's file name: nothing that leads out of the folder."""
    name = fields["journal"]
    if not isinstance(name, str) or not _JOURNAL_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no journal's name")
    return name


def _parent(value: Any) -> tuple[int, float] | None:
    if value is None:
        return None
    number, z = value
    if not is_whole(number):
        raise ValueError(f"parent is {value!r}")
    return number, float(z)
