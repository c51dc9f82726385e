"""Shows in a viewer what stood at each moment of a recorded session. No Qt here."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from napari.layers import Layer, Points, Vectors
from napari.utils.colormaps.standardize_color import transform_color

from napari_bcannot.compat import camera
from napari_bcannot.neurites import COLOURS
from napari_bcannot.nodes import rows_to_edges
from napari_bcannot.recorded_place import scale_of, triple_of, units_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bcannot_core.sittings import Drawn, Moment, Picture, Timeline

_MOVING: WeakSet[Layer] = WeakSet()
"""Layers of replays, not copies of them: the section of a viewer that has one is the replay's."""
NODE_PX, CURRENT = 9.0, "#ffd200"
SAYS = {
    "place": "placed a node",
    "remove": "removed a node",
    "undo": "took an edit back",
    "pan": "moved the view",
    "next_section": "went to the next section",
    "previous_section": "went to the section before",
    "done": "pressed Done",
    "none": "clicked without effect",
    "neurite": "begun",
    "changed": "renamed, recoloured or marked",
    "removed": "deleted",
    "restored": "brought back",
}


def is_replaying(viewer: Any) -> bool:
    """Whether a replay moves a viewer just now: then its sections are no clicks of a person."""
    return any(layer in _MOVING for layer in viewer.layers)


@dataclass(frozen=True)
class _Frame:
    """Where the nodes of a session lie in the world."""

    scale: tuple[float, float, float]
    translate: tuple[float, float, float]
    units: tuple[str, ...]


class SessionReplay:
    """A replay's layers in a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Gets two layers.
    timeline : Timeline
        The session.
    name : str
        Of the session; the layers are named after it.
    """

    def __init__(self, viewer: Any, timeline: "Timeline", name: str) -> None:
        self.timeline = timeline
        self.shown = -1
        self._viewer = viewer
        last = timeline.at(len(timeline)).neurites or _any_neurite(timeline)
        self._frame = _frame_of(last[0] if last else None)
        place = {
            "scale": self._frame.scale,
            "translate": self._frame.translate,
            "units": self._frame.units,
            "axis_labels": ("z", "y", "x"),
        }
        size = NODE_PX
        self.edges = Vectors(
            np.zeros((0, 2, 3)), ndim=3, name=f"replay of {name} path", edge_width=size / 6,
            vector_style="line", opacity=0.8, **place,
        )  # fmt: skip
        self.points = Points(
            np.zeros((0, 3)), ndim=3, name=f"replay of {name}", size=size, symbol="disc",
            face_color="transparent", border_width=0.12, projection_mode="none", **place,
        )  # fmt: skip
        for layer in (self.edges, self.points):
            viewer.add_layer(layer)
            _MOVING.add(layer)

    @property
    def there(self) -> bool:
        """Whether the layers are in the viewer."""
        return self.points in self._viewer.layers and self.edges in self._viewer.layers

    def show(self, count: int) -> "Picture":
        """Show what stood after the first ``count`` moments; return it."""
        picture = self.timeline.at(count)
        self.shown = count
        if self.there:
            self._draw(picture)
            at = picture.acted_on
            if at is not None:
                self._look_at(at.at_zyx)
        return picture

    def close(self) -> None:
        """Take the layers away."""
        for layer in (self.points, self.edges):
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _draw(self, picture: "Picture") -> None:
        rows = [one.nodes_zyx for one in picture.neurites]
        nodes = np.concatenate([np.zeros((0, 3)), *rows])
        edges = [rows_to_edges(each) for each in rows]
        vectors = np.concatenate([np.zeros((0, 2, 3)), *edges])
        colours = [_rgba(one.facts.colour) for one in picture.neurites]
        self.points.selected_data = set()
        self.points.data = nodes
        if not np.array_equal(vectors, self.edges.data):
            self.edges.data = vectors
        if len(nodes):
            self.points.border_color = self._node_colours(picture, nodes, colours)
        if len(vectors):
            self.edges.edge_color = np.repeat(colours, [len(each) for each in edges], axis=0)

    def _node_colours(
        self, picture: "Picture", nodes: "NDArray[np.float64]", colours: "list[NDArray[np.float32]]"
    ) -> "NDArray[np.float32]":
        """Return the nodes' colours; that of the section at hand stands out."""
        counts = [len(one.nodes_zyx) for one in picture.neurites]
        made = np.repeat(colours, counts, axis=0)
        acted = picture.acted_on
        if acted is not None:
            theirs = np.repeat([one.number == acted.number for one in picture.neurites], counts)
            made[theirs & (nodes[:, 0] == acted.at_zyx[0])] = _rgba(CURRENT)
        return made

    def _look_at(self, at_zyx: tuple[float, float, float]) -> None:
        dims = self._viewer.dims
        axis = int(dims.ndim) - 3
        frame = zip(at_zyx, self._frame.scale, self._frame.translate, strict=True)
        world = [at * scale + translate for at, scale, translate in frame]
        dims.set_point(axis, world[0])
        at = (*dims.point[:axis], *world)
        if dims.ndisplay == 2 and not self._sees(at):
            camera(self._viewer).center = (0.0, *(at[shown] for shown in dims.displayed))

    def _sees(self, world: tuple[float, ...]) -> bool:
        """Whether a point lies in the part of a volume that is in view."""
        shown = list(self._viewer.dims.displayed)
        for layer in self._viewer.layers:
            if type(layer).__name__ == "Image" and layer.visible and layer.ndim == len(world):
                corners = np.asarray(layer.corner_pixels, dtype=float)
                if layer.multiscale:
                    corners = corners * layer.downsample_factors[layer.data_level]
                at = np.asarray(layer.world_to_data(world))[shown]
                if (at >= corners[0][shown]).all() and (at <= corners[1][shown]).all():
                    return True
        return False


