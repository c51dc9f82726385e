"""Forced mistakes: a click is misplaced in the policy's name, to see whether it presses Undo."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import VolumeError
from bcannot_core.evaluation.vlm.client import VlmError
from bcannot_core.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing

_NEAR, _FAR = 6.0, 28.0
_TRIES = 200
_CLICKS_PER_SECTION = 6


class Recovering(Protocol):
    """What is needed of a policy."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def act(self, frame: NDArray[np.uint8]) -> tuple[int, int]:
        """Return the click for a frame."""
        ...

    def observe(self, frame: NDArray[np.uint8], click: tuple[int, int]) -> None:
        """Take in somebody else's click."""
        ...


def forced_mistakes(
    policy: Recovering, tasks: Sequence[NeuronTracing], seed: int
) -> dict[str, Any]:
    """Force one mistake in each task, 6 to 28 px from the reference point and off the neurite.

    The policy acts until a section drawn at random; there its node is placed wrongly in its
    place, and its next click is looked at.

    Returns
    -------
    dict
        ``episodes`` in which a mistake was made, ``undo_rate`` of its next clicks, and
        ``answers``: how often it did what. Where an endpoint or the volume failed for good, what
        was finished by then, and ``interrupted``: why.
    """
    answers: dict[str, int] = {}
    interrupted = {}
    for i, task in enumerate(tasks):
        rng = np.random.default_rng(np.random.SeedSequence((seed, i)))
        try:
            answer = _one(policy, task, rng)
        except (VlmError, VolumeError) as error:
            interrupted = {"interrupted": str(error)}
            break
        if answer is not None:
            answers[answer] = answers.get(answer, 0) + 1
    total = sum(answers.values())
    rate = answers.get("undo", 0) / total if total else 0.0
    return {"episodes": total, "undo_rate": round(rate, 4), "answers": answers, **interrupted}


def _one(policy: Recovering, task: NeuronTracing, rng: np.random.Generator) -> str | None:
    session = Session(task)
    policy.reset()
    section = int(rng.integers(1, max(2, min(len(task.path), task.sections) - 1)))
    for _ in range(_CLICKS_PER_SECTION * task.sections):
        if session.terminated:
            return None
        state = session.state
        frame = session.frame().copy()
        if state.section == section and state.nodes.get(section) is None:
            wrong = _wrong_click(session, task, rng)
            if wrong is None:
                return None
            policy.observe(frame, wrong)
            session.apply(wrong, "annotator")
            return session.apply(policy.act(session.frame()), "policy").action
        session.apply(policy.act(frame), "policy")
    return None


def _wrong_click(
    session: Session, task: NeuronTracing, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Return a click near the reference point that misses the neurite, None where none is found."""
    section = session.state.section
    if section >= len(task.path):
        return None
    y, x = task.path.points_yx[section]
    step_y, step_x = task.view(session.state).step_yx
    for _ in range(_TRIES):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(_NEAR, _FAR)
        point = (float(y + np.sin(angle) * far * step_y), float(x + np.cos(angle) * far * step_x))
        click = session.click_at(point)
        if click is None:
            continue
        state, hit = session.state, session.screen.hit(*click)
        if hit.canvas_xy is None or task.action_for(hit, state).name != "place":
            continue
        shown = task.view(state).to_volume(hit.canvas_xy)
        if _label_at(task, task.z_of(section), shown) != task.path.label:
            return click
    return None


def _label_at(task: NeuronTracing, z: int, yx: tuple[float, float]) -> int | None:
    labels = task.world.labels
    y, x = round(yx[0]), round(yx[1])
    if labels is None or not (0 <= y < labels.shape[1] and 0 <= x < labels.shape[2]):
        return None
    return int(labels.read(z, z + 1, y, y + 1, x, x + 1)[0, 0, 0])
