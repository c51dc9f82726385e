"""Forced mistakes: whether a policy takes back what was misplaced in its name."""

from typing import Any

import numpy as np
import pytest

from bcannot_core.evaluation.forced import forced_mistakes
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.volumes import Contrast, Volume

LAYOUT = build_layout(NeuronTracing.buttons, get_variant("original"))
CENTRE = (LAYOUT.canvas.x + 128, LAYOUT.canvas.y + 128)
SECTIONS = 8


def make_task(
    half: int = 8, sections: int = SECTIONS, voxel: float = 10.0, nm_per_px: float = 10.0
) -> NeuronTracing:
    """A straight square neurite, its middle in the centre of the canvas."""
    labels = np.zeros((SECTIONS, 200, 200), np.uint32)
    labels[:, 100 - half : 101 + half, 100 - half : 101 + half] = 5
    voxel_nm = (30.0, voxel, voxel)
    em = Volume.from_array(
        (labels > 0).astype(np.uint8) * 200, voxel_nm=voxel_nm, contrast=Contrast(0, 255)
    )
    ids = Volume.from_array(labels, voxel_nm=voxel_nm, labels=True)
    return NeuronTracing(TracingWorld(em, (0, 100, 100), ids), TracingConfig(sections, nm_per_px))


class Answering:
    """Traces along the centre; clicks what it is told after somebody else clicked."""

    def __init__(self, answer: str | tuple[int, int]) -> None:
        self.answer = LAYOUT.buttons[answer].centre if isinstance(answer, str) else answer
        self.observed: list[tuple[int, int]] = []
        self.seen: list[np.ndarray] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1
        self.acted, self.told = 0, False

    def act(self, frame: np.ndarray) -> tuple[int, int]:
        if self.told:
            self.seen.append(frame.copy())
            return self.answer
        self.acted += 1
        return CENTRE if self.acted % 2 else LAYOUT.buttons["next_section"].centre

    def observe(self, frame: np.ndarray, click: tuple[int, int]) -> None:
        assert frame.shape == (436, 426, 3)
        self.told = True
        self.observed.append(click)


def force(policy: Any, count: int = 6, seed: int = 0, **options: Any) -> dict[str, Any]:
    return forced_mistakes(policy, [make_task(**options) for _ in range(count)], seed)


def test_a_policy_that_always_undoes() -> None:
    policy = Answering("undo")
    assert force(policy) == {"episodes": 6, "undo_rate": 1.0, "answers": {"undo": 6}}
    assert policy.resets == 6


@pytest.mark.parametrize(
    ("answer", "action"), [("next_section", "next_section"), (CENTRE, "place"), ("done", "done")]
)
def test_a_policy_that_never_undoes(answer: Any, action: str) -> None:
    found = force(Answering(answer))
    assert found == {"episodes": 6, "undo_rate": 0.0, "answers": {action: 6}}


def test_a_policy_that_sometimes_undoes() -> None:
    policy = Answering("undo")
    reset, other = policy.reset, LAYOUT.buttons["remove"].centre

    def alternate() -> None:
        reset()
        policy.answer = LAYOUT.buttons["undo"].centre if policy.resets % 3 else other

    policy.reset = alternate  # type: ignore[method-assign]
    found = force(policy)
    assert found == {
        "episodes": 6,
        "undo_rate": pytest.approx(4 / 6, abs=1e-4),
        "answers": {"undo": 4, "remove": 2},
    }


def offsets(policy: Answering) -> np.ndarray:
    return np.array(policy.observed) - CENTRE


@pytest.mark.parametrize("half", [2, 8, 14])
def test_the_mistake_is_off_the_neurite_and_near_it(half: int) -> None:
    policy = Answering("undo")
    assert force(policy, 20, half=half)["episodes"] == 20
    far = np.hypot(*offsets(policy).T)
    assert (np.abs(offsets(policy)).max(1) > half).all()
    assert (far > 5).all() and (far < 29).all()
    assert len({tuple(at) for at in offsets(policy).tolist()}) > 10


def test_the_mistake_is_off_the_neurite_where_canvas_pixels_are_no_voxels() -> None:
    policy = Answering("undo")
    assert force(policy, 40, half=8, voxel=10.0, nm_per_px=27.0)["episodes"] == 40
    voxels = np.floor(offsets(policy) * 2.7 + 0.5)
    assert (np.abs(voxels).max(1) > 8).all()


def test_the_policy_sees_the_wrong_node_before_it_answers() -> None:
    policy = Answering("undo")
    force(policy, 3)
    for frame, (x, y) in zip(policy.seen, policy.observed, strict=True):
        ring = frame[y - 6 : y + 7, x - 6 : x + 7]
        assert (ring == (255, 210, 0)).all(-1).sum() > 12


def test_the_section_of_the_mistake_is_drawn_for_each_episode() -> None:
    policy = Answering("undo")
    sections: list[int] = []
    observe = policy.observe

    def note(frame: np.ndarray, click: tuple[int, int]) -> None:
        sections.append(policy.acted // 2)
        observe(frame, click)

    policy.observe = note  # type: ignore[method-assign]
    force(policy, 30)
    assert set(sections) == set(range(1, SECTIONS - 1))


def test_a_seed_forces_the_same_mistakes() -> None:
    one, same, other = Answering("undo"), Answering("undo"), Answering("undo")
    force(one, seed=1)
    force(same, seed=1)
    force(other, seed=2)
    assert one.observed == same.observed != other.observed


def test_a_neurite_that_fills_all_around_leaves_no_room_for_a_mistake() -> None:
    assert force(Answering("undo"), 2, half=40) == {
        "episodes": 0,
        "undo_rate": 0.0,
        "answers": {},
    }


def test_a_policy_that_is_done_before_makes_no_episode() -> None:
    policy = Answering("undo")
    policy.act = lambda _: LAYOUT.buttons["done"].centre  # type: ignore[method-assign]
    assert force(policy, 2)["episodes"] == 0


def test_a_policy_that_never_gets_there_makes_no_episode() -> None:
    policy = Answering("undo")
    policy.act = lambda _: CENTRE  # type: ignore[method-assign]
    assert force(policy, 1, sections=3)["episodes"] == 0
    assert not policy.observed


def test_two_sections_are_enough() -> None:
    assert force(Answering("undo"), 2, sections=2)["undo_rate"] == 1.0
