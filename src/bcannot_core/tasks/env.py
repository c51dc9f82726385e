"""A task as a gymnasium environment."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from bcannot_core.errors import TaskError, UsageError
from bcannot_core.screen import get_variant
from bcannot_core.session import Session
from bcannot_core.tasks.base import LayerData, TaskBase

Frame = NDArray[np.uint8]


class AnnotationEnv(gymnasium.Env[Frame, NDArray[np.int64]]):
    """Clicks in, frames out.

    Observations are frames, uint8 (height, width, 3); actions are clicks (x, y) in frame pixels,
    origin top left. ``info["action"]`` names what the last click did, ``info["detail"]``
    describes it. The reward is 1 for an episode that ends with success, 0 for any other step.
    Every reset draws a new world from the environment's generator.

    Parameters
    ----------
    task_class : type of TaskBase
        The task.
    options : dict, optional
        Given to ``task_class.sample`` for every world.
    max_steps : int, optional
        Truncate episodes after so many clicks.
    copy_frames : bool
        Return frames of their own (the default). Otherwise a read-only view of the screen's
        frame, whose pixels change with the next step.
    render_mode : str, optional
        ``"rgb_array"`` or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - as gymnasium has it

    def __init__(
        self,
        task_class: type[TaskBase],
        options: dict[str, Any] | None = None,
        *,
        max_steps: int | None = None,
        copy_frames: bool = True,
        render_mode: str | None = "rgb_array",
    ) -> None:
        if max_steps is not None and max_steps < 1:
            raise UsageError(f"max_steps is {max_steps}: allow at least 1")
        if render_mode not in (None, "rgb_array"):
            raise UsageError(f"render_mode is {render_mode!r}: choose 'rgb_array' or None")
        get_variant((options or {}).get("variant", "original"))
        self.render_mode = render_mode
        self._task_class = task_class
        self._options = dict(options or {})
        self._max_steps = max_steps
        self._copy = copy_frames
        self._session: Session | None = None
        width, height = task_class.window_wh
        self.observation_space = spaces.Box(0, 255, (height, width, 3), np.uint8)
        self.action_space = spaces.MultiDiscrete(np.array([width, height]))

    @property
    def session(self) -> Session:
        """The session of the present episode.

        Raises
        ------
        TaskError
            There was no reset yet.
        """
        if self._session is None:
            raise TaskError("the environment has no session yet: call reset() first")
        return self._session

    @property
    def task(self) -> TaskBase:
        """The task of the present episode."""
        task = self.session.task
        if not isinstance(task, TaskBase):
            raise TaskError(f"{task.id} is no TaskBase")
        return task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Begin an episode in a new world.

        Parameters
        ----------
        seed : int, optional
            The same seed gives the same world.
        options : dict, optional
            Override options of the task for this episode.
        """
        super().reset(seed=seed)
        task = self._task_class.sample(self.np_random, **{**self._options, **(options or {})})
        self._session = Session(task)
        return self._frame(), {"action": "none", "detail": {}}

    def step(
        self, action: NDArray[np.int64] | tuple[int, int]
    ) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Click at (x, y).

        Raises
        ------
        ClickError
            The click lies outside the frame.
        """
        return self.step_as(action)

    def step_as(
        self,
        click_xy: NDArray[np.int64] | tuple[int, int],
        actor: str = "policy",
        flags: int = 0,
        ms: int = 0,
    ) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Click at (x, y) on behalf of an actor; what is kept with the click is as in a session."""
        session = self.session
        x, y = click_xy
        outcome = session.apply((x, y), actor, flags, ms)
        terminated = session.terminated
        truncated = self._max_steps is not None and len(session.clicks) >= self._max_steps
        ended_now = terminated and outcome.state_before is not outcome.state_after
        reward = float(ended_now and bool(self.score()["success"]))
        info = {"action": outcome.action, "detail": dict(outcome.detail)}
        return self._frame(), reward, terminated, truncated and not terminated, info

    def render(self) -> Frame | None:
        """Return a copy of the present frame, None without a render mode."""
        return self.session.frame().copy() if self.render_mode else None

    def score(self) -> dict[str, Any]:
        """Return the task's metrics so far, with ``"success"``: bool."""
        return self.task.score(self.session.state)

    def layers(self) -> list[LayerData]:
        """Return the world and the annotation so far as napari layers."""
        return self.task.layers(self.session.state)

    def _frame(self) -> Frame:
        frame = self.session.frame()
        return frame.copy() if self._copy else frame
