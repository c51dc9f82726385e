"""Animal behavioural tracking: mark front and back of each animal in every frame of a video.

It stands for the tracking of groups: insects with antennae, fish, or elongated crawlers filmed from
above. The annotator gives the animals their numbers in the first frame (the scripted one from left
to right) and keeps them; the marks of the selected animal in the frame before are faint rings.

* An item of the list selects an animal, the tabs Front and Back what is marked.
* A click on the canvas marks the front or the back of the selected animal in this frame (moves the
  mark if it is there). With no animal selected it does nothing.
* Next and Prev change the frame; the selection stays.
* Undo takes back the last mark and returns to its frame, animal and tab. Done ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Disc, Hit, Line, Marker, Text
from bcannot_core.screen.shapes import Shape
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.behavior_layers import behavior_layers
from bcannot_core.tasks.behavior_score import score_marks
from bcannot_core.tasks.edits import EditState, edited
from bcannot_core.tasks.frame_steps import STEPS, stepped, steps_between
from bcannot_core.tasks.marked_frames import VIDEO_BUTTONS, Overlay, VideoTask
from bcannot_core.tasks.worlds.animal_behavior_tracking import (
    BehaviorConfig,
    BehaviorWorld,
    sample_world,
)  # fmt: skip

Point = tuple[int, int]
Ends = tuple[Point | None, Point | None]
Marks = tuple[Ends, ...]
NOTHING: Ends = (None, None)
TABS = ("front", "back")
COLOURS = (
    (255, 92, 92), (255, 170, 60), (250, 232, 80), (120, 230, 96),
    (80, 224, 224), (96, 160, 255), (196, 130, 255), (255, 130, 204),
)  # fmt: skip
"""Of the animals, (r, g, b), by number."""
_RING, _BACK_RING, _DISC = 5, 3, 2
_GREY = (235, 235, 235)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviorState(EditState):
    """What is shown, and what is marked.

    Attributes
    ----------
    frame : int
        Which is shown.
    animal : int or None
        The selected animal.
    end : int
        What is marked: 0 the front, 1 the back.
    marks : tuple of tuple
        For each frame and animal the pixels (x, y) of front and back, None where not marked.
    """

    frame: int = 0
    animal: int | None = None
    end: int = 0
    marks: tuple[Marks, ...] = ()


def _buttons(animals: int) -> tuple[ButtonSpec, ...]:
    return (
        *VIDEO_BUTTONS,
        ButtonSpec("front", "Front", kind="tab"),
        ButtonSpec("back", "Back", kind="tab"),
        *(
            ButtonSpec(f"animal_{i}", f"animal {i + 1}", kind="item", swatch=COLOURS[i])
            for i in range(animals)
        ),
    )


class AnimalBehaviorTracking(VideoTask):
    """The behavioural tracking task on one video.

    Parameters
    ----------
    world : BehaviorWorld
        The video and where the animals are.
    config : BehaviorConfig
        How it was made, and the interface.
    """

    id: ClassVar[str] = "animal_behavior_tracking"
    world: BehaviorWorld

    def __init__(self, world: BehaviorWorld, config: BehaviorConfig) -> None:
        self.world = world
        self.config = config
        self._buttons = _buttons(world.animals)
        self._items = {f"animal_{i}": i for i in range(world.animals)}
        self._frames = world.frames
        self._overlay = Overlay(_animal_shapes)

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random video; ``options`` are fields of :class:`BehaviorConfig`."""
        config = make_config(BehaviorConfig, cls.id, options)
        return cls(sample_world(rng, config), config)

    def initial_state(self) -> BehaviorState:
        """Return the state at the start: the first frame, no animal selected."""
        return BehaviorState(marks=((NOTHING,) * self.world.animals,) * self.world.frames)

    def action_for(self, hit: Hit, state: BehaviorState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        if hit.canvas_xy is not None:
            if state.animal is None:
                return NONE
            present = state.marks[state.frame][state.animal][state.end]
            return NONE if present == hit.canvas_xy else Action("place", hit.canvas_xy)
        if hit.target in self._items:
            chosen = self._items[hit.target] == state.animal
            return NONE if chosen else Action("select", target=hit.target)
        if hit.target in TABS:
            return NONE if TABS[state.end] == hit.target else Action("tab", target=hit.target)
        return self._common_action(hit.target, state)

    def change(self, state: BehaviorState, action: Action) -> BehaviorState | None:
        """Return the state after an action; None for one that the task does not know."""
        name = action.name
        if name == "place" and action.canvas_xy is not None:
            return _placed(state, action.canvas_xy)
        if name == "select" and action.target in self._items:
            return replace(state, animal=self._items[action.target])
        if name == "tab" and action.target in TABS:
            return replace(state, end=TABS.index(action.target))
        if name in STEPS:
            return replace(state, frame=stepped(state.frame, name, self._frames))
        return None

    def detail(
        self, before: BehaviorState, action: Action, after: BehaviorState
    ) -> Mapping[str, Any]:
        """Describe an action: the frame it acted in, and for an edit animal, end and pixel."""
        if action.name == "none":
            return {}
        detail: dict[str, Any] = {"frame": after.frame}
        if action.name in ("place", "undo") and after.animal is not None:
            detail |= {"animal": after.animal + 1, "end": TABS[after.end]}
            detail |= {"xy": action.canvas_xy} if action.name == "place" else {"undone": "place"}
        return detail

    def retrace(self, state: BehaviorState, before: BehaviorState, action: Action) -> list[Aim]:
        """Return the clicks that set a mark again: to its frame, animal and tab first."""
        if action.name != "place" or action.canvas_xy is None or before.animal is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        aims = steps_between(state.frame, before.frame)
        if before.animal != state.animal:
            aims.append(f"animal_{before.animal}")
        if before.end != state.end:
            aims.append(TABS[before.end])
        return [*aims, action.canvas_xy]

    def content(self, state: BehaviorState) -> Content:
        """Return what the screen shows."""
        marks = state.marks[state.frame]
        done = [i for i, ends in enumerate(marks) if None not in ends]
        placed = sum([2 - ends.count(None) for ends in marks])
        total = 2 * self.world.animals
        pressed = {TABS[state.end]}
        if state.animal is not None:
            pressed.add(f"animal_{state.animal}")
        return Content(
            canvas=self.world.picture(state.frame),
            shapes=self._overlay.shapes(state.frame, marks),
            markers=self._markers(state),
            status=(f"frame {state.frame + 1}/{self.world.frames}", f"{placed}/{total}"),
            progress=(state.frame + placed / total) / self.world.frames,
            disabled=self._unusable(state),
            pressed=frozenset(pressed),
            ticked=frozenset(f"animal_{i}" for i in done),
            hint=self._hint(state, placed == total),
        )

    def _hint(self, state: BehaviorState, complete: bool) -> str:
        if complete:
            last = state.frame + 1 == self.world.frames
            return "all marked: Done" if last else "all marked: Next"
        if state.animal is None:
            return "select an animal"
        ends = state.marks[state.frame][state.animal]
        if None not in ends:
            return "select the next animal"
        if ends[state.end] is not None:
            return f"animal {state.animal + 1}: choose {TABS[1 - state.end].title()}"
        return f"animal {state.animal + 1}: click its {('head', 'tail end')[state.end]}"

    def _markers(self, state: BehaviorState) -> tuple[Marker, ...]:
        if state.animal is None:
            return ()
        markers = []
        if state.frame:
            front, back = state.marks[state.frame - 1][state.animal]
            if front is not None:
                markers.append(Marker(*front, _RING, _GREY, 0.6))
            if back is not None:
                markers.append(Marker(*back, _BACK_RING, _GREY, 0.6))
        return tuple(markers)

    def score(self, state: BehaviorState) -> dict[str, Any]:
        """Return the metrics of the marks so far; see :func:`score_marks`.

        ``success``: Done was clicked, every animal is marked in every frame, F1 is 0.95 at least,
        and no number changes from one animal to another.
        """
        metrics = score_marks(state.marks, self.world.ends_xy)
        metrics["undos"] = state.undos
        metrics["success"] = bool(
            state.terminated
            and metrics["completion"] == 1.0
            and metrics["f1"] >= 0.95
            and not metrics["identity_switches"]
        )
        return metrics

    def layers(self, state: BehaviorState | None = None) -> list[LayerData]:
        """Return the video, the true marks and tracks (hidden), and the annotation."""
        return behavior_layers(self.world, None if state is None else state.marks)


def _placed(state: BehaviorState, xy: Point) -> BehaviorState:
    animal = state.animal
    if animal is None:
        return state
    marks = state.marks[state.frame]
    front, back = marks[animal]
    ends: Ends = (xy, back) if state.end == 0 else (front, xy)
    marks = (*marks[:animal], ends, *marks[animal + 1 :])
    return edited(
        state, marks=(*state.marks[: state.frame], marks, *state.marks[state.frame + 1 :])
    )


def _animal_shapes(animal: int, marks: Marks) -> list[Shape]:
    """Return a disc at the front with the animal's number, a small one at the back, a line."""
    shapes: list[Shape] = []
    (front, back), colour = marks[animal], COLOURS[animal]
    if front is not None and back is not None:
        shapes.append(Line(*back, *front, colour))
    if front is not None:
        shapes.append(Disc(*front, _DISC + 1, colour))
        shapes.append(Text(front[0] + 7, front[1] - 7, str(animal + 1), colour))
    if back is not None:
        shapes.append(Disc(*back, _DISC, colour))
    return shapes
