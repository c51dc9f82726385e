"""The plan of neuron tracing: a node on the neurite in every section, then Done.

The plan is a function of the state. Faults behind are mended before the trace goes on; Done
follows in the last section, or in the first one after the neurite's end. Mistakes and habits are
laid over the plan; each is over after a few clicks, so that a trace always ends, and ends without
fault.
"""

from typing import NamedTuple

import numpy as np

from bcannot_core.annotators.base import Annotator
from bcannot_core.annotators.behaviour import Behaviour
from bcannot_core.annotators.labels import Flag, Phase, pack_flags
from bcannot_core.annotators.tracing_aim import TracingAim
from bcannot_core.annotators.tracing_faults import Fault, Faults
from bcannot_core.errors import TaskError
from bcannot_core.session.session import Session
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import Offset, TraceState

_MOST_MISTAKES = 3
_MOST_BACK = 3
_NEXT, _PREVIOUS = "next_section", "previous_section"


class Intent(NamedTuple):
    """A click before its pixel is chosen.

    Attributes
    ----------
    action : str
        What it is meant to do.
    at : Offset or None
        Where on the lattice; None for a button.
    flags : Flag
        What is known of it.
    phase : Phase
        What it is for.
    section : int or None
        The section concerned, None for Done.
    """

    action: str
    at: Offset | None = None
    flags: Flag = Flag.NONE
    phase: Phase = Phase.NAVIGATE
    section: int | None = None


class TracingAnnotator(Annotator):
    """The scripted annotator of neuron tracing.

    Parameters
    ----------
    session : Session
        Of a :class:`NeuronTracing` whose world has labels.
    rng : numpy.random.Generator
        Where all its randomness comes from.
    behaviour : Behaviour
        Mistakes and habits. The first node is never a mistake.

    Raises
    ------
    TaskError
        The task is another one, or its world has no labels at the start point.
    """

    def __init__(self, session: Session, rng: np.random.Generator, behaviour: Behaviour) -> None:
        super().__init__(session, rng, behaviour)
        if not isinstance(session.task, NeuronTracing):
            raise TaskError(f"{session.task.id} is no neuron tracing")
        self.task = session.task
        self.path = self.task.path
        self.aim = TracingAim(self.task, self.hand)
        self._faults = Faults(self.aim, self.task.sections)
        self._end = min(len(self.path), self.task.sections - 1)
        self._script: list[Intent] = []
        self._mistakes = [0] * self.task.sections
        self._repaired = -1
        self._clicked: tuple[int, int, int] = (0, -1, -1)

    def act(self) -> tuple[int, int]:
        """Return the next click (x, y) for the session's present state, without applying it."""
        state: TraceState = self.session.state
        if state.terminated:
            raise TaskError("the trace has ended: there is nothing left to click")
        self._drop_stale_script()
        intent = self._script.pop(0) if self._script else self._with_habits(state)
        self.action = intent.action
        self.flags = pack_flags(intent.flags, intent.phase, intent.section)
        self.ms = self.hand.reaction_ms(intent.action)
        x, y = self._pixel(intent, state)
        self._clicked = (len(self.session.clicks) + 1, x, y)
        return x, y

    def plan(self, state: TraceState) -> Intent:
        """Return what a flawless annotator does next in a state."""
        fault, section = self._faults.nearest(state)
        if fault is Fault.NONE:
            if state.section >= self._end:
                return Intent("done", phase=Phase.FINISH)
            return Intent(_NEXT, section=state.section + 1)
        mends = fault is not Fault.MISSING
        repair = Flag.CORRECTION if mends else Flag.NONE
        way = Phase.CORRECT if mends else Phase.NAVIGATE
        if section != state.section:
            step = _NEXT if section > state.section else _PREVIOUS
            return Intent(step, None, repair, way, section)
        edit = state.last_edit
        if repair and edit is not None and edit.action == "place" and edit.section == section:
            return Intent("undo", None, repair, way, section)
        if fault is Fault.EXTRA:
            return Intent("remove", None, repair, way, section)
        target = self.aim.targets[section]
        if not self.aim.placeable(target, state.view):
            return Intent("pan", self.aim.towards(target, state.view), repair, way, section)
        return Intent("place", target, repair, Phase.PLACE, section)

    def _with_habits(self, state: TraceState) -> Intent:
        """Return the planned click, or what a person with these habits does instead."""
        intent = self.plan(state)
        if intent.action == "place":
            return self._placement(intent, state)
        if intent.action in ("undo", "remove"):
            self._repaired = state.section
        elif self._overshoots(intent, state):
            self._script = [
                intent._replace(flags=Flag.OVERSHOOT),
                intent._replace(action=_PREVIOUS, flags=Flag.CORRECTION),
            ]
        return intent

    def _overshoots(self, intent: Intent, state: TraceState) -> bool:
        if intent.action != _NEXT or intent.flags or state.section + 2 >= self.task.sections:
            return False
        return self.hand.chance(self.behaviour.overshoot)

    def _placement(self, intent: Intent, state: TraceState) -> Intent:
        section = state.section
        if section > 0 and self._mistakes[section] < _MOST_MISTAKES:
            wrong = self._mistake(state)
            if wrong is not None:
                self._mistakes[section] += 1
                self._go_on_mistaken(section)
                return intent._replace(at=wrong, flags=Flag.MISTAKE)
        flags = intent.flags
        if section == self._repaired:
            flags, self._repaired = Flag.CORRECTION, -1
        if section > 0 and self.hand.chance(self.behaviour.verify):
            back = 1 + self.hand.below(min(_MOST_BACK, section))
            look = Intent(_PREVIOUS, None, Flag.VERIFY, Phase.VERIFY, section)
            self._script = [look] * back + [look._replace(action=_NEXT)] * back
        at = self.aim.near_target(section, state.view, self.behaviour)
        return intent._replace(at=at, flags=flags)

    def _mistake(self, state: TraceState) -> Offset | None:
        """Return where a mistake lands, None for no mistake."""
        habits, draw = self.behaviour, self.hand.uniform()
        if draw >= habits.mistakes:
            return None
        if draw < habits.near_miss:
            return self.aim.near_miss(state) or self.aim.far_miss(state)
        if draw < habits.near_miss + habits.far_miss:
            return self.aim.far_miss(state)
        return self.aim.other_neurite(state) or self.aim.far_miss(state)

    def _go_on_mistaken(self, section: int) -> None:
        """Notice a mistake at once, or only in the next section."""
        if section + 1 < self.task.sections and self.hand.chance(self.behaviour.notice_late):
            self._script = [Intent(_NEXT, None, Flag.MISTAKE, section=section + 1)]
            if self.hand.chance(0.3):
                # Undo leads back to the section by itself.
                undo = Intent("undo", None, Flag.CORRECTION, Phase.CORRECT, section)
                self._script.append(undo)
                self._repaired = section

    def _drop_stale_script(self) -> None:
        """Forget what was begun when somebody else clicked, or the click did something else."""
        count, x, y = self._clicked
        clicks = self.session.clicks
        ours = len(clicks) == count and count > 0 and clicks[-1][:2] == (x, y)
        if not ours or clicks[-1].action != self.action:
            self._script.clear()
            self._repaired = -1

    def _pixel(self, intent: Intent, state: TraceState) -> tuple[int, int]:
        layout = self.session.screen.layout
        if intent.at is None:
            return self.hand.on_button(layout.buttons[intent.action])
        height, width = self.task.canvas_hw
        return (
            layout.canvas.x + width // 2 + intent.at[1] - state.view[1],
            layout.canvas.y + height // 2 + intent.at[0] - state.view[0],
        )
