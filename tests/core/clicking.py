"""What the tests of several tasks share: clicking, and a plain model of what is placed."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from bcannot_core.session.session import Session

Point = tuple[int, int]
Placed = Mapping[Hashable, Point]


def click(session: Session, *aims: str | Point) -> list[str]:
    """Click buttons and canvas pixels; what each click did."""
    return [session.apply(session.click_for(aim)).action for aim in aims]


def follows_the_plain_model(
    session: Session,
    steps: Sequence[str | Point],
    key_of: Callable[[Any], Hashable],
    placed_in: Callable[[Any], Placed],
) -> None:
    """See that a dict and a stack of edits tell what is placed, and that frames tell the state.

    ``key_of`` says what a click on the canvas places in a state, ``placed_in`` what is placed.
    """
    model: dict[Hashable, Point] = {}
    stack: list[tuple[Hashable, Point | None]] = []
    for step in steps:
        before = session.state
        action = click(session, step)[0]
        assert (action == "none") == (session.state is before)
        if action == "place":
            key = key_of(before)
            stack.append((key, model.get(key)))
            model[key] = step
        elif action == "undo":
            key, old = stack.pop()
            model.pop(key)
            if old is not None:
                model[key] = old
        assert placed_in(session.state) == model
    fresh = Session(session.task).screen.draw(session.task.content(session.state))
    assert (session.frame() == fresh).all()
