"""What all filmed animals share: coats, gaits in three dimensions, and how they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcannot_core.tasks.worlds.camera import Camera
from bcannot_core.tasks.worlds.compositing import Picture
from bcannot_core.tasks.worlds.habitats import smooth_noise
from bcannot_core.tasks.worlds.ribbons import Ribbons, paint

Floats = NDArray[np.float32]
Shadow = tuple[int, int, float]


@dataclass(frozen=True, eq=False)
class Layer:
    """Ribbons drawn together; a layer may shine through.

    Attributes
    ----------
    groups : tuple of Ribbons
        Later ones lie over earlier ones.
    shadow : tuple of (int, int, float), optional
        Where its shadow falls and how dark it is.
    """

    groups: tuple[Ribbons, ...]
    shadow: Shadow | None = None


@dataclass(frozen=True, eq=False)
class Filmed:
    """A film of animals.

    Attributes
    ----------
    camera : Camera
        What films them.
    habitat : str
        Where.
    layers : tuple of Layer
        How they are drawn.
    """

    camera: Camera
    habitat: str
    layers: tuple[Layer, ...]
    _pictures: dict[int, Picture] = field(default_factory=dict, repr=False, kw_only=True)

    def picture(self, frame: int) -> Picture:
        """Return a frame, uint8 (256, 256, 3), read-only, drawn when first asked for."""
        picture = self._pictures.get(frame)
        if picture is None:
            scene = self.camera.background(frame)
            draw(scene, self.layers, frame, shadows=self.habitat != "sky")
            picture = self._pictures[frame] = self.camera.develop(frame, scene)
        return picture


def draw(picture: Picture, layers: Sequence[Layer], frame: int, shadows: bool = True) -> None:
    """Draw an animal onto a picture, with its shadow where there is ground."""
    for layer in layers:
        paint(picture, layer.groups, frame, layer.shadow if shadows else None)


def coat(
    rng: np.random.Generator, base: NDArray[np.floating], along: int, wide: int, mottle: float
) -> Floats:
    """Return a coat of one colour with irregular brightness, float32 (along, wide, 3)."""
    coarse = smooth_noise(rng, (along, wide), (max(4, along // 24), max(3, wide // 14)))
    fine = smooth_noise(rng, (along, wide), (max(4, along // 7), max(4, wide // 6)))
    level = 1 + np.float32(mottle) * (coarse + np.float32(0.6) * fine)
    rgb = np.empty((along, wide, 3), dtype=np.float32)
    for channel, bright in enumerate(np.asarray(base, dtype=np.float32)):
        np.multiply(level, bright, out=rgb[..., channel])
    return rgb


def stain(rgb: Floats, share: NDArray[np.floating], colour: NDArray[np.floating]) -> Floats:
    """Lay a colour over a coat, ``share`` 0 to 1 broadcast to (along, wide)."""
    cover = np.minimum(np.maximum(share, 0), 1).astype(np.float32)
    stained = np.empty_like(rgb)
    for channel, ink_ in enumerate(np.asarray(colour, dtype=np.float32)):
        below = rgb[..., channel]
        stained[..., channel] = below + (ink_ - below) * cover
    return stained


def ink(rng: np.random.Generator, colour: Sequence[float], spread: float = 10.0) -> Floats:
    """Return a colour varied in brightness and a little in hue."""
    varied = np.array(colour) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    return np.clip(varied, 4, 250).astype(np.float32)


def heading_walk(
    rng: np.random.Generator, frames: int, start: float, turn: float
) -> NDArray[np.float64]:
    """Return headings that drift smoothly, radians."""
    steps = np.convolve(rng.normal(0, turn, frames + 4), np.full(5, 0.2), "valid")
    return np.asarray(start + np.cumsum(steps) + rng.normal(0, turn / 2) * np.arange(frames))


def posed(
    points: NDArray[np.floating],
    heading: NDArray[np.floating],
    centre_xy: NDArray[np.floating],
    tilt: float = 0.0,
) -> NDArray[np.float64]:
    """Project points of an animal's own frame onto the picture.

    Parameters
    ----------
    points : float (frames, ..., 3)
        Forward, left, up, in pixels.
    heading : float (frames,)
        Direction of forward in the picture, radians from x towards y.
    centre_xy : float (frames, 2)
        Where the origin is.
    tilt : float
        How far the camera leans from the vertical, radians.

    Returns
    -------
    float (frames, ..., 2)
        (x, y) in pixels.
    """
    shape = (-1,) + (1,) * (points.ndim - 2)
    c, s = np.cos(heading).reshape(shape), np.sin(heading).reshape(shape)
    x = points[..., 0] * c + points[..., 1] * s
    y = points[..., 0] * s - points[..., 1] * c
    y = y * np.cos(tilt) - points[..., 2] * np.sin(tilt)
    centre = np.asarray(centre_xy).reshape(-1, *shape[1:], 2)
    return np.asarray(np.stack([x, y], axis=-1) + centre, dtype=np.float64)


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return vectors of length 1 along the last axis."""
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return np.asarray(vectors / np.maximum(lengths, 1e-6), dtype=np.float64)


def strides(phase: NDArray[np.floating], duty: float) -> NDArray[np.float64]:
    """Return where a foot is in its stride, 0.5 foremost to -0.5 rearmost.

    It stands and goes back for the share ``duty`` of a cycle, and swings forward in the rest.
    """
    p = phase % 1.0
    swing = np.clip((p - duty) / (1 - duty), 0, 1)
    swung = swing * swing * (3 - 2 * swing) - 0.5
    return np.asarray(np.where(p < duty, 0.5 - p / duty, swung), dtype=np.float64)


def leg_joints(
    hips: NDArray[np.floating],
    feet: NDArray[np.floating],
    outward: NDArray[np.floating],
    length: NDArray[np.floating],
    at: Sequence[float] = (0.42, 0.76),
) -> NDArray[np.float64]:
    """Return hip, joints and foot of legs that bend outwards the more the nearer the foot is.

    Parameters
    ----------
    hips, feet : float (..., 2)
        Ends of the legs.
    outward : float (..., 2)
        Where a leg bends to.
    length : float (...)
        Length of the stretched leg.
    at : sequence of float
        Where its joints are, as shares of the way.

    Returns
    -------
    float (..., 2 + joints, 2)
    """
    line = feet - hips
    far = np.sqrt((line**2).sum(axis=-1))
    normal = np.stack([line[..., 1], -line[..., 0]], axis=-1) / np.maximum(far, 1e-6)[..., None]
    normal *= np.where((normal * outward).sum(axis=-1) < 0, -1.0, 1.0)[..., None]
    bulge = 0.5 * np.sqrt(np.maximum(length**2 - far**2, (0.2 * length) ** 2))
    points = [hips]
    for share in at:
        height = (bulge * 2.2 * share * (1 - share))[..., None]
        points.append(hips + line * share + normal * height)
    points.append(feet)
    return np.asarray(np.stack(points, axis=-2), dtype=np.float64)