def say(picture: "Picture", begun_ms: int) -> str:
    """Return a line on what happened at a moment."""
    moment = picture.moment
    if moment is None:
        return "Before the first click."
    drawn = picture.acted_on
    whose = drawn.facts.name if drawn is not None else f"neurite {moment.neurite}"
    section = "" if drawn is None else f" · z = {drawn.at_zyx[0]:.0f}"
    return f"{clock(moment.at_ms - begun_ms)} · {_what(moment, whose)}{section}"


def clock(ms: int) -> str:
    """Return a length of time as people read it: 1:05, or 2:03:09 from an hour on."""
    seconds = max(0, ms) // 1000
    hours, rest = divmod(seconds, 3600)
    minutes = f"{rest // 60:02d}" if hours else f"{rest // 60}"
    return f"{f'{hours}:' if hours else ''}{minutes}:{rest % 60:02d}"


def _what(moment: "Moment", whose: str) -> str:
    said = SAYS.get(moment.action or moment.kind, moment.action or moment.kind)
    who = {"person": "You", "policy": "The policy", "annotator": "The annotator"}
    return (
        f"{who.get(moment.actor, moment.actor)} {said} · {whose}"
        if moment.actor
        else (f"{whose} {said}")
    )


def _any_neurite(timeline: "Timeline") -> "tuple[Drawn, ...]":
    """Return the neurites of the latest moment that has any: all may have been deleted since."""
    found = (timeline.at(count).neurites for count in range(len(timeline), 0, -1))
    return next((neurites for neurites in found if neurites), ())


def _frame_of(drawn: "Drawn | None") -> _Frame:
    """Return where nodes lie, as recorded."""
    place = {} if drawn is None else drawn.facts.place
    return _Frame(
        scale_of(place.get("scale")) or (1.0, 1.0, 1.0),
        triple_of(place.get("translate")) or (0.0, 0.0, 0.0),
        units_of(place.get("units")) or ("pixel",) * 3,
    )


@lru_cache(maxsize=256)
def _rgba(colour: str) -> "NDArray[np.float32]":
    """Return a neurite's colour as napari takes it; the first one's where it makes no sense."""
    try:
        return np.asarray(transform_color(colour)[0], dtype=np.float32)
    except (ValueError, KeyError, AttributeError, IndexError):
        return np.asarray(transform_color(COLOURS[0])[0], dtype=np.float32)
