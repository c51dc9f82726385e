"""The scripted annotator of spectral plumes."""

from collections import Counter
from functools import partial

import annotating
import numpy as np
import pytest

from bcannot_core.annotators import Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task

annotated = partial(annotating.annotated, "spectral_plume")


@pytest.mark.parametrize(
    "options",
    [
        {"least_plumes": 5, "most_plumes": 5, "least_confounders": 8, "most_confounders": 8},
        {"least_confounders": 0, "most_confounders": 0},
        {"size": 4.0},
        {"size": 10.0, "ragged": 1.0},
        {"variant": "split"},
    ],
)
def test_other_worlds_and_screens(options: dict[str, object]) -> None:
    for seed in range(4):
        session = annotated(seed, **options)
        score = session.task.score(session.state)
        assert score["success"], seed
        assert score["iou_min"] >= 0.55


def test_the_oracle_neither_errs_nor_takes_back() -> None:
    session = annotated(4, "flawless")
    counts = Counter(click.action for click in session.clicks)
    assert counts["undo"] == 0
    assert counts["close"] == len(session.task.world.plumes)
    assert 6 <= counts["place"] / counts["close"] <= 14
    assert not any(click.flags & 15 for click in session.clicks)


def test_it_looks_at_the_gas_s_bands_before_it_decides() -> None:
    for seed in range(10):
        session = annotated(seed)
        first = [click.action for click in session.clicks].index("place")
        shown = {session.screen.hit(*click[:2]).target for click in session.clicks[:first]}
        gas = {f"band_{band + 1}" for band in session.task.signature}
        assert gas < shown
        phases = {unpack_flags(click.flags).phase for click in session.clicks[: first - 1]}
        assert Phase.EXPLORE in phases


def test_right_vertices_are_placed_in_the_deepest_band_and_named_by_their_plume() -> None:
    for seed in range(8):
        session = Session(make_task("spectral_plume", seed))
        annotator = make_annotator(session, seed)
        while not session.terminated:
            outcome = annotator.step()
            labels = unpack_flags(annotator.flags)
            if outcome.action == "place" and not labels.events & Flag.MISTAKE:
                assert outcome.state_before.band == session.task.signature[0]
                outline = session.task.world.plumes[labels.position].outline_xy
                at = np.array(outcome.state_after.vertices[-1])
                assert np.hypot(*(outline - at).T).min() < 5


def test_mistakes_are_wrong_and_all_of_them_are_taken_back() -> None:
    kinds: Counter[str] = Counter()
    on_others = 0
    for seed in range(25):
        session = Session(make_task("spectral_plume", seed))
        annotator = make_annotator(session, seed, Behaviour().with_mistakes(0.3))
        others = [cloud.mask() for cloud in session.task.world.clouds if not cloud.plume]
        while not session.terminated:
            outcome = annotator.step()
            if unpack_flags(annotator.flags).events & Flag.MISTAKE:
                kinds[outcome.action] += 1
                if outcome.action == "place":
                    x, y = outcome.state_after.vertices[-1]
                    near = np.s_[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
                    on_others += any(mask[near].any() for mask in others)
        assert session.task.score(session.state)["success"], seed
    assert kinds["place"] > 40
    assert kinds["toggle"] > 5
    assert on_others > 10
    assert set(kinds) <= {"place", "toggle", "close"}


def test_it_keeps_the_good_outline_of_somebody_else() -> None:
    session = Session(make_task("spectral_plume", 1))
    other = Session(make_task("spectral_plume", 1))
    make_annotator(other, 99, "flawless").run()
    polygon = other.state.polygons[0]
    for vertex in polygon:
        session.apply(session.click_for(vertex), "person")
    session.apply(session.click_for("close"), "person")
    make_annotator(session, 5, "flawless").run()
    assert session.state.polygons[0] == polygon
    assert session.state.undos == 0
    assert session.task.score(session.state)["success"]


def test_strategies_differ_in_how_much_they_look() -> None:
    def toggles(name: str) -> int:
        behaviour = Behaviour(strategy=name)
        return sum(
            click.action == "toggle"
            for seed in range(8)
            for click in annotated(seed, behaviour).clicks
        )

    assert toggles("thorough") > toggles("efficient") + 10
