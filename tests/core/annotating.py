"""What the tests of several scripted annotators share."""

from collections.abc import Iterable, Sequence

import numpy as np

from bcannot_core.annotators import Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.annotators.labels import ClickLabels
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import make_task

MOST_CLICKS = 4000


def annotated(
    task_id: str,
    seed: int,
    behaviour: Behaviour | str = "default",
    *,
    annotator_seed: int | None = None,
    **options: object,
) -> Session:
    """An episode of the scripted annotator, ended."""
    session = Session(make_task(task_id, seed, **options))
    own = seed if annotator_seed is None else annotator_seed
    make_annotator(session, own, behaviour).run(MOST_CLICKS)
    return session


def labels_of(session: Session) -> list[ClickLabels]:
    return [unpack_flags(click.flags) for click in session.clicks]


def wrong_share(sessions: Iterable[Session]) -> float:
    """Share of the placements that are mistakes."""
    placing = [x for session in sessions for x in labels_of(session) if x.phase is Phase.PLACE]
    return sum(bool(x.events & Flag.MISTAKE) for x in placing) / len(placing)


def click_anywhere(session: Session, clicks: Sequence[Sequence[int]]) -> None:
    """Let a person click these frame pixels, but for Done."""
    done = session.screen.layout.buttons["done"]
    for x, y in clicks:
        if not done.contains(x, y):
            session.apply((x, y), "person")


def click_at_random(session: Session, seed: int, count: int) -> None:
    """Let a person click as many random pixels, but for Done."""
    size = session.screen.layout.size_wh
    click_anywhere(session, np.random.default_rng(seed).integers(0, size, (count, 2)).tolist())


def taken_over(session: Session, seed: int) -> bool:
    """Let the scripted annotator end a session; whether it is a success."""
    make_annotator(session, seed).run(MOST_CLICKS)
    return bool(session.task.score(session.state)["success"])
