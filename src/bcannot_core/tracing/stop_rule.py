"""When a policy should not go on by itself: rules on the click that it is about to make."""

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum

from bcannot_core.errors import OptionError
from bcannot_core.session import Action
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.tasks.trace_state import Offset, TraceState

COURSE_SECTIONS = 6
"""How many of the last nodes say how far a neurite usually moves from section to section."""


class Reason(StrEnum):
    """Why a trace pauses."""

    ASKS = "asks"
    CONFIDENCE = "low confidence"
    JUMP = "unusual jump"
    MISTAKE = "likely mistake"
    BORDER = "border of the volume"
    END = "neurite end"


@dataclass(frozen=True, slots=True)
class Stop:
    """A reason to pause, and what to tell of it in one line."""

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class StopRules:
    """When to pause before a click.

    Parameters
    ----------
    confidence : float
        Least confidence of a placement, 0 to 1; 0 asks for none.
    jump_px : float
        Longest way from the node of the section before, canvas pixels, beyond what the neurite's
        course lets expect; 0 allows any.
    border_px : float
        Distance to the volume's border in the section, canvas pixels, within which the first node
        asks; a neurite that runs along the border is not asked about again and again.
    end : bool
        Whether to ask before Done in any section but the last one.
    """

    confidence: float = 0.75
    jump_px: float = 30.0
    border_px: float = 2.0
    end: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no rule."""
        if not 0 <= self.confidence <= 1:
            raise OptionError(
                f"confidence is {self.confidence}: give 0 to 1", "confidence", low=0.0, high=1.0
            )
        for name in ("jump_px", "border_px"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise OptionError(f"{name} is {value}: give 0 or more", name, low=0.0)


def stop_before(
    rules: StopRules,
    task: NeuronTracing,
    state: TraceState,
    action: Action,
    confidence: float | None = None,
) -> Stop | None:
    """Return why a policy's click should wait for a person, None where it need not.

    Parameters
    ----------
    rules : StopRules
        What to look at.
    task : NeuronTracing
        Whose session it is.
    state : TraceState
        Before the click.
    action : Action
        What the click would do (``task.action_for``).
    confidence : float, optional
        The policy's in this click.
    """
    section = f"section {state.section + 1}"
    if action.name == "done":
        early = rules.end and state.section < task.sections - 1
        return (
            Stop(Reason.END, f"the policy takes {section} for the neurite's end") if early else None
        )
    if action.name != "place":
        return None
    if confidence is not None and confidence < rules.confidence:
        return Stop(Reason.CONFIDENCE, f"low confidence ({confidence:.2f}) in {section}")
    node = task.apply(state, action).nodes.get(state.section)
    if node is None:
        return None
    beyond = _beyond_course(state, node)
    if rules.jump_px and beyond > rules.jump_px:
        return Stop(Reason.JUMP, f"a jump of {beyond:.0f} px more than usual in {section}")
    if rules.border_px and _comes_to_border(task, state, node, rules.border_px):
        return Stop(Reason.BORDER, f"the neurite meets the border of the volume in {section}")
    return None


def likely_mistake(state: TraceState, score: float) -> Stop:
    """Return the reason to pause that a mistake probe gives for the last placement."""
    return Stop(
        Reason.MISTAKE, f"the node of section {state.section + 1} is likely a mistake ({score:.2f})"
    )


def _beyond_course(state: TraceState, node: Offset) -> float:
    """Return how much further the node is from the last one than the neurite moved lately."""
    known = ((s, state.nodes.get(s)) for s in range(state.section - 1, -1, -1))
    recent = [(s, at) for s, at in known if at is not None][: COURSE_SECTIONS + 1]
    if len(recent) < 2:  # nothing is known of its course yet
        return 0.0
    usual = [math.dist(a, b) / (s - r) for (s, a), (r, b) in itertools.pairwise(recent)]
    way = math.dist(node, recent[0][1]) / (state.section - recent[0][0])
    return way - max(usual)


def _comes_to_border(
    task: NeuronTracing, state: TraceState, node: Offset, margin_px: float
) -> bool:
    """Whether a node lies at the border of the volume, and the one before does not."""
    known = (state.nodes.get(s) for s in range(state.section - 1, -1, -1))
    before = next((at for at in known if at is not None), None)
    if before is not None and _to_border_px(task, before) < margin_px:
        return False
    return _to_border_px(task, node) < margin_px


def _to_border_px(task: NeuronTracing, node: Offset) -> float:
    y, x = task.point(node)
    _, height, width = task.world.volume.shape
    step_y, step_x = task.view(task.initial_state()).step_yx
    return min(y / step_y, x / step_x, (height - 1 - y) / step_y, (width - 1 - x) / step_x)
