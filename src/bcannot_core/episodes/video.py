"""H.264 videos in MP4 files, written one frame after the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.closing import Closing
from bcannot_core.errors import UsageError

CODEC = "h264"
PIXEL_FORMAT = "yuv420p"


class Video(Closing):
    """A video that is being written; a context manager.

    Parameters
    ----------
    path : Path
        Where to write.
    size_wh : tuple of int
        Width and height of the frames, even.
    fps : float
        Frames a second.
    options : sequence of str
        Further options of ffmpeg's output.

    Raises
    ------
    UsageError
        imageio-ffmpeg is not installed.
    """

    def __init__(
        self, path: Path, size_wh: tuple[int, int], fps: float, options: Sequence[str] = ()
    ) -> None:
        try:
            import imageio_ffmpeg
        except ImportError:
            raise UsageError(
                f"cannot write {path}: a video needs imageio-ffmpeg (pip install imageio-ffmpeg); "
                "or choose a form without one"
            ) from None
        self._frames: Any = imageio_ffmpeg.write_frames(
            str(path),
            size_wh,
            fps=fps,
            codec="libx264",
            pix_fmt_out=PIXEL_FORMAT,
            macro_block_size=2,
            output_params=[*options, "-f", "mp4"],
        )
        self._frames.send(None)

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Add a frame, (h, w, 3)."""
        self._frames.send(np.ascontiguousarray(frame))

    def close(self) -> None:
        """Write what is left and end the file."""
        self._frames.close()
