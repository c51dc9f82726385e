"""Assist mode with a scripted person, who corrects every wrong proposal and counts them.

The policy moves through the sections and proposes nodes; the person, who knows the ground truth,
accepts what is right and does the right thing in place of what is wrong.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bcannot_core.evaluation.tracing import (
    EvaluationOptions,
    Progress,
    draw_paths,
    task_on,
)
from bcannot_core.session import Action, Session
from bcannot_core.tasks.neurites import LabelSource
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import TraceState
from bcannot_core.tasks.tracing_moves import clicks_to_place, clicks_to_section
from bcannot_core.tasks.tracing_world import on_target
from bcannot_core.volumes import Volume

IDLE_CLICKS = 6
"""After so many of the policy's moves in a row that bring no node, the person does the next one."""

CORRECTIONS = ("moved", "missing", "went_on", "kept", "ended", "helped")
"""A node placed right; a section that was left without one; Done refused; Undo or Remove
refused; Done pressed where the policy would have traced on; a move made for a policy that makes
none."""


class AssistingPolicy(Protocol):
    """What is needed of a policy."""

    def reset(self) -> None:
        """Forget the session."""
        ...

    def propose(self, frame: NDArray[np.uint8]) -> Any:
        """Choose a click; it has ``click_xy``."""
        ...

    def observe(
        self, frame: NDArray[np.uint8], click: tuple[int, int], *, trusted: bool = False
    ) -> None:
        """Take in a click; the person's own are trusted."""
        ...


@dataclass
class AssistedTrace:
    """One neurite traced by a policy and the scripted person together.

    Parameters
    ----------
    task : NeuronTracing
        Of a world with labels.
    policy : AssistingPolicy
        Proposes.

    Attributes
    ----------
    session : Session
        Accepted clicks are the policy's, corrections the person's.
    accepted : int
        Nodes taken as proposed.
    corrections : Counter
        How often the person had to act, by the names of ``CORRECTIONS``.
    where : list
        Section and name of each correction, in order.
    """

    task: NeuronTracing
    policy: AssistingPolicy
    session: Session = field(init=False)
    accepted: int = 0
    corrections: Counter[str] = field(default_factory=Counter)
    where: list[tuple[int, str]] = field(default_factory=list)
    _idle: int = 0

    def __post_init__(self) -> None:
        """Begin a session."""
        self.session = Session(self.task)

    def run(self) -> Session:
        """Trace the neurite to its end; return the session."""
        self.policy.reset()
        while not self.session.terminated:
            frame = self.session.frame().copy()
            click: tuple[int, int] = self.policy.propose(frame).click_xy
            hit = self.session.screen.hit(*click)
            wrong = self._judge(self.task.action_for(hit, self.session.state))
            if wrong is None:
                self.policy.observe(frame, click, trusted=False)
                self.session.apply(click, "policy")
            else:
                self._correct(wrong)
        return self.session

    def _judge(self, action: Action) -> str | None:
        """Return what is wrong with a proposed action, None where it is right."""
        state: TraceState = self.session.state
        here = state.section < len(self.task.path)
        has_node = state.nodes.get(state.section) is not None
        if action.name == "place":
            return self._judge_place(action, state, here=here, has_node=has_node)
        if action.name in ("undo", "remove"):
            return "kept"
        if action.name == "done":
            return "went_on" if self._unfinished(state) else None
        self._idle += 1
        if self._idle > IDLE_CLICKS:
            return "helped"
        return "missing" if action.name == "next_section" and here and not has_node else None

    def _judge_place(
        self, action: Action, state: TraceState, *, here: bool, has_node: bool
    ) -> str | None:
        if not here:
            return "ended"
        assert action.canvas_xy is not None
        node = self.task.apply(state, action).nodes.get(state.section)
        assert node is not None
        if not on_target(self.task, state.section, node):
            return "moved"
        if has_node:  # it moves a node that is right to another right place
            self._idle += 1
            return "helped" if self._idle > IDLE_CLICKS else None
        self._idle = 0
        self.accepted += 1
        return None

    def _unfinished(self, state: TraceState) -> bool:
        sections = len(self.task.path)
        return any(state.nodes.get(section) is None for section in range(sections))

    def _correct(self, wrong: str) -> None:
        """Do what is right in place of what is wrong; the policy sees it and trusts it."""
        state: TraceState = self.session.state
        self._idle = 0
        self.corrections[wrong] += 1
        self.where.append((state.section, wrong))
        for click in self._right_clicks(state):
            frame = self.session.frame().copy()
            self.policy.observe(frame, click, trusted=True)
            self.session.apply(click, "person")

    def _right_clicks(self, state: TraceState) -> Sequence[tuple[int, int]]:
        path = self.task.path
        missing = [i for i in range(len(path)) if state.nodes.get(i) is None]
        if not missing:
            return [self.session.click_for("done")]
        section = missing[0]
        if section == state.section:
            y, x = (float(c) for c in path.points_yx[section])
            return clicks_to_place(self.session, (self.task.z_of(section), y, x))
        return clicks_to_section(self.session, self.task.z_of(section))


def evaluate_assisted(
    policy: AssistingPolicy,
    volume: Volume,
    labels: LabelSource,
    options: EvaluationOptions | None = None,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Count the corrections of a scripted person who corrects every wrong proposal.

    Parameters
    ----------
    policy : AssistingPolicy
        Proposes.
    volume, labels : Volume
        Same shape; 0 is background in the labels.
    options : EvaluationOptions, optional
        How many episodes of what; nothing is forced here.
    progress : callable, optional
        Called with (episodes done, episodes).

    Returns
    -------
    dict
        ``corrections_per_100_sections`` over the ``sections`` that the neurites have,
        ``corrections`` in all and ``by_kind``, ``accepted`` nodes, ``skeleton_accuracy`` and
        ``coverage`` of what came of it, and a list ``per_episode``.

    Raises
    ------
    TaskError
        No neurite of the volume qualifies.
    VolumeError
        The volume cannot be read.
    """
    options = options or EvaluationOptions()
    paths = draw_paths(labels, options)
    rows: list[dict[str, Any]] = []
    for i, path in enumerate(paths):
        trace = AssistedTrace(task_on(volume, labels, path, options), policy)
        score = trace.task.score(trace.run().state)
        rows.append({
            "label": path.label,
            "sections": len(path),
            "accepted": trace.accepted,
            "corrections": dict(trace.corrections),
            "where": trace.where,
            "skeleton_accuracy": score["skeleton_accuracy"],
            "coverage": score["coverage"],
        })  # fmt: skip
        if progress is not None:
            progress(i + 1, len(paths))
    return _report(rows)


def _report(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kinds: Counter[str] = sum((Counter(row["corrections"]) for row in rows), Counter())
    sections = sum(row["sections"] for row in rows)
    return {
        "episodes": len(rows),
        "sections": sections,
        "accepted": sum(row["accepted"] for row in rows),
        "corrections": kinds.total(),
        "corrections_per_100_sections": round(100 * kinds.total() / sections, 3),
        "by_kind": {kind: kinds[kind] for kind in CORRECTIONS},
        "without_correction": round(float(np.mean([not row["corrections"] for row in rows])), 4),
        "skeleton_accuracy": round(float(np.mean([r["skeleton_accuracy"] for r in rows])), 4),
        "coverage": round(float(np.mean([r["coverage"] for r in rows])), 4),
        "per_episode": list(rows),
    }
