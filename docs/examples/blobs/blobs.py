"""A task in one file: click the brightest blob, and the annotator that knows how."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from bcannot_core.annotators import Behaviour, Intent, Mistake, Phase, PlanAnnotator
from bcannot_core.screen import ButtonSpec, Content, Hit, Marker
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, check_range, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited

SIZE, RADIUS = 256, 12


@dataclass(frozen=True, slots=True)
class BlobsConfig:
    """How many blobs there are, 2 to 20, and the interface variant."""

    blobs: int = 8
    variant: str = "original"

    def __post_init__(self) -> None:
        check_range("blobs", self.blobs, 2, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobsState(EditState):
    """Where the mark is, if there is one."""

    mark_xy: tuple[int, int] | None = None


class BrightestBlob(EditTask):
    """Click the brightest blob, then Done."""

    id: ClassVar[str] = "brightest_blob"
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    navigation_actions: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, centres_xy: np.ndarray, config: BlobsConfig) -> None:
        self.config = config
        self.centres_xy = centres_xy  # the brightest first
        y, x = np.mgrid[:SIZE, :SIZE]
        picture = np.full((SIZE, SIZE), 20.0)
        for i, (cx, cy) in enumerate(centres_xy):
            height = 220 * 0.85**i
            blob = height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / RADIUS**2)
            picture = np.maximum(picture, blob)
        self.picture = picture.astype(np.uint8)
        self.picture.setflags(write=False)

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Draw a world: the same generator gives the same one in any process."""
        config = make_config(BlobsConfig, cls.id, options)
        cells = rng.permutation(25)[: config.blobs]
        centres = np.stack([cells % 5, cells // 5], axis=1) * 48 + 32 + rng.integers(-8, 9, 2)
        return cls(centres, config)

    def initial_state(self) -> BlobsState:
        """Return the state at the start."""
        return BlobsState()

    def action_for(self, hit: Hit, state: BlobsState) -> Action:
        """Return what a click means."""
        if hit.canvas_xy is not None:
            return Action("place", hit.canvas_xy)
        if hit.target == "done" or (hit.target == "undo" and state.can_undo):
            return Action(hit.target)
        return NONE

    def change(self, state: BlobsState, action: Action) -> BlobsState | None:
        """Return the state after an edit; Undo and Done are known already."""
        return edited(state, mark_xy=action.canvas_xy) if action.name == "place" else None

    def detail(self, before: BlobsState, action: Action, after: BlobsState) -> Mapping[str, Any]:
        """Describe an edit."""
        return {"mark_xy": after.mark_xy} if before.mark_xy != after.mark_xy else {}

    def retrace(self, state: BlobsState, before: BlobsState, action: Action) -> list[Aim]:
        """Return the clicks that do an edit again, for Redo."""
        return [] if action.canvas_xy is None else [action.canvas_xy]

    def content(self, state: BlobsState) -> Content:
        """Return what the screen shows."""
        mark = state.mark_xy
        return Content(
            canvas=self.picture,
            markers=() if mark is None else (Marker(*mark, 6, (255, 210, 0)),),
            status=("brightest blob", "marked" if mark else "click it"),
            disabled=frozenset() if state.can_undo else frozenset({"undo"}),
        )

    def score(self, state: BlobsState) -> dict[str, Any]:
        """Return the metrics; every task has ``success``."""
        mark = state.mark_xy
        off = np.inf if mark is None else float(np.hypot(*(self.centres_xy[0] - mark)))
        return {"distance_px": off, "success": state.terminated and off <= RADIUS}

    def layers(self, state: BlobsState | None = None) -> list[LayerData]:
        """Return the world for napari: the picture, and the truth, hidden."""
        truth = {"name": "brightest", "visible": False}
        return [
            (self.picture, {"name": "blobs"}, "image"),
            (self.centres_xy[:1, ::-1].astype(float), truth, "points"),
        ]


class BlobsAnnotator(PlanAnnotator[BrightestBlob]):
    """Clicks the brightest blob; now and then the second one first."""

    task_type = BrightestBlob
    default_behaviour = Behaviour(near_miss=0.0, far_miss=0.0, wrong_object=0.15)
    kinds = (Mistake.WRONG_OBJECT,)

    def plan(self, state: BlobsState) -> Intent:
        """Return the next right click in any state."""
        right = self.task.centres_xy[0]
        if state.mark_xy is None:
            x, y = self.hand.around(tuple(right), 2.0, 5.0)
            return Intent("place", (x, y), Phase.PLACE, 0, fallible=True)
        if np.hypot(*(right - state.mark_xy)) > RADIUS:
            return Intent("undo", phase=Phase.CORRECT, position=0)
        return Intent("done", phase=Phase.FINISH)

    def wrong(self, intent: Intent, state: BlobsState, kind: Mistake) -> Iterable[Intent]:
        """Return what goes wrong instead."""
        x, y = self.hand.around(tuple(self.task.centres_xy[1]), 2.0, 5.0)
        yield Intent("place", (x, y), Phase.PLACE, 1)
