"""The scripted annotator of neuron tracking: plans, mistakes, corrections and habits."""

from collections import Counter
from typing import Any

import annotating
import numpy as np
import pytest
from annotating import labels_of, wrong_share

from bcannot_core.annotators import Behaviour, make_annotator
from bcannot_core.annotators.behaviour import LENIENT
from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.annotators.neuron_tracking import NeuronTrackingAnnotator
from bcannot_core.annotators.plan import Mistake
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracking import item_id
from bcannot_core.tasks.registry import make_task


def annotated(seed: int, behaviour: Behaviour | str = "default", **options: Any) -> Session:
    return annotating.annotated(
        "neuron_tracking", seed, behaviour, annotator_seed=seed + 1, **options
    )


def test_ten_seeds_succeed_with_mistakes_on() -> None:
    sessions = [annotated(seed) for seed in range(10)]
    for session in sessions:
        score = session.task.score(session.state)
        assert score["success"] is True
        assert score["identity_f1"] == 1.0
    assert wrong_share(sessions) > 0.02
    assert 50 < np.mean([len(session.clicks) for session in sessions]) < 120


def test_the_oracle_clicks_what_is_needed_and_no_more() -> None:
    session = annotated(3, "flawless", neurons=6)
    actions = Counter(token.action for token in session.clicks)
    assert actions == {"next_frame": 4, "select": 24, "place": 24, "done": 1}


@pytest.mark.parametrize("kind", ["near_miss", "far_miss", "wrong_object"])
def test_each_kind_of_mistake_is_what_it_says_and_is_mended(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NeuronTrackingAnnotator, "kinds", (Mistake(kind),))
    rates = {"near_miss": 0.0, "far_miss": 0.0, "wrong_object": 0.0, kind: 0.4}
    session = annotated(2, Behaviour(**rates, notice_late=0.0, verify=0.0))  # type: ignore[arg-type]
    task: Any = session.task
    again = Session(task)
    distances, on_body = [], []
    for token in session.clicks:
        state = again.state
        outcome = again.apply((token.x, token.y))
        if unpack_flags(token.flags).events & Flag.MISTAKE:
            assert token.action == "place"
            at = outcome.state_after.placed[state.group][state.selected]
            bodies = np.concatenate([task.world.yx, task.world.others_yx], axis=1)[state.group]
            away = np.linalg.norm(bodies - (at.y, at.x), axis=1)
            distances.append(float(away[state.selected]))
            on_body.append(bool(away.min() < 4.5))
    assert len(distances) > 3
    assert all(on_body) if kind == "wrong_object" else not any(on_body)
    if kind == "near_miss":
        assert max(distances) < 17
    if kind == "far_miss":
        assert min(distances) > 29
    assert task.score(session.state)["success"] is True


def test_a_wrong_number_is_chosen_and_chosen_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NeuronTrackingAnnotator, "kinds", (Mistake.WRONG_CLASS,))
    behaviour = Behaviour(near_miss=0.0, far_miss=0.0, wrong_object=0.3, notice_late=0.0, verify=0)
    session = annotated(4, behaviour)
    wrong = [i for i, label in enumerate(labels_of(session)) if label.events & Flag.MISTAKE]
    assert len(wrong) > 3
    for i in wrong:
        assert session.clicks[i].action == session.clicks[i + 1].action == "select"
    assert "undo" not in {token.action for token in session.clicks}
    assert session.task.score(session.state)["identity_f1"] == 1.0


def test_late_noticed_wrong_numbers_are_placed_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NeuronTrackingAnnotator, "kinds", (Mistake.WRONG_CLASS,))
    behaviour = Behaviour(near_miss=0.0, far_miss=0.0, wrong_object=0.2, notice_late=1.0, verify=0)
    session = annotated(4, behaviour)
    actions = [token.action for token in session.clicks]
    marked = [bool(label.events & Flag.MISTAKE) for label in labels_of(session)]
    pairs = [i for i in range(len(actions) - 2) if marked[i] and actions[i] == "select"]
    assert pairs
    for i in pairs:
        if marked[i + 1]:
            assert actions[i + 1 : i + 3] == ["place", "undo"]
    assert session.task.score(session.state)["identity_f1"] == 1.0


def test_groups_and_numbers_are_done_in_order() -> None:
    session = annotated(1, "flawless")
    places = [x.position for x in labels_of(session) if x.phase is Phase.PLACE]
    count = session.task.world.neurons  # type: ignore[attr-defined]
    assert places == [i for i in range(4 * count) for _ in range(2)]


def test_a_wrong_place_left_behind_is_placed_anew() -> None:
    """Not the last edit, so that Undo is no way to mend it."""
    session = Session(make_task("neuron_tracking", 0, neurons=6, groups=3))
    for aim in ("next_frame", "neuron_1", (20, 20), "neuron_2"):
        session.apply(session.click_for(aim))
    task: Any = session.task
    session.apply(session.click_for(tuple(round(c) for c in task.true_xy(1, 1))))
    session.apply(session.click_for("next_frame"))
    make_annotator(session, 0, "flawless").run(500)
    actions = Counter(token.action for token in session.clicks)
    assert actions["undo"] == 0
    assert actions["previous_frame"] == 1
    assert task.score(session.state)["identity_f1"] == 1.0


def place_neuron(session: Session, number: int, on: int, group: int = 1) -> None:
    """Place a neuron on the cell body of another one."""
    layout = session.screen.layout
    if session.state.group != group:
        button = layout.buttons["next_frame"]
        session.apply((button.x + 5, button.y + 5), "policy")
    item = layout.buttons[item_id(number)]
    session.apply((item.x + 5, item.y + 5), "policy")
    y, x = session.task.world.yx[group, on]
    session.apply((layout.canvas.x + round(x), layout.canvas.y + round(y)), "policy")


def test_the_lenient_leave_neurons_that_are_taken_for_each_other() -> None:
    strict, lenient = (Session(make_task("neuron_tracking", 3, neurons=6)) for _ in range(2))
    for session, behaviour in ((strict, "flawless"), (lenient, LENIENT)):
        for number, on in ((0, 1), (1, 0)):
            place_neuron(session, number, on)
        make_annotator(session, 0, behaviour).run(500)
        assert session.task.score(session.state)["f1"] == 1.0
    assert strict.task.score(strict.state)["identity_f1"] == 1.0
    assert lenient.task.score(lenient.state)["identity_f1"] == pytest.approx(22 / 24)


def test_the_lenient_mend_two_marks_on_one_neuron() -> None:
    session = Session(make_task("neuron_tracking", 3, neurons=6))
    for number, on in ((0, 0), (1, 0)):
        place_neuron(session, number, on)
    annotator = make_annotator(session, 0, LENIENT)
    assert annotator.step().action == "undo"
    assert annotator.mends
