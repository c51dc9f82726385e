"""The scripted tracer: whatever it gets wrong or finds, the trace it leaves is without fault."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcannot_core.annotators import (
    BEHAVIOURS,
    CORRECTION,
    MISTAKE,
    OVERSHOOT,
    VERIFY,
    Behaviour,
    Flag,
    Phase,
    make_annotator,
    named_behaviour,
    unpack_flags,
)
from bcannot_core.annotators.behaviour import REACTION_MS, Hand
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import Rect
from bcannot_core.session.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.registry import make
from bcannot_core.volumes import Contrast, Volume

SHAPE = (24, 120, 130)
OFTEN = Behaviour(
    near_miss=0.2, far_miss=0.1, wrong_object=0.15, notice_late=0.5, verify=0.2, overshoot=0.2
)


def tubes(ends_at: int | None = None, radius: float = 5.0) -> np.ndarray:
    """Labels of tubes: 1 winds, 2 runs beside it, 3 branches off 1; 1 ends where it is told."""
    labels = np.zeros(SHAPE, dtype=np.uint32)
    yy, xx = np.mgrid[: SHAPE[1], : SHAPE[2]]
    for z in range(SHAPE[0]):
        y, x = 60 + 12 * math.sin(z / 4), 60 + 12 * math.cos(z / 5)
        labels[z][(yy - y - 16) ** 2 + (xx - x) ** 2 <= 36] = 2
        if z >= 8:
            labels[z][(yy - y) ** 2 + (xx - x - 2 * (z - 8)) ** 2 <= 9] = 1
        if ends_at is None or z < ends_at:
            labels[z][(yy - y) ** 2 + (xx - x) ** 2 <= radius**2] = 1
        elif ends_at is not None:
            labels[z][labels[z] == 1] = 0
    return labels


def make_session(labels: np.ndarray | None = None, **changes: Any) -> Session:
    labels = tubes() if labels is None else labels
    grey = np.random.default_rng(0).integers(0, 255, labels.shape, dtype=np.uint8)
    voxel = changes.pop("voxel_nm", (30.0, 10.0, 10.0))
    start = changes.pop("start_zyx", (0, 60, 72))
    world = TracingWorld(
        Volume.from_array(grey, voxel_nm=voxel, contrast=Contrast(0, 255)),
        start,
        Volume.from_array(labels, voxel_nm=voxel, labels=True),
    )
    return Session(NeuronTracing(world, TracingConfig(**changes)))


def is_perfect(session: Session) -> bool:
    score = session.task.score(session.state)
    path = session.task.path
    inside = all(
        section < len(path) and path.sections[section].contains(session.task.point(node))
        for section, node in session.state.nodes.items()
    )
    return bool(
        score["success"] and score["coverage"] == score["skeleton_accuracy"] == 1 and inside
    )


@pytest.mark.parametrize("behaviour", [*BEHAVIOURS, OFTEN])
@pytest.mark.parametrize("ends_at", [None, 15])
def test_traces_end_without_fault_whatever_goes_wrong_on_the_way(
    behaviour: str | Behaviour, ends_at: int | None
) -> None:
    labels = tubes(ends_at)
    for seed in range(12):
        session = make_session(labels, direction=1)
        make_annotator(session, seed, behaviour).run()
        assert is_perfect(session)
        assert session.state.nodes.count == (ends_at or SHAPE[0])
        assert session.state.section == (ends_at or SHAPE[0] - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": -1, "start_zyx": (23, 54, 61)},
        {"sections": 1},
        {"sections": 7},
        {"nm_per_px": 4.0},
        {"nm_per_px": 25.0},
        {"voxel_nm": (30.0, 8.0, 13.0)},
        {"variant": "minimal_left"},
    ],
)
def test_other_scales_directions_and_screens(changes: dict[str, Any]) -> None:
    for seed in range(4):
        session = make_session(**changes)
        make_annotator(session, seed, OFTEN).run()
        assert is_perfect(session)


def test_a_neurite_smaller_than_a_canvas_pixel_ends_too() -> None:
    labels = np.zeros(SHAPE, dtype=np.uint32)
    labels[:, 60, 72] = 1
    for z in range(SHAPE[0]):
        labels[z, 60 + z % 2 : 62 + z % 2, 72 : 74 + z % 4] = 1
    session = make_session(labels, nm_per_px=55.0)
    make_annotator(session, 1, OFTEN).run(limit=2000)
    assert session.state.nodes.count == SHAPE[0]


def test_a_neurite_that_leaves_the_view_is_panned_to() -> None:
    labels = np.zeros((6, 100, 900), dtype=np.uint32)
    labels[:3, 40:60, 20:60] = 1
    labels[2:3, 40:60, 20:800] = 1
    labels[3:, 40:60, 700:800] = 1
    session = make_session(labels, start_zyx=(0, 50, 40))
    make_annotator(session, 3, "flawless").run(limit=100)
    assert "pan" in {click.action for click in session.clicks}
    assert is_perfect(session)


def test_the_same_seed_clicks_the_same_and_another_does_not() -> None:
    def clicks(seed: int) -> list[Any]:
        session = make_session()
        make_annotator(session, seed).run()
        return list(session.clicks)

    assert clicks(7) == clicks(7)
    assert clicks(7) != clicks(8)


def flagged(behaviour: Behaviour, episodes: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in range(episodes):
        session = make_session()
        annotator = make_annotator(session, seed, behaviour)
        annotator.run()
        for click in session.clicks:
            counts[click.action] += 1
            for flag in (MISTAKE, CORRECTION, VERIFY, OVERSHOOT):
                if click.flags & flag:
                    counts[f"{flag.name} {click.action}"] += 1
        counts["first"] += 1
    return counts


def test_rates_are_those_of_the_behaviour() -> None:
    behaviour = Behaviour(notice_late=0.5, verify=0.1, overshoot=0.1)
    found = flagged(behaviour, 120)
    may_fail = found["place"] - found["first"]
    assert found["MISTAKE place"] / may_fail == pytest.approx(0.09, abs=0.015)
    assert found["undo"] == found["MISTAKE place"]
    assert found["CORRECTION undo"] == found["undo"]
    corrected = found["CORRECTION place"] / found["MISTAKE place"]
    assert corrected == pytest.approx(1 - 0.09, abs=0.04)  # the others fail once more
    late = found["MISTAKE next_section"] / found["MISTAKE place"]
    assert late == pytest.approx(0.5, abs=0.12)
    assert found["OVERSHOOT next_section"] / (120 * 22) == pytest.approx(0.1, abs=0.03)
    assert found["VERIFY previous_section"] == found["VERIFY next_section"] > 200


def test_the_flawless_behaviour_flags_nothing_and_wastes_nothing() -> None:
    session = make_session()
    make_annotator(session, 1, "flawless").run()
    assert {unpack_flags(click.flags).events for click in session.clicks} == {Flag.NONE}
    actions = Counter(click.action for click in session.clicks)
    assert actions == {"place": 24, "next_section": 23, "done": 1}


def test_each_kind_of_mistake_is_what_its_name_says() -> None:
    kinds = {
        "near_miss": Behaviour(near_miss=0.9, far_miss=0, wrong_object=0),
        "far_miss": Behaviour(near_miss=0, far_miss=0.9, wrong_object=0),
        "wrong_object": Behaviour(near_miss=0, far_miss=0, wrong_object=0.9),
    }
    labels = tubes()
    for kind, behaviour in kinds.items():
        session = make_session(labels)
        task, misses = session.task, []

        def note(outcome: Any, token: Any, task: Any = task, misses: Any = misses) -> None:
            if token.action == "place" and token.flags & MISTAKE:
                section = outcome.state_after.section
                misses.append((section, outcome.state_after.nodes.get(section)))

        session.subscribe(note)
        make_annotator(session, 5, behaviour).run()
        assert len(misses) > 20
        for section, node in misses:
            y, x = task.point(node)
            mask = np.argwhere(task.path.sections[section].mask)
            mask += task.path.sections[section].origin_yx
            gap = np.sqrt(((mask - (y, x)) ** 2).sum(1)).min()
            here = labels[section, round(y), round(x)]
            assert here != 1
            if kind == "near_miss":
                assert 1 <= gap <= 13
            elif kind == "far_miss":
                assert math.dist((y, x), task.path.points_yx[section]) >= 39
            else:
                assert here == 2


places = st.tuples(st.integers(0, 425), st.integers(0, 435))
buttons = st.sampled_from(["next_section", "previous_section", "undo", "remove"])
canvas = st.tuples(st.integers(0, 255), st.integers(0, 255))


@settings(max_examples=60, deadline=None)
@given(
    clicks=st.lists(st.one_of(places, buttons, canvas.map(list)), max_size=40),
    seed=st.integers(0, 2**32 - 1),
    careless=st.booleans(),
    ends=st.booleans(),
)
def test_any_state_is_brought_to_a_faultless_end(
    clicks: list[Any], seed: int, careless: bool, ends: bool
) -> None:
    session = make_session(tubes(9) if ends else None, sections=12)
    annotator = make_annotator(session, seed, OFTEN if careless else "flawless")
    rng = np.random.default_rng(seed)
    done = session.screen.layout.buttons["done"]
    for click in clicks:
        if rng.random() < 0.5:
            annotator.step()
        if isinstance(click, str):
            click = session.click_for(click)
        elif isinstance(click, list):
            click = session.click_for((click[0], click[1]))
        if not session.terminated and not done.contains(*click):
            session.apply(click, "policy")
    annotator.run(limit=3000)
    if not any(c.action == "done" for c in session.clicks[:-1]):
        assert is_perfect(session)


def test_clicks_say_what_they_are_for_and_which_section_they_concern() -> None:
    session = make_session()
    annotator = make_annotator(session, 3, OFTEN)
    seen = set()
    while not session.terminated:
        section = session.state.section
        action = annotator.step().action
        events, phase, position = unpack_flags(annotator.flags)
        seen.add(phase)
        if action == "place":
            assert (phase, position) == (Phase.PLACE, section)
        elif action == "done":
            assert (phase, position) == (Phase.FINISH, None)
        else:
            assert phase in (Phase.NAVIGATE, Phase.VERIFY, Phase.CORRECT)
            assert position is not None
            assert (phase is Phase.VERIFY) == bool(events & VERIFY)
    assert seen == {Phase.PLACE, Phase.NAVIGATE, Phase.VERIFY, Phase.CORRECT, Phase.FINISH}


def test_a_wrong_node_left_behind_is_gone_back_to_and_mended() -> None:
    session = make_session()
    oracle = make_annotator(session, 0, "flawless")
    oracle.step()
    session.apply(session.click_for("next_section"), "policy")
    session.apply(session.click_for((160, 90)), "policy")
    session.apply(session.click_for("next_section"), "policy")
    done = [(oracle.step().action, *unpack_flags(oracle.flags)) for _ in range(5)]
    assert done == [
        ("previous_section", CORRECTION, Phase.CORRECT, 1),
        ("undo", CORRECTION, Phase.CORRECT, 1),
        ("place", CORRECTION, Phase.PLACE, 1),
        ("next_section", 0, Phase.NAVIGATE, 2),
        ("place", 0, Phase.PLACE, 2),
    ]


def test_a_wrong_node_that_undo_does_not_reach_is_moved() -> None:
    session = make_session()
    oracle = make_annotator(session, 0, "flawless")
    oracle.step()
    session.apply(session.click_for("next_section"), "policy")
    session.apply(session.click_for((180, 80)), "policy")
    session.apply(session.click_for("previous_section"), "policy")
    session.apply(session.click_for((128, 128)), "policy")
    session.apply(session.click_for("next_section"), "policy")
    assert oracle.step().action == "place"
    assert unpack_flags(oracle.flags) == (CORRECTION, Phase.PLACE, 1)


def test_nodes_beyond_the_end_are_removed() -> None:
    session = make_session(tubes(5), sections=10)
    oracle = make_annotator(session, 0, "flawless")
    for _ in range(10):
        oracle.step()
    assert session.state.section == 5
    session.apply(session.click_for((128, 128)), "policy")
    session.apply(session.click_for("next_section"), "policy")
    session.apply(session.click_for((128, 128)), "policy")
    session.apply(session.click_for("previous_section"), "policy")
    assert oracle.step().action == "remove"
    oracle.run()
    assert is_perfect(session)


def test_an_environment_is_worked_in_like_a_session() -> None:
    session = make_session()
    world = session.task.world
    env = make("neuron_tracing", volume=world.volume, labels=world.labels, sections=8)
    env.reset(seed=7)
    annotator = make_annotator(env, seed=7)
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step_as(
            annotator.act(), "annotator", annotator.flags, annotator.ms
        )
        assert info["action"] == annotator.action
    assert reward == 1
    assert {click.actor for click in env.session.clicks} == {"annotator"}
    assert all(click.ms > 0 for click in env.session.clicks)


def test_asking_twice_without_clicking_does_not_lead_astray() -> None:
    session = make_session()
    annotator = make_annotator(session, 4, OFTEN)
    while not session.terminated:
        annotator.act()
        annotator.act()
        annotator.step()
    assert is_perfect(session)


def test_what_cannot_be_annotated_is_refused() -> None:
    session = make_session()
    with pytest.raises(UsageError, match="has no session"):
        make_annotator(3)
    with pytest.raises(UsageError, match="'sloppy' is unknown"):
        make_annotator(session, 0, "sloppy")
    with pytest.raises(TaskError, match="is 0"):
        make_annotator(make_session(start_zyx=(0, 5, 5)))
    bare = Session(NeuronTracing(TracingWorld(session.task.world.volume, (0, 60, 72))))
    with pytest.raises(TaskError, match="no labels"):
        make_annotator(bare)
    make_annotator(session).run()
    with pytest.raises(TaskError, match="has ended"):
        make_annotator(session).act()


@pytest.mark.parametrize(
    "wrong",
    [{"verify": 1.1}, {"near_miss": -0.1}, {"pace": math.inf}, {"near_miss": 0.5, "far_miss": 0.5}],
)
def test_rates_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="behaviour"):
        Behaviour(**wrong)


def test_default_behaviour_makes_nine_mistakes_in_a_hundred_placements() -> None:
    assert named_behaviour("default").mistakes == pytest.approx(0.09)


def test_clicks_on_buttons_are_spread_about_the_middle() -> None:
    hand, rect = Hand(np.random.default_rng(0), Behaviour()), Rect(300, 40, 100, 50)
    clicks = np.array([hand.on_button(rect) for _ in range(4000)])
    inside = (clicks - (300, 40)) / (100, 50)
    assert inside.min() >= 0.09
    assert inside.max() <= 0.9
    np.testing.assert_allclose(inside.mean(0), 0.5, atol=0.02)
    np.testing.assert_allclose(inside.std(0), 0.185, atol=0.02)


@pytest.mark.parametrize("action", REACTION_MS)
def test_reaction_times_have_the_medians_of_people(action: str) -> None:
    hand = Hand(np.random.default_rng(0), Behaviour(pace=2.0))
    times = [hand.reaction_ms(action) for _ in range(4000)]
    assert np.median(times) == pytest.approx(2 * REACTION_MS[action], rel=0.05)
    assert np.std(np.log(times)) == pytest.approx(0.4, rel=0.1)
