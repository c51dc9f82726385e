"""3D exploration: turn an object of five spheres until it is clear what it is, then name it.

Eight kinds of objects have five spheres each, of one colour. The first view shows a projection that
two kinds share (a square pyramid from above is a plus), so that it must be turned: by steps of 30°
about the screen's axes. A class button names it; another one, or Undo, corrects the choice; Done
ends. The choice of kinds is ours: the reference names line, plus, pentagon, methane and square
pyramid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.screen import ButtonSpec, Content, Hit, get_variant
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, check_range, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.worlds.exploration_3d import (
    PLANAR,
    SHAPES,
    SIDE,
    ObjectWorld,
    Rotation,
    about,
    compose,
    draw,
    sample_object,
)

LABELS: Mapping[str, str] = {
    "line": "Line",
    "plus": "Plus",
    "pentagon": "Pentagon",
    "zigzag": "Zigzag",
    "methane": "Methane",
    "square_pyramid": "Pyramid",
    "bipyramid": "Bipyramid",
    "helix": "Helix",
}
TURNS: Mapping[str, tuple[str, int]] = {
    "turn_left": ("y", -1),
    "turn_right": ("y", 1),
    "turn_up": ("x", -1),
    "turn_down": ("x", 1),
}
_TURN_LABELS = {
    "turn_left": "← Left",
    "turn_right": "→ Right",
    "turn_up": "↑ Up",
    "turn_down": "↓ Down",
}
_KEPT = 64
_VOXELS = 64


@dataclass(frozen=True, slots=True)
class ExplorationConfig:
    """Difficulty and interface of 3D exploration.

    Parameters
    ----------
    step_deg : int
        How far a click turns the object, 10 to 60 degrees.
    view_jitter : float
        Standard deviation of the first view about the ambiguous one, 0 to 10 degrees.
    deformation : float
        Standard deviation of the spheres' places, 0 to 0.06 of the object's radius.
    noise : float
        Standard deviation of the backdrop, 0 to 0.1 of the grey scale.
    contrast : float
        Brightness of the spheres, 0.4 to 1.
    variant : str
        Interface variant.
    """

    step_deg: int = 30
    view_jitter: float = 3.0
    deformation: float = 0.015
    noise: float = 0.02
    contrast: float = 1.0
    variant: str = "original"

    def __post_init__(self) -> None:
        check_range("step_deg", self.step_deg, 10, 60)
        check_range("view_jitter", self.view_jitter, 0.0, 10.0)
        check_range("deformation", self.deformation, 0.0, 0.06)
        check_range("noise", self.noise, 0.0, 0.1)
        check_range("contrast", self.contrast, 0.4, 1.0)
        get_variant(self.variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState(EditState):
    """An exploration under way.

    Attributes
    ----------
    orientation : Rotation
        How the object is seen.
    turns : int
        How often it was turned.
    chosen : str
        The kind that was chosen, empty for none.
    """

    orientation: Rotation
    turns: int = 0
    chosen: str = ""


class Exploration3D(EditTask):
    """The 3D exploration task on one world.

    Parameters
    ----------
    world : ObjectWorld
        The object and its first view.
    config : ExplorationConfig, optional
        Difficulty and interface.
    """

    id: ClassVar[str] = "exploration_3d"
    kept_by_undo = ("turns",)
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        *(ButtonSpec(turn, label, label[0], "navigation") for turn, label in _TURN_LABELS.items()),
        *(ButtonSpec(shape, LABELS[shape], kind="item") for shape in SHAPES),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"select"})
    navigation_actions: ClassVar[frozenset[str]] = frozenset({"rotate"})
    hint_line: ClassVar[bool] = True

    def __init__(self, world: ObjectWorld, config: ExplorationConfig | None = None) -> None:
        self.world = world
        self.config = config or ExplorationConfig()
        self._steps = {
            turn: about(axis, sign * self.config.step_deg) for turn, (axis, sign) in TURNS.items()
        }
        self._pictures: dict[Rotation, NDArray[np.uint8]] = {}

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random object; options are the fields of :class:`ExplorationConfig`."""
        config = make_config(ExplorationConfig, cls.id, options)
        world = sample_object(
            rng, config.view_jitter, config.deformation, config.noise, config.contrast
        )
        return cls(world, config)

    def initial_state(self) -> ObjectState:
        """Return the state at the start: the ambiguous view."""
        return ObjectState(orientation=self.world.orientation)

    def action_for(self, hit: Hit, state: ObjectState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        target = hit.target
        if target in TURNS:
            return Action("rotate", None, target)
        if target in SHAPES and target != state.chosen:
            return Action("select", None, target)
        if target == "done" or (target == "undo" and state.can_undo):
            return Action(target)
        return NONE

    def change(self, state: ObjectState, action: Action) -> ObjectState | None:
        """Return the state after an action; None for one that the task does not know."""
        if action.name == "rotate" and action.target in TURNS:
            turned = compose(self._steps[action.target], state.orientation)
            return replace(state, orientation=turned, turns=state.turns + 1)
        if action.name == "select" and action.target in SHAPES:
            return edited(state, chosen=action.target)
        return None

    def detail(self, before: ObjectState, action: Action, after: ObjectState) -> Mapping[str, Any]:
        """Describe an action: the direction of a turn, the kind chosen after an edit."""
        if action.name == "rotate":
            return {"turn": action.target}
        return {"chosen": after.chosen} if action.name in ("select", "undo") else {}

    def retrace(self, state: ObjectState, before: ObjectState, action: Action) -> list[Aim]:
        """Return the class button to click again; a choice does not depend on the view."""
        return [action.target]

    def content(self, state: ObjectState) -> Content:
        """Return what the screen shows."""
        chosen = state.chosen
        return Content(
            canvas=self._picture(state.orientation),
            status=(f"{state.turns} turns", LABELS.get(chosen, "not named")),
            progress=1.0 if chosen else 0.0,
            disabled=frozenset() if state.can_undo else frozenset({"undo"}),
            pressed=frozenset({chosen}) if chosen else frozenset(),
            hint="Sure? Press Done" if chosen else "Turn it, then name it",
        )

    def _picture(self, orientation: Rotation) -> NDArray[np.uint8]:
        """Return the picture of a view; turning there and back again gives the same one."""
        key = _rounded(orientation)
        picture = self._pictures.get(key)
        if picture is None:
            if len(self._pictures) >= _KEPT:
                self._pictures.clear()
            picture = self._pictures[key] = draw(self.world, orientation)
        return picture

    def score(self, state: ObjectState) -> dict[str, Any]:
        """Return the metrics.

        ``success``: the chosen kind is the right one and Done was clicked. ``class_accuracy`` is 1
        or 0, ``answered`` whether a kind is chosen, ``turns`` and ``choices`` count clicks,
        ``planar`` says whether the object is.
        """
        right = state.chosen == self.world.shape
        return {
            "class_accuracy": float(right),
            "answered": bool(state.chosen),
            "turns": state.turns,
            "choices": state.edits,
            "planar": self.world.shape in PLANAR,
            "success": right and state.terminated,
        }

    def layers(self, state: ObjectState | None = None) -> list[LayerData]:
        """Return the object as a volume, its spheres' centres (hidden), and the answer so far.

        Voxels are (z, y, x), 4 canvas pixels wide, in the first view; z runs away from the viewer.
        """
        scale = (SIDE / _VOXELS,) * 3
        centres = self._centres_zyx()
        count = len(centres)
        truth = {"sphere": np.arange(count), "class": np.array([self.world.shape] * count)}
        layers: list[LayerData] = [
            (
                self._volume(centres),
                {"name": "object", "scale": scale, "contrast_limits": (0, 255),
                 "rendering": "mip"},
                "image",
            ),
            (
                centres,
                {"name": "spheres", "scale": scale, "size": 4, "features": truth,
                 "face_color": "yellow", "visible": False},
                "points",
            ),
        ]  # fmt: skip
        if state is not None:
            named = np.array([state.chosen or "?"])
            attributes = {
                "name": "answer",
                "scale": scale,
                "size": 2,
                "features": {"class": named},
                "text": {"string": "{class}", "size": 16, "color": "white"},
            }
            layers.append((centres.mean(axis=0, keepdims=True), attributes, "points"))
        return layers

    def _centres_zyx(self) -> NDArray[np.float64]:
        """Return the spheres' centres in the first view, voxels (n, 3)."""
        shrink = _VOXELS / SIDE
        half = _VOXELS / 2
        seen = self.world.seen(self.world.orientation)
        return np.array(
            [(half - z * self.world.scale * shrink, y * shrink, x * shrink) for x, y, z in seen]
        )

    def _volume(self, centres: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the spheres as a volume, brightest in the middle of each."""
        radius = self.world.radius * _VOXELS / SIDE
        volume = np.zeros((_VOXELS,) * 3)
        grid = np.indices(volume.shape, dtype=np.float64)
        for centre in centres:
            distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(axis=0))
            inside = np.clip(radius + 0.5 - distance, 0, 1)
            np.maximum(volume, inside * (1 - 0.5 * distance / radius), out=volume)
        return np.rint(volume * 255).clip(0, 255).astype(np.uint8)


def _rounded(orientation: Rotation) -> Rotation:
    a, b, c = ((round(x, 6), round(y, 6), round(z, 6)) for x, y, z in orientation)
    return a, b, c
