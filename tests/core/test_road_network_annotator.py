"""The scripted annotator of road networks."""

import math
from collections import Counter

import numpy as np
import pytest

from bcannot_core.annotators import BEHAVIOURS, Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task


def annotated(seed: int, behaviour: Behaviour | str = "default", **options: object) -> Session:
    session = Session(make_task("road_network", seed, **options))
    make_annotator(session, seed, behaviour).run(1000)
    return session


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, Behaviour().with_mistakes(0.3)])
def test_every_behaviour_ends_in_success(behaviour: Behaviour | str) -> None:
    for seed in range(6):
        session = annotated(seed, behaviour)
        assert session.task.score(session.state)["success"], seed


@pytest.mark.parametrize(
    "options",
    [
        {"least_nodes": 4, "most_nodes": 4},
        {"curvature": 1.0, "disorder": 0.0},
        {"contrast": 0.3, "noise": 30.0},
        {"variant": "split"},
    ],
)
def test_other_worlds_and_screens(options: dict[str, object]) -> None:
    for seed in range(3):
        session = annotated(seed, **options)
        assert session.task.score(session.state)["success"], seed


def test_the_oracle_places_each_node_and_each_edge_once() -> None:
    session = annotated(4, "flawless")
    counts = Counter(click.action for click in session.clicks)
    graph = session.task.world.graph
    assert counts["place"] == len(graph.nodes)
    assert counts["connect"] == counts["select"] == len(graph.edges)
    assert counts["undo"] == counts["deselect"] == 0
    assert not any(click.flags & 15 for click in session.clicks)


def test_labels_name_the_phase_and_the_node() -> None:
    session = annotated(3)
    graph = session.task.world.graph
    for click in session.clicks:
        labels = unpack_flags(click.flags)
        if click.action in ("place", "connect"):
            assert labels.phase is Phase.PLACE
        if click.action == "place" and not labels.events & Flag.MISTAKE:
            canvas = session.screen.layout.canvas
            at = click.x - canvas.x, click.y - canvas.y
            assert math.dist(at, graph.nodes[labels.position]) <= 8
    assert unpack_flags(session.clicks[-1].flags).phase is Phase.FINISH


def test_mistakes_are_wrong_and_all_of_them_are_taken_back() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(15):
        session = Session(make_task("road_network", seed))
        annotator = make_annotator(session, seed, Behaviour().with_mistakes(0.3))
        graph = session.task.world.graph
        while not session.terminated:
            outcome = annotator.step()
            wrong = bool(unpack_flags(annotator.flags).events & Flag.MISTAKE)
            if wrong:
                kinds[outcome.action] += 1
            if outcome.action == "place" and not wrong:
                at = outcome.state_after.nodes[-1]
                assert min(math.dist(at, node) for node in graph.nodes) <= 6.5
        assert session.task.score(session.state)["success"], seed
    assert kinds["place"] > 20
    assert kinds["connect"] > 20
    assert kinds["edge_mode"] > 3
    assert set(kinds) == {"place", "connect", "edge_mode"}


def test_it_takes_over_from_anybody() -> None:
    for seed in range(6):
        session = Session(make_task("road_network", seed))
        rng = np.random.default_rng(seed)
        done = session.screen.layout.buttons["done"]
        for x, y in rng.integers(0, (426, 436), (80, 2)).tolist():
            if not done.contains(x, y):
                session.apply((x, y), "person")
        make_annotator(session, seed).run(1000)
        assert session.task.score(session.state)["success"]


def test_strategies_differ_in_how_much_they_check() -> None:
    def checks(name: str) -> int:
        behaviour = Behaviour(strategy=name)
        return sum(
            bool(unpack_flags(click.flags).events & Flag.VERIFY)
            for seed in range(12)
            for click in annotated(seed, behaviour).clicks
        )

    assert checks("cautious") > checks("hasty") + 10


@pytest.mark.slow
def test_five_hundred_episodes_succeed_with_mistakes_at_the_usual_rate() -> None:
    wrong = placed = 0
    lengths = []
    for seed in range(500):
        session = annotated(seed)
        assert session.task.score(session.state)["success"], seed
        lengths.append(len(session.clicks))
        labels = [unpack_flags(click.flags) for click in session.clicks]
        decided = [label for label in labels if label.phase is Phase.PLACE]
        placed += len(decided)
        wrong += sum(bool(label.events & Flag.MISTAKE) for label in decided)
    assert 0.05 <= wrong / placed <= 0.15
    assert 40 <= np.mean(lengths) <= 65
