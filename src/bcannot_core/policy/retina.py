"""The retina: frames and clicks in, the arrays that the network sees out. numpy only.

The canvas of a frame shows one *view*. The retina recognises views by their pixels: a frame that
shows the same view as before (up to markers, or moved by a whole number of pixels after a click
that re-centred it, or back to where it was before) brings no new glance; any other frame is an
*arrival*. Views are kept in register: ``offset_xy`` carries canvas pixels into coordinates that a
re-centring does not change.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.config import LARGEST_LAG, PolicyConfig

OUTSIDE_GREY = 24
"""What the canvas shows outside the volume, in the channel that the retina reads."""

SETTLE_LOOKS = 3
"""How often the first view is looked at, each time knowing what was believed of it before."""

_REMEMBERED = LARGEST_LAG + 1
_LOOKS = 8
_DIFFERENT = 4
_SHARE = 0.03

Grey = NDArray[np.uint8]
Point = tuple[int, int]


@dataclass
class Glimpse:
    """What the glance network made of a view, in register coordinates.

    Attributes
    ----------
    origin_xy : tuple of int
        Register coordinates of the top left pixel.
    belief : float32 (size, size)
        Probability that a pixel belongs to the object in question.
    heat : float32 (size, size)
        Log probability of the next click, given that it falls into the glance.
    present : float
        Probability that the object is in this view at all.
    sure : float
        Probability that a click where the heat is highest is on the object.
    """

    origin_xy: Point
    belief: NDArray[np.float32]
    heat: NDArray[np.float32]
    present: float
    sure: float

    def at(self, values: NDArray[np.float32], point: Point, default: float) -> float:
        """Return a map's value at a point in register coordinates."""
        x, y = point[0] - self.origin_xy[0], point[1] - self.origin_xy[1]
        size = values.shape[0]
        return float(values[y, x]) if 0 <= x < size and 0 <= y < size else default

    def peak(self) -> Point:
        """Return the most probable click in register coordinates."""
        y, x = divmod(int(self.heat.argmax()), self.heat.shape[1])
        return x + self.origin_xy[0], y + self.origin_xy[1]


@dataclass(eq=False)
class View:
    """A view as it was first seen, its glimpse, and the last click on it.

    ``former`` keeps what it looked like, and the offset then, before it was moved.
    """

    grey: Grey
    offset_xy: Point
    glimpse: Glimpse | None = None
    click: Point | None = None
    former: list[tuple[Grey, Point]] = field(default_factory=list)


