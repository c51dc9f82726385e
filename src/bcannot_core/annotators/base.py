"""Scripted annotators: what they share, and how one is found for a task."""

from abc import ABC, abstractmethod
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar

import numpy as np

from bcannot_core.annotators.behaviour import BEHAVIOURS, Behaviour, Hand, named_behaviour
from bcannot_core.annotators.labels import Flag, Phase, unpack_flags
from bcannot_core.errors import TaskError, UsageError
from bcannot_core.session.clicks import Outcome
from bcannot_core.session.session import Session

ENTRY_POINTS = "bcannot.annotators"
_PACKAGE = "bcannot_core.annotators"
_BUILT_IN = {
    "animal_behavior_tracking": "animal_behavior_tracking:BehaviorAnnotator",
    "animal_limb_tracking": "animal_limb_tracking:LimbAnnotator",
    "cell_lineage": "cell_lineage:CellLineageAnnotator",
    "colored_dot_tracking": "colored_dot_tracking:ColoredDotAnnotator",
    "exploration_3d": "exploration_3d:ExplorationAnnotator",
    "multichannel_alignment": "multichannel_alignment:AlignmentAnnotator",
    "neuron_tracing": "neuron_tracing:TracingAnnotator",
    "neuron_tracking": "neuron_tracking:NeuronTrackingAnnotator",
    "road_network": "road_network:RoadNetworkAnnotator",
    "shape_matching": "shape_matching:MatchingAnnotator",
    "spectral_plume": "spectral_plume:SpectralPlumeAnnotator",
}


class Annotator(ABC):
    """A scripted annotator at work in one session; it knows the ground truth.

    Whatever state the session is in, whoever clicked before, the next click follows from it, so
    that an annotator can also take over from a policy or say what it should have done.

    Parameters
    ----------
    session : Session
        Where it works.
    rng : numpy.random.Generator
        Where all its randomness comes from.
    behaviour : Behaviour
        Its mistakes and habits.

    Attributes
    ----------
    flags : int
        What the annotator knows of the last click of :meth:`act`: see :mod:`.labels`.
    ms : int
        The time that a person would have taken for it.
    action : str
        The action that it is meant to be.
    """

    default_behaviour: ClassVar[Behaviour] = BEHAVIOURS["default"]

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        self.session = session
        self.behaviour = behaviour
        self.hand = Hand(rng, behaviour)
        self.flags: int = Flag.NONE
        self.ms = 0
        self.action = "none"

    @abstractmethod
    def act(self) -> tuple[int, int]:
        """Return the next click (x, y) for the session's present state, without applying it.

        Raises
        ------
        TaskError
            The task has ended.
        """

    @property
    def mends(self) -> bool:
        """Whether the last click of :meth:`act` is to mend what is wrong."""
        return unpack_flags(int(self.flags)).phase is Phase.CORRECT

    def step(self) -> Outcome:
        """Act, and apply the click to the session with its flags and time."""
        click_xy = self.act()
        return self.session.apply(click_xy, "annotator", int(self.flags), self.ms)

    def run(self, limit: int = 100_000) -> None:
        """Step until the task has ended.

        Raises
        ------
        TaskError
            It has not ended after ``limit`` clicks.
        """
        for _ in range(limit):
            if self.session.terminated:
                return
            self.step()
        raise TaskError(f"{self.session.task.id} has not ended after {limit} clicks")


def make_annotator(
    env_or_session: Any,
    seed: int | np.random.SeedSequence | np.random.Generator = 0,
    behaviour: Behaviour | str = "default",
) -> Annotator:
    """Make the scripted annotator of a session's task.

    Parameters
    ----------
    env_or_session : Env or Session
        An environment after ``reset`` (make an annotator for each episode), or a session.
    seed : int, SeedSequence or Generator
        Of its randomness.
    behaviour : Behaviour or str
        Mistakes and habits, or the name of a set of them; ``"default"`` is the task's own,
        ``"flawless"`` the oracle.

    Raises
    ------
    UsageError
        The behaviour is unknown, or the first argument is neither environment nor session.
    TaskError
        There is no annotator for the task, or the world has no ground truth.
    """
    session = env_or_session
    if not isinstance(session, Session):
        session = getattr(getattr(env_or_session, "unwrapped", None), "session", None)
    if not isinstance(session, Session):
        kind = type(env_or_session).__name__
        raise UsageError(
            f"a {kind} has no session: give a Session, or an environment after reset()"
        )
    annotator = _annotator_class(session.task.id)
    if not isinstance(behaviour, str):
        habits = behaviour
    else:
        default = behaviour == "default"
        habits = annotator.default_behaviour if default else named_behaviour(behaviour)
    return annotator(session, np.random.default_rng(seed), habits)


@cache
def _annotator_class(task_id: str) -> type[Annotator]:
    """Return the annotator of a task: one of ours, or of an installed package's entry points."""
    if task_id in _BUILT_IN:
        module, _, name = _BUILT_IN[task_id].partition(":")
        found: type[Annotator] = getattr(import_module(f"{_PACKAGE}.{module}"), name)
        return found
    for point in entry_points(group=ENTRY_POINTS, name=task_id):
        loaded: type[Annotator] = point.load()
        return loaded
    raise TaskError(
        f"there is no scripted annotator for the task {task_id!r}: "
        f"register one in the entry point group {ENTRY_POINTS!r}"
    )
