"""A picture of traces: a strip of sections for each, with its nodes and the true cross-section."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bcannot_core.tasks.neurites import NeuritePath
from bcannot_core.volumes import Volume

CROP_PX = 96
ZOOM = 2
GAP_PX = 4
TITLE_PX = 16
BACKGROUND = (24, 24, 30)
TEXT = (225, 225, 225)
OUTLINE = (90, 200, 255)
ON_TARGET = (255, 210, 0)
OFF_TARGET = (255, 60, 60)


@dataclass(frozen=True)
class Strip:
    """One trace to show.

    Attributes
    ----------
    title : str
        Stands above the sections.
    nodes_zyx : (n, 3) float
        The nodes in voxel coordinates.
    path : NeuritePath, optional
        The ground truth; its outline is drawn, and nodes outside it are red.
    labels : Volume, optional
        Where the ground truth was followed; the neurite's other branches are outlined, too, and
        nodes in them are on target, as in scores.
    """

    title: str
    nodes_zyx: NDArray[np.floating]
    path: NeuritePath | None = None
    labels: Volume | None = None


def montage(volume: Volume, strips: Sequence[Strip], columns: int = 10) -> NDArray[np.uint8]:
    """Draw strips of sections, evenly spaced along each trace.

    Parameters
    ----------
    volume : Volume
        What was traced.
    strips : sequence of Strip
        One row of the picture each.
    columns : int
        Most sections shown of a trace.

    Returns
    -------
    ndarray of uint8
        (height, width, 3).
    """
    tile = CROP_PX * ZOOM
    row = tile + TITLE_PX + GAP_PX
    size = (columns * (tile + GAP_PX) + GAP_PX, max(1, len(strips)) * row + GAP_PX)
    picture = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for line, strip in enumerate(strips):
        top = GAP_PX + line * row
        pen.text((GAP_PX, top), strip.title, fill=TEXT)
        count = min(columns, len(strip.nodes_zyx))
        shown = np.linspace(0, len(strip.nodes_zyx) - 1, count).round().astype(int)
        for column, index in enumerate(shown):
            section = _section(volume, strip, int(index))
            picture.paste(section, (GAP_PX + column * (tile + GAP_PX), top + TITLE_PX))
    return np.asarray(picture)


def _section(volume: Volume, strip: Strip, index: int) -> Image.Image:
    """Draw the surroundings of one node."""
    z, y, x = (float(value) for value in strip.nodes_zyx[index])
    section = round(z)
    y0, x0 = round(y) - CROP_PX // 2, round(x) - CROP_PX // 2
    grey = np.zeros((CROP_PX, CROP_PX), dtype=np.uint8)
    top, left = max(0, -y0), max(0, -x0)
    inside = volume.section_grey(section, y0, y0 + CROP_PX, x0, x0 + CROP_PX)
    grey[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    tile = np.repeat(np.repeat(grey, ZOOM, 0), ZOOM, 1)[..., None].repeat(3, 2)
    mask = _neurite(strip, section, y0, x0)
    tile[_outline(mask)] = OUTLINE
    picture = Image.fromarray(tile)
    pen = ImageDraw.Draw(picture)
    centre_x, centre_y = (x - x0 + 0.5) * ZOOM, (y - y0 + 0.5) * ZOOM
    right = strip.path is None or mask[round(y) - y0, round(x) - x0]
    ring = (centre_x - 6, centre_y - 6, centre_x + 6, centre_y + 6)
    pen.ellipse(ring, outline=ON_TARGET if right else OFF_TARGET, width=2)
    pen.text((3, 1), f"z {section}", fill=TEXT)
    return picture


def _neurite(strip: Strip, section: int, y0: int, x0: int) -> NDArray[np.bool_]:
    """Return which pixels of the crop at (y0, x0) are the true neurite's."""
    mask = np.zeros((CROP_PX, CROP_PX), dtype=bool)
    if strip.path is None:
        return mask
    place = strip.path.index(section)
    if place is not None:
        truth = strip.path.sections[place]
        rows, columns = np.nonzero(truth.mask)
        rows, columns = rows + truth.origin_yx[0] - y0, columns + truth.origin_yx[1] - x0
        seen = (rows >= 0) & (rows < CROP_PX) & (columns >= 0) & (columns < CROP_PX)
        mask[rows[seen], columns[seen]] = True
    if strip.labels is not None:
        window = (section, section + 1, y0, y0 + CROP_PX, x0, x0 + CROP_PX)
        ids = strip.labels.read(*window)[0]
        top, left = max(0, -y0), max(0, -x0)
        mask[top : top + ids.shape[0], left : left + ids.shape[1]] |= ids == strip.path.label
    return mask


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the border of a mask, enlarged."""
    large = np.pad(np.repeat(np.repeat(mask, ZOOM, 0), ZOOM, 1), 1)
    core = large[1:-1, 1:-1]
    above, below = large[:-2, 1:-1], large[2:, 1:-1]
    border: NDArray[np.bool_] = core & ~(above & below & large[1:-1, :-2] & large[1:-1, 2:])
    return border
