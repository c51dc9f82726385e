"""Animal limb tracking: mark the joints of a moving animal in every frame of a video.

It stands for the pose annotation with which markerless motion capture begins: a bird in flight, a
walking spider, a crawling snake or a hovering insect, its body and each limb under a tab of its
own. A tab's keypoints are asked for one after the other; the hint line names the next one.

* A tab shows which part is marked; its first missing keypoint is selected. An item of the list
  selects one keypoint of the tab, to place it again.
* A click on the canvas places the selected keypoint in this frame (moves it if it is there), and
  selects the next missing one of the tab. With none selected it does nothing.
* Next and Prev change the frame and keep the tab. Where the selected keypoint was in the frame
  before is a faint ring.
* Undo takes back the last placement and returns to its frame, tab and keypoint. Done ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Disc, Hit, Line, Marker
from bcannot_core.screen.shapes import Shape
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.edits import EditState, edited
from bcannot_core.tasks.frame_steps import STEPS, stepped, steps_between
from bcannot_core.tasks.marked_frames import VIDEO_BUTTONS, Overlay, VideoTask
from bcannot_core.tasks.scoring import pck
from bcannot_core.tasks.worlds.animal_limb_tracking import LimbConfig, LimbWorld, sample_world
from bcannot_core.tasks.worlds.limb_anatomy import Anatomy

Point = tuple[int, int]
Pose = tuple[Point | None, ...]
PCK_PX = 3.0
_SUCCESS = 0.95
_TIGHT = 5
_RING, _DISC = 5, 2
_GREY = (235, 235, 235)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbState(EditState):
    """What is shown, and what is placed.

    Attributes
    ----------
    frame, tab : int
        Which are shown.
    keypoint : int or None
        The selected keypoint, numbered through all tabs.
    poses : tuple of tuple
        For each frame the pixel (x, y) of each keypoint, None where it is not placed.
    """

    frame: int = 0
    tab: int = 0
    keypoint: int | None = 0
    poses: tuple[Pose, ...] = ()


def _buttons(anatomy: Anatomy) -> tuple[ButtonSpec, ...]:
    alone = len(anatomy.tabs) == 1
    tight = len(anatomy.tabs) == _TIGHT  # one row of tabs, too narrow for swatches
    names = anatomy.tabs[0].names if alone else ()
    return (
        *VIDEO_BUTTONS,
        *(
            ButtonSpec(f"tab_{t}", tab.label, kind="tab", swatch=None if tight else tab.colour)
            for t, tab in enumerate(anatomy.tabs)
        ),
        *(
            ButtonSpec(f"point_{i}", names[i] if alone else f"point {i + 1}", kind="item")
            for i in range(anatomy.most_in_tab)
        ),
    )


class AnimalLimbTracking(VideoTask):
    """The limb tracking task on one filmed animal.

    Parameters
    ----------
    world : LimbWorld
        The video and where the keypoints are.
    config : LimbConfig
        How it was made, and the interface.
    """

    id: ClassVar[str] = "animal_limb_tracking"
    world: LimbWorld

    def __init__(self, world: LimbWorld, config: LimbConfig) -> None:
        self.world = world
        self.config = config
        self.anatomy = world.animal.anatomy
        self._buttons = _buttons(self.anatomy)
        self._tab_ids = {f"tab_{t}": t for t in range(len(self.anatomy.tabs))}
        self._item_ids = {f"point_{i}": i for i in range(self.anatomy.most_in_tab)}
        self._frames = world.frames
        self._overlay = Overlay(self._shapes_of, self.anatomy.children)
        self._absent = [
            frozenset(f"point_{i}" for i in range(len(tab.names), self.anatomy.most_in_tab))
            for tab in self.anatomy.tabs
        ]

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random video; ``options`` are the fields of :class:`LimbConfig`."""
        config = make_config(LimbConfig, cls.id, options)
        return cls(sample_world(rng, config), config)

    @property
    def points_xy(self) -> NDArray[np.float32]:
        """Where the keypoints are, float32 (frames, keypoints, 2)."""
        return self.world.animal.points_xy

    def initial_state(self) -> LimbState:
        """Return the state at the start: the first frame, the first keypoint of the first tab."""
        empty: Pose = (None,) * self.anatomy.count
        return LimbState(poses=(empty,) * self.world.frames)

    def missing(self, pose: Pose, tab: int, after: int = -1) -> int | None:
        """Return the first keypoint of a tab that a pose lacks, those after ``after`` first."""
        first, end = self.anatomy.firsts[tab], self.anatomy.firsts[tab + 1]
        lacking = [k for k in range(first, end) if pose[k] is None]
        if not lacking:
            return None
        return next((k for k in lacking if k > after), lacking[0])

    def action_for(self, hit: Hit, state: LimbState) -> Action:
        """Return what a click means; ``none`` where it would have no effect."""
        if hit.canvas_xy is not None:
            k = state.keypoint
            if k is None or state.poses[state.frame][k] == hit.canvas_xy:
                return NONE
            return Action("place", hit.canvas_xy)
        if hit.target in self._tab_ids:
            tab = self._tab_ids[hit.target]
            return NONE if tab == state.tab else Action("tab", target=hit.target)
        if hit.target in self._item_ids:
            k = self.anatomy.firsts[state.tab] + self._item_ids[hit.target]
            exists = k < self.anatomy.firsts[state.tab + 1] and k != state.keypoint
            return Action("select", target=hit.target) if exists else NONE
        return self._common_action(hit.target, state)

    def change(self, state: LimbState, action: Action) -> LimbState | None:
        """Return the state after an action; None for one that the task does not know."""
        name = action.name
        if name == "place" and action.canvas_xy is not None:
            return self._placed(state, action.canvas_xy)
        if name == "tab" and action.target in self._tab_ids:
            tab = self._tab_ids[action.target]
            chosen = self.missing(state.poses[state.frame], tab)
            return replace(state, tab=tab, keypoint=chosen)
        if name == "select" and action.target in self._item_ids:
            k = self.anatomy.firsts[state.tab] + self._item_ids[action.target]
            return replace(state, keypoint=k)
        if name in STEPS:
            frame = stepped(state.frame, name, self._frames)
            chosen = self.missing(state.poses[frame], state.tab)
            return replace(state, frame=frame, keypoint=chosen)
        return None

    def _placed(self, state: LimbState, xy: Point) -> LimbState:
        k = state.keypoint
        if k is None:
            return state
        pose = state.poses[state.frame]
        pose = (*pose[:k], xy, *pose[k + 1 :])
        poses = (*state.poses[: state.frame], pose, *state.poses[state.frame + 1 :])
        return edited(state, poses=poses, keypoint=self.missing(pose, state.tab, k))

    def detail(self, before: LimbState, action: Action, after: LimbState) -> Mapping[str, Any]:
        """Describe an action: the frame it acted in, and for an edit its keypoint and pixel."""
        if action.name == "none":
            return {}
        detail: dict[str, Any] = {"frame": after.frame}
        if action.name == "place" and before.keypoint is not None:
            detail |= {"keypoint": self.anatomy.names[before.keypoint], "xy": action.canvas_xy}
        elif action.name == "undo" and after.keypoint is not None:
            detail |= {"keypoint": self.anatomy.names[after.keypoint], "undone": "place"}
        return detail

    def retrace(self, state: LimbState, before: LimbState, action: Action) -> list[Aim]:
        """Return the clicks that place a keypoint again: to its frame, tab and item first."""
        k = before.keypoint
        if action.name != "place" or action.canvas_xy is None or k is None:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        aims = steps_between(state.frame, before.frame)
        tab = self.anatomy.tab_of[k]
        chosen = state.keypoint
        if tab != state.tab:
            aims.append(f"tab_{tab}")
        if aims:
            chosen = self.missing(state.poses[before.frame], tab)
        if chosen != k:
            aims.append(f"point_{k - self.anatomy.firsts[tab]}")
        return [*aims, action.canvas_xy]

    def content(self, state: LimbState) -> Content:
        """Return what the screen shows."""
        pose = state.poses[state.frame]
        anatomy = self.anatomy
        first, end = anatomy.firsts[state.tab], anatomy.firsts[state.tab + 1]
        placed = anatomy.count - pose.count(None)
        pressed = {f"tab_{state.tab}"}
        if state.keypoint is not None:
            pressed.add(f"point_{state.keypoint - first}")
        return Content(
            canvas=self.world.picture(state.frame),
            shapes=self._overlay.shapes(state.frame, pose),
            markers=self._markers(state),
            status=(f"frame {state.frame + 1}/{self.world.frames}", f"{placed}/{anatomy.count}"),
            progress=(state.frame + placed / anatomy.count) / self.world.frames,
            disabled=self._unusable(state) | self._absent[state.tab],
            pressed=frozenset(pressed),
            ticked=self._ticked(pose, first, end),
            hint=self._hint(state, placed),
        )

    def _ticked(self, pose: Pose, first: int, end: int) -> frozenset[str]:
        done = [f"point_{k - first}" for k in range(first, end) if pose[k] is not None]
        firsts = self.anatomy.firsts
        done += [t for t, i in self._tab_ids.items() if None not in pose[firsts[i] : firsts[i + 1]]]
        return frozenset(done)

    def _hint(self, state: LimbState, placed: int) -> str:
        if state.keypoint is not None:
            return f"click: {self.anatomy.names[state.keypoint]}"
        if placed < self.anatomy.count:
            return f"{self.anatomy.tabs[state.tab].label} complete: next tab"
        last = state.frame + 1 == self.world.frames
        return "frame complete: Done" if last else "frame complete: Next"

    def _markers(self, state: LimbState) -> tuple[Marker, ...]:
        k, markers = state.keypoint, []
        if k is None:
            return ()
        colour = self.anatomy.tabs[self.anatomy.tab_of[k]].colour
        before = state.poses[state.frame - 1][k] if state.frame else None
        if before is not None:
            markers.append(Marker(*before, _RING, _GREY, 0.5))
        here = state.poses[state.frame][k]
        if here is not None:
            markers.append(Marker(*here, _RING, colour))
        return tuple(markers)

    def _shapes_of(self, k: int, pose: Pose) -> list[Shape]:
        """Return lines from a keypoint to the earlier ones that it is joined to, and its disc."""
        point, shapes = pose[k], []
        if point is None:
            return []
        colour = self.anatomy.tabs[self.anatomy.tab_of[k]].colour
        for j in self.anatomy.joined[k]:
            other = pose[j]
            if other is not None:
                shapes.append(Line(*other, *point, colour))
        return [*shapes, Disc(*point, _DISC, colour)]

    def score(self, state: LimbState) -> dict[str, Any]:
        """Return the metrics of the poses placed so far.

        ``pck`` is the share of all keypoints placed within 3 px, ``pck_5px`` within 5 px,
        ``completion`` the share that is placed, ``error_px`` the mean distance of those (3 where
        none is). ``success``: Done was clicked, all keypoints are placed, and PCK is 0.95 at least.
        """
        flat = [(np.nan, np.nan) if p is None else p for pose in state.poses for p in pose]
        placed = np.array(flat, dtype=np.float64)
        truth = self.points_xy.reshape(-1, 2).astype(np.float64)
        there = ~np.isnan(placed[:, 0])
        errors = np.sqrt(((placed - truth)[there] ** 2).sum(axis=1))
        share = pck(placed, truth, PCK_PX)
        complete = bool(there.all())
        return {
            "pck": share,
            "pck_5px": pck(placed, truth, 5.0),
            "completion": float(there.mean()),
            "error_px": float(errors.mean()) if len(errors) else PCK_PX,
            "placed": int(there.sum()),
            "keypoints": len(truth),
            "frames": self.world.frames,
            "undos": state.undos,
            "success": bool(state.terminated and complete and share >= _SUCCESS),
        }

    def layers(self, state: LimbState | None = None) -> list[LayerData]:
        """Return the video, the true keypoints and their tracks (hidden), and the annotation."""
        frames, count = self.points_xy.shape[:2]
        video = np.stack([self.world.picture(f) for f in range(frames)])
        at = np.repeat(np.arange(frames), count)
        truth = np.column_stack([at, self.points_xy.reshape(-1, 2)[:, ::-1]])
        numbers = np.tile(np.arange(count), frames)
        order = np.lexsort((at, numbers))
        tracks = np.column_stack([numbers, truth])[order]
        layers: list[LayerData] = [
            (video, {"name": f"{self.anatomy.species} video", "rgb": True}, "image"),
            (truth, self._points_look("keypoints", numbers), "points"),
            (
                tracks,
                {"name": "keypoint tracks", "visible": False, "tail_length": 5},
                "tracks",
            ),
        ]
        if state is not None:
            rows = [
                (f, p[1], p[0], k)
                for f, pose in enumerate(state.poses)
                for k, p in enumerate(pose)
                if p is not None
            ]
            data = np.array(rows, dtype=np.float64).reshape(-1, 4)
            look = self._points_look("annotation", data[:, 3].astype(np.int64))
            layers.append((data[:, :3], look | {"visible": True}, "points"))
        return layers

    def _points_look(self, name: str, numbers: NDArray[np.int64]) -> dict[str, Any]:
        anatomy = self.anatomy
        tabs = [anatomy.tab_of[k] for k in numbers]
        colours = np.array([(*anatomy.tabs[t].colour, 255) for t in tabs]).reshape(-1, 4) / 255
        return {
            "name": name,
            "visible": False,
            "size": 4,
            "face_color": colours,
            "features": {
                "keypoint": [anatomy.names[k] for k in numbers],
                "part": [anatomy.tabs[t].label for t in tabs],
            },
        }
