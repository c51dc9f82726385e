"""Policies of the frames family at work: in one session, or in many at once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.frames.clicks import ClickDistribution
from bcannot_core.policy.frames.config import SMALLEST_FRAME
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.frames.stream import FramesStream
from bcannot_core.policy.policy import Frame, Policy, Proposal

Click = tuple[int, int]


class FramesPolicy(Policy):
    """A policy of the frames family with the memory of one session.

    Parameters
    ----------
    net : FramesNet
        The network.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    temperature : float
        0 takes the most probable click; above, clicks are drawn.
    seed : int
        Seed of the draws.
    low_precision : bool, optional
        Compute in bfloat16 where that suffices; by default where the device has it.
    """

    def __init__(
        self,
        net: FramesNet,
        *,
        device: str = "auto",
        temperature: float = 0.0,
        seed: int = 0,
        low_precision: bool | None = None,
    ) -> None:
        super().__init__(net, device=device, temperature=temperature)
        self.net, self.config, self._seed, self._low = net, net.config, seed, low_precision
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self.reset()

    def reset(self) -> None:
        """Forget the session; the next frame begins a new one."""
        self._stream = FramesStream(self.net, low_precision=self._low)
        self._frame: Frame | None = None
        self._awaits_click = False
        self._click: ClickDistribution | None = None
        self._proposal = None

    def heatmap(self) -> NDArray[np.float32]:
        """Return the probability of the next click, (height, width), sum 1, for the last frame.

        Zeros before the first frame.
        """
        if self._click is None:
            width, height = self.frame_wh
            return np.zeros((height, width), dtype=np.float32)
        with torch.inference_mode():
            heat: NDArray[np.float32] = self._click.heatmap(0).float().cpu().numpy()
        return heat

    def batch(self, rows: int) -> "BatchPolicy":
        """Return the same policy for ``rows`` sessions at once."""
        policy = BatchPolicy(
            self.net,
            rows,
            temperature=self.temperature,
            seed=self._seed,
            low_precision=self._low,
        )
        policy.name = self.name
        return policy

    def _bounds(self, frame: Frame) -> tuple[int, int]:
        return frame.shape[1], frame.shape[0]

    def _look(self, frame: Frame) -> None:
        if self._awaits_click and self._frame is not None and np.array_equal(frame, self._frame):
            return
        check_frame(frame, self.net)
        self._frame = frame.copy()
        self._awaits_click = True
        self._click = self._stream.look(torch.from_numpy(self._frame)[None].to(self.device))

    def _choose(self) -> Proposal:
        assert self._click is not None
        with torch.inference_mode():
            drawn = self._click.sample(self.temperature, self._generator)
            x, y = drawn.flatten().tolist()
            return Proposal((x, y), float(self._click.confidence()), "screen")

    def _commit(self, click: Click, *, trusted: bool = False) -> None:
        self._stream.click(torch.tensor([click], device=self.device))
        self._awaits_click = False


class BatchPolicy:
    """A frames policy in several sessions at once, which may begin and end at different times.

    Parameters
    ----------
    net : FramesNet
        The network, where it is to run.
    rows : int
        Sessions.
    temperature : float
        0 takes the most probable click; above, clicks are drawn.
    seed : int
        Seed of the draws.
    low_precision : bool, optional
        Compute in bfloat16 where that suffices; by default where the device has it.
    """

    name = "unnamed"

    def __init__(
        self,
        net: FramesNet,
        rows: int,
        *,
        temperature: float = 0.0,
        seed: int = 0,
        low_precision: bool | None = None,
    ) -> None:
        if rows < 1:
            raise UsageError(f"{rows} sessions at once: give at least 1")
        self.net, self.rows, self.temperature = net.eval(), rows, temperature
        self.device = next(net.parameters()).device
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self._stream = FramesStream(net, rows, low_precision=low_precision)
        self._frames: Tensor | None = None
        self._sat_out = np.zeros(rows, np.bool_)

    def reset(self, row: int | None = None) -> None:
        """Begin a new session in a row, or in all, with the next frame."""
        self._stream.reset(row)
        self._sat_out[slice(None) if row is None else row] = False

    def act(self, frames: Sequence[Frame], alive: Sequence[bool] | None = None) -> list[Click]:
        """Choose clicks (x, y) for frames and take them as made.

        Parameters
        ----------
        frames : sequence of uint8 (height, width, 3)
            One a row, all of one size; of rows that are not alive anything.
        alive : sequence of bool, optional
            Which rows take part; all by default. The others' clicks mean nothing, and their
            sessions are over: a row that sat out takes part again after :meth:`reset` alone.

        Raises
        ------
        UsageError
            The frames are not one a row, or of several sizes; a row sat out and was not reset.
        CheckpointError
            The policy cannot look at frames of this size.
        """
        clicks = self.propose(frames, alive)
        self._commit(clicks, alive)
        return clicks

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool] | None = None) -> list[Click]:
        """Choose clicks as :meth:`act` does; they count only once they are observed."""
        click = self._look(frames, alive)
        with torch.inference_mode():
            drawn = click.sample(self.temperature, self._generator)[:, 0].tolist()
        return [(int(x), int(y)) for x, y in drawn]

    def observe(
        self,
        frames: Sequence[Frame],
        clicks: Sequence[Click],
        alive: Sequence[bool] | None = None,
    ) -> None:
        """Take in clicks that somebody made on frames: those of :meth:`propose`, or others."""
        stacked, lives = self._stacked(frames, alive)
        if self._frames is None or not torch.equal(stacked, self._frames):
            self._stream.look(stacked, lives)
        self._commit(clicks, alive)

    def _look(self, frames: Sequence[Frame], alive: Sequence[bool] | None) -> ClickDistribution:
        self._frames, lives = self._stacked(frames, alive)
        return self._stream.look(self._frames, lives)

    def _commit(self, clicks: Sequence[Click], alive: Sequence[bool] | None) -> None:
        made = torch.tensor([(int(x), int(y)) for x, y in clicks], device=self.device)
        lives = None if alive is None else torch.tensor(list(alive), device=self.device)
        self._stream.click(made, lives)
        self._frames = None

    def _stacked(
        self, frames: Sequence[Frame], alive: Sequence[bool] | None
    ) -> tuple[Tensor, Tensor | None]:
        if len(frames) != self.rows:
            raise UsageError(f"{len(frames)} frames for {self.rows} rows: give one a row")
        lives = [True] * self.rows if alive is None else [bool(one) for one in alive]
        living = [frame for frame, lives_here in zip(frames, lives, strict=True) if lives_here]
        back = np.flatnonzero(self._sat_out & lives)
        if back.size:
            raise UsageError(f"row {back[0]} sat out: begin a new session in it with reset")
        if not living:
            raise UsageError("no row is alive: there is nothing to act on")
        if len({frame.shape for frame in living}) > 1:
            raise UsageError("the frames of one batch have several sizes: give tasks of one size")
        check_frame(living[0], self.net)
        stacked = np.zeros((self.rows, *living[0].shape), np.uint8)
        for row, (frame, lives_here) in enumerate(zip(frames, lives, strict=True)):
            if lives_here:
                stacked[row] = frame
        self._sat_out |= ~np.array(lives)
        mask = None if all(lives) else torch.tensor(lives, device=self.device)
        return torch.from_numpy(stacked).to(self.device, non_blocking=True), mask


def check_frame(frame: Frame, net: FramesNet) -> None:
    """See that a network can look at a frame.

    Raises
    ------
    CheckpointError
        It cannot.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise CheckpointError(
            f"a frame is uint8 (height, width, 3), not {frame.dtype} {frame.shape}"
        )
    height, width = frame.shape[:2]
    if min(height, width) < SMALLEST_FRAME:
        raise CheckpointError(f"the frame of {width} × {height} px is too small to look at")
    largest = net.config.frame_wh
    if net.config.head == "independent" and (width > largest[0] or height > largest[1]):
        raise CheckpointError(
            f"the frame is {width} × {height} px, the policy was made for {largest[0]} × "
            f"{largest[1]}: draw the screen of that size, or take a policy with a pointer head"
        )
