"""Make the pictures of the tasks in ``docs/images/tasks`` from seeds, by the scripted annotators.

Run from the repository's root:

    python docs/make_gallery.py [TASK ...]

Each task gets ``TASK.png`` (three worlds: at the start, half way, near the end) and ``TASK.gif``
(an episode, each click marked); ``variants.png`` shows one task in all interface variants.
"""

import argparse
import io
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import bcannot_core as bc
from bcannot_core.episodes.export import mark_click
from bcannot_core.screen import VARIANTS
from bcannot_core.session import ClickToken, Session
from bcannot_core.tasks.registry import make_task

IMAGES = Path(__file__).parent / "images" / "tasks"
MOMENTS = (0.0, 0.5, 0.95)
ONE_BY_ONE, LATER = 30, 14
COLOURS, FEWER_COLOURS = 160, 96
SMALLER_WH, HALF_WH = (320, 327), (213, 218)
MOST_BYTES = 400_000
LEAST_FRAMES = 12
EPISODES = range(3, 7)
SPACE = 8
VARIANTS_OF = "colored_dot_tracking"

Frame = NDArray[np.uint8]


def main() -> None:
    """Make the pictures of some or all tasks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="all by default")
    tasks = parser.parse_args().tasks or bc.list_tasks()
    IMAGES.mkdir(parents=True, exist_ok=True)
    for task_id in tasks:
        row = [moment(task_id, seed, share) for seed, share in enumerate(MOMENTS)]
        save_png(IMAGES / f"{task_id}.png", [row])
        longest = max(EPISODES, key=lambda seed: len(clicks_of(task_id, seed)))
        save_gif(IMAGES / f"{task_id}.gif", excerpt(task_id, longest))
        sizes = [(IMAGES / f"{task_id}{end}").stat().st_size // 1000 for end in (".png", ".gif")]
        sys.stdout.write(f"{task_id}: {sizes[0]} kB, {sizes[1]} kB\n")
    if VARIANTS_OF in tasks:
        shown = [resized(moment(VARIANTS_OF, 0, 0.4, name), HALF_WH) for name in VARIANTS]
        shown += [np.full_like(shown[0], 255)] * (-len(shown) % 4)
        save_png(IMAGES / "variants.png", [shown[i : i + 4] for i in range(0, len(shown), 4)])


def clicks_of(task_id: str, seed: int, variant: str = "original") -> list[ClickToken]:
    """Return the clicks of a scripted episode."""
    session = Session(make_task(task_id, seed, variant=variant))
    bc.make_annotator(session, seed=seed).run()
    return list(session.clicks)


def moment(task_id: str, seed: int, share: float, variant: str = "original") -> Frame:
    """Return the frame after a share of an episode's clicks."""
    clicks = clicks_of(task_id, seed, variant)
    session = Session(make_task(task_id, seed, variant=variant))
    for token in islice(clicks, int(share * (len(clicks) - 1))):
        session.apply(token[:2])
    return session.frame().copy()


def excerpt(task_id: str, seed: int) -> list[Frame]:
    """Return frames with their clicks marked: the first ones one by one, then ever so many."""
    clicks = clicks_of(task_id, seed)
    wanted = set(range(ONE_BY_ONE)) | {len(clicks) - 1, len(clicks) - 2}
    wanted |= set(np.linspace(ONE_BY_ONE, len(clicks) - 1, LATER).astype(int).tolist())
    session = Session(make_task(task_id, seed))
    frames = []
    for i, token in enumerate(clicks):
        if i in wanted:
            frame = session.frame().copy()
            mark_click(frame, token)
            frames.append(frame)
        session.apply(token[:2])
    return [*frames, session.frame().copy()]


def resized(frame: Frame, size_wh: tuple[int, int]) -> Frame:
    """Return a picture at another size."""
    return np.asarray(Image.fromarray(frame).resize(size_wh, Image.Resampling.BOX))


def palette_of(picture: Frame, colours: int = COLOURS) -> Image.Image:
    """Return a palette that has the rare colours, too: a colour counts by its root."""
    red, green, blue = (picture[..., c].astype(np.uint32) >> 2 for c in range(3))
    packed, counts = np.unique(red << 12 | green << 6 | blue, return_counts=True)
    sample = np.repeat(packed, np.ceil(np.sqrt(counts)).astype(int))
    sample = np.stack([sample >> 12 & 63, sample >> 6 & 63, sample & 63], axis=-1) << 2
    return Image.fromarray(sample[None].astype(np.uint8)).quantize(colours)


def save_png(path: Path, rows: list[list[Frame]]) -> None:
    """Save pictures of one size in rows, with a palette."""
    height, width = rows[0][0].shape[:2]
    shape = (len(rows) * (height + SPACE) - SPACE, len(rows[0]) * (width + SPACE) - SPACE, 3)
    out = np.full(shape, 255, dtype=np.uint8)
    for r, row in enumerate(rows):
        for c, frame in enumerate(row):
            y, x = r * (height + SPACE), c * (width + SPACE)
            out[y : y + height, x : x + width] = frame
    plain = Image.Dither.NONE
    Image.fromarray(out).quantize(palette=palette_of(out), dither=plain).save(path, optimize=True)


def save_gif(path: Path, frames: list[Frame]) -> None:
    """Save an animation, smaller, then with fewer frames, until it is small enough."""
    data = gif_of(frames, COLOURS)
    if len(data) > MOST_BYTES:
        frames = [resized(frame, SMALLER_WH) for frame in frames]
        data = gif_of(frames, FEWER_COLOURS)
    while len(data) > MOST_BYTES and len(frames) > LEAST_FRAMES:
        del frames[len(frames) // 2 : -2 : 2]
        data = gif_of(frames, FEWER_COLOURS)
    path.write_bytes(data)


def gif_of(frames: list[Frame], colours: int) -> bytes:
    """Return an animation; all frames share one palette, so that what stays costs nothing."""
    palette = palette_of(np.concatenate(frames[:: max(1, len(frames) // 4)]), colours)
    first, *others = (
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    )
    data = io.BytesIO()
    lengths = [450] * len(others) + [2500]
    first.save(data, "GIF", save_all=True, append_images=others, duration=lengths, loop=0)
    return data.getvalue()


if __name__ == "__main__":
    main()
