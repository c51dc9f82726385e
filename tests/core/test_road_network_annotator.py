"""The scripted annotator of road networks."""

import math
from collections import Counter
from functools import partial

import annotating
import pytest

from bcannot_core.annotators import Behaviour, Flag, Phase, make_annotator, unpack_flags
from bcannot_core.session import Session
from bcannot_core.tasks.registry import make_task

annotated = partial(annotating.annotated, "road_network")


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


def test_strategies_differ_in_how_much_they_check() -> None:
    def checks(name: str) -> int:
        behaviour = Behaviour(strategy=name)
        return sum(
            bool(unpack_flags(click.flags).events & Flag.VERIFY)
            for seed in range(12)
            for click in annotated(seed, behaviour).clicks
        )

    assert checks("cautious") > checks("hasty") + 10