@dataclass
class Retina:
    """Keeps the recent views of a session in register.

    Parameters
    ----------
    config : PolicyConfig
        Screen and glance of the policy.
    """

    config: PolicyConfig
    views: list[View] = field(default_factory=list)
    offset_xy: Point = (0, 0)
    last_click: Point | None = None
    _pending: Point | None = None

    def check(self, frame: NDArray[np.uint8]) -> None:
        """Raise CheckpointError unless the frame has the size that the policy was made for."""
        width, height = self.config.frame_wh
        if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
            raise CheckpointError(
                f"the policy was made for uint8 frames of {(height, width, 3)}, "
                f"not {frame.dtype} {frame.shape}: choose a policy for this screen"
            )

    def see(self, frame: NDArray[np.uint8]) -> bool:
        """Take in a frame; return whether it shows another view than the last one."""
        self.check(frame)
        x, y, width, height = self.config.canvas_xywh
        grey = frame[y : y + height, x : x + width, 1]
        clicked, self._pending = self._pending, None
        if self.views and self._stays(grey, clicked):
            return False
        for i, view in enumerate(self.views):
            if self._shows(view, grey, [view.offset_xy, self.offset_xy]):
                self.views.insert(0, self.views.pop(i))
                return True
        self.views.insert(0, View(grey.copy(), self.offset_xy))
        del self.views[_REMEMBERED:]
        return True

    def _stays(self, grey: Grey, clicked: Point | None) -> bool:
        """Whether the frame shows the last view, perhaps re-centred; follow it if so."""
        _, _, width, height = self.config.canvas_xywh
        centred = [] if clicked is None else [_minus(clicked, (width // 2, height // 2))]
        return self._shows(self.views[0], grey, [self.offset_xy, *centred])

    def _shows(self, view: View, grey: Grey, offsets: list[Point]) -> bool:
        """Whether the frame shows a view at one of the offsets; take that offset if so.

        An undo leads back to what the view looked like before, however it was moved since.
        """
        looks = [(view.grey, view.offset_xy, offset) for offset in dict.fromkeys(offsets)]
        looks += [(before, offset, offset) for before, offset in view.former]
        for before, offset_then, offset in looks:
            if _same(grey, before, _minus(offset_then, offset)):
                self.offset_xy = offset
                if offset != view.offset_xy:
                    view.former = [(view.grey, view.offset_xy), *view.former[: _LOOKS - 1]]
                    view.grey, view.offset_xy = grey.copy(), offset
                return True
        return False

    def click(self, frame_xy: Point) -> None:
        """Take in a click; only clicks on the canvas are remembered."""
        x, y, width, height = self.config.canvas_xywh
        cx, cy = frame_xy[0] - x, frame_xy[1] - y
        if 0 <= cx < width and 0 <= cy < height and self.views:
            point = (cx + self.offset_xy[0], cy + self.offset_xy[1])
            self._pending = self.last_click = self.views[0].click = point

    # Coordinates ------------------------------------------------------------------------------

    def to_canvas(self, point: Point) -> Point:
        """Return where a point of the register lies on the present canvas."""
        return point[0] - self.offset_xy[0], point[1] - self.offset_xy[1]

    def to_frame(self, point: Point) -> Point:
        """Return where a point of the register lies in the present frame."""
        cx, cy = self.to_canvas(point)
        return cx + self.config.canvas_xywh[0], cy + self.config.canvas_xywh[1]

    def to_register(self, frame_xy: Point) -> Point:
        """Return the register coordinates of a pixel of the present frame."""
        x, y, _, _ = self.config.canvas_xywh
        return frame_xy[0] - x + self.offset_xy[0], frame_xy[1] - y + self.offset_xy[1]

    def focus(self) -> Point:
        """Return the centre of the next glance: the last click, else the canvas centre."""
        _, _, width, height = self.config.canvas_xywh
        if self.last_click is not None:
            cx, cy = self.to_canvas(self.last_click)
            if 0 <= cx < width and 0 <= cy < height:
                return self.last_click
        return self.offset_xy[0] + width // 2, self.offset_xy[1] + height // 2

    # What the network sees --------------------------------------------------------------------

    def glance(self) -> tuple[NDArray[np.float32], Point]:
        """Return the glance at the present view, earlier views in register, and its origin."""
        return glance_inputs(self.views, self.focus(), self.config)

    def disputed(self) -> bool:
        """Whether the click on the view before this one fell outside what was believed."""
        return len(self.views) > 1 and _disputed(self.views[1])

    def disputed_here(self) -> bool:
        """Whether the click on this view fell outside what was believed of it."""
        return bool(self.views) and _disputed(self.views[0])

    def patch(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the full-colour patch of a frame around the focus."""
        size = self.config.patch
        width, height = self.config.frame_wh
        fx, fy = self.to_frame(self.focus())
        x0 = min(max(fx - size // 2, 0), width - size)
        y0 = min(max(fy - size // 2, 0), height - size)
        return frame[y0 : y0 + size, x0 : x0 + size]

    def summary(self, *, arrived: bool) -> NDArray[np.float32]:
        """Return plain figures about the present glimpse and the last click."""
        view = self.views[0]
        glimpse = view.glimpse
        if glimpse is None:
            return np.zeros(SUMMARY, dtype=np.float32)
        peak, best = glimpse.peak(), float(glimpse.heat.max())
        point = view.click if view.click is not None else peak
        distance = float(np.hypot(point[0] - peak[0], point[1] - peak[1]))
        return np.array(
            [
                arrived,
                view.click is not None,
                glimpse.at(glimpse.belief, point, 0.0),
                max(glimpse.at(glimpse.heat, point, -20.0) - best, -20.0) / 10,
                min(distance, 64.0) / 16,
                glimpse.at(glimpse.belief, peak, 0.0),
                float(glimpse.belief.mean()) * 10,
                _logit(glimpse.present) / 4,
                _logit(glimpse.sure) / 4,
                len(self.views) == 1,
                float(glimpse.belief.max()),
            ],
            dtype=np.float32,
        )


SUMMARY = 11


def glance_inputs(
    views: list[View], focus: Point, config: PolicyConfig
) -> tuple[NDArray[np.float32], Point]:
    """Return what the glance network sees of the first view, with the others as its past."""
    size, count = config.glance.size, config.glance.views
    origin = (focus[0] - size // 2, focus[1] - size // 2)
    inputs = np.zeros((config.glance.inputs, size, size), dtype=np.float32)
    for i, lag in enumerate((0, *config.glance.lags)):
        if lag >= len(views):
            continue
        view = views[lag]
        crop(view.grey, _minus(origin, view.offset_xy), inputs[i], OUTSIDE_GREY)
        normalise(inputs[i])
        if lag and view.glimpse is not None:
            place = _minus(origin, view.glimpse.origin_xy)
            crop(view.glimpse.belief, place, inputs[count + i], 0)
    return inputs, origin


def normalise(grey: NDArray[np.float32]) -> None:
    """Bring grey values 0…255 to about -2…2, in place."""
    grey -= 128
    grey /= 64


def crop(source: NDArray[Any], corner_xy: Point, out: NDArray[Any], fill: float) -> None:
    """Copy the window of ``source`` at a corner into ``out``, filling what lies outside."""
    rows, columns = out.shape
    x0, y0 = corner_xy
    ya, yb = max(y0, 0), min(y0 + rows, source.shape[0])
    xa, xb = max(x0, 0), min(x0 + columns, source.shape[1])
    if (yb - ya, xb - xa) != (rows, columns):
        out[:] = fill
    if yb > ya and xb > xa:
        out[ya - y0 : yb - y0, xa - x0 : xb - x0] = source[ya:yb, xa:xb]


def coarse_frame(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return the frame averaged over ``factor`` × ``factor`` pixels; odd edges are left out."""
    height, width = (n // factor * factor for n in frame.shape[:2])
    rows = np.zeros((height // factor, width, 3), dtype=np.uint16)
    for i in range(factor):
        rows += frame[i:height:factor, :width]
    total = np.zeros((height // factor, width // factor, 3), dtype=np.uint16)
    for i in range(factor):
        total += rows[:, i::factor]
    return (total // (factor * factor)).astype(np.uint8)


def _logit(probability: float) -> float:
    """Return log odds, at most 8 either way: what is nearly certain still differs."""
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.clip(np.log(bounded / (1 - bounded)), -8, 8))


def _disputed(view: View) -> bool:
    glimpse = view.glimpse
    return (
        glimpse is not None
        and view.click is not None
        and glimpse.at(glimpse.belief, view.click, 0.0) < 0.3
    )


def _minus(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1]


def _same(now: Grey, before: Grey, move: Point) -> bool:
    """Whether two canvases show the same view, the second moved by a number of pixels."""
    height, width = now.shape
    dx, dy = move
    if abs(dx) >= width - 16 or abs(dy) >= height - 16:
        return False
    a = now[max(dy, 0) : height + min(dy, 0) : 2, max(dx, 0) : width + min(dx, 0) : 2]
    b = before[max(-dy, 0) : height - max(dy, 0) : 2, max(-dx, 0) : width - max(dx, 0) : 2]
    if _different(a[::8, ::8], b[::8, ::8]) > a.size // 256:  # a quarter of those looked at
        return False
    tissue = np.count_nonzero((a != OUTSIDE_GREY) | (b != OUTSIDE_GREY))
    if move != (0, 0) and tissue < a.size // 8:
        return False
    return bool(_different(a, b) <= _SHARE * tissue)


def _different(a: Grey, b: Grey) -> int:
    """Return how many pixels differ, by more than drawing may change them."""
    return int(np.count_nonzero((np.maximum(a, b) - np.minimum(a, b)) > _DIFFERENT))
