"""Spectral plume finding: outline the plumes of one gas in a hyperspectral scene.

The scene is shown in true colour, in which gases are invisible, or in one infrared band at a time.
Every plume and every look-alike is a soft dark blob in some of the bands; what is looked for is
dark in the gas's own bands and in no other. Vertices are clicked around a plume, and a click on the
first one, or the button, closes the polygon.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import TaskError
from bcannot_core.screen import ButtonSpec, Content, Disc, Hit, Line, Variant, get_variant
from bcannot_core.session import NONE, Action, Aim
from bcannot_core.tasks.base import LayerData, make_config
from bcannot_core.tasks.edits import EditState, EditTask, edited
from bcannot_core.tasks.plume_signature import signature_picture
from bcannot_core.tasks.plume_views import plume_layers, plume_score
from bcannot_core.tasks.worlds.spectral_materials import BANDS, GASES, WAVELENGTHS_NM, signature
from bcannot_core.tasks.worlds.spectral_plume import PlumeWorld as PlumeWorld
from bcannot_core.tasks.worlds.spectral_plume import SpectralPlumeConfig as SpectralPlumeConfig
from bcannot_core.tasks.worlds.spectral_plume import make_world

CLOSE_PX = 5.0  # how near to the first vertex a click closes the polygon
APART_PX = 2.0  # no vertex is placed nearer to the one before
OPEN_COLOUR = (255, 214, 40)
CLOSED_COLOUR = (64, 255, 120)
BAND_IDS = tuple(f"band_{band + 1}" for band in range(BANDS))

Vertex = tuple[int, int]
Polygon = tuple[Vertex, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlumeState(EditState):
    """Outlines under construction.

    Attributes
    ----------
    band : int or None
        The band that is shown, None for true colour.
    seen : frozenset of int
        Bands that were looked at.
    vertices : tuple of (int, int)
        Of the open polygon, canvas pixels (x, y).
    polygons : tuple of tuple of (int, int)
        The closed ones.
    """

    band: int | None = None
    seen: frozenset[int] = frozenset()
    vertices: Polygon = ()
    polygons: tuple[Polygon, ...] = ()


class SpectralPlume(EditTask):
    """The plume finding task on one world.

    Parameters
    ----------
    world : PlumeWorld
        Scene and clouds.
    config : SpectralPlumeConfig, optional
        What the world was made with, and the interface.
    """

    id: ClassVar[str] = "spectral_plume"
    kept_by_undo = ("seen",)
    buttons: ClassVar[tuple[ButtonSpec, ...]] = (
        *(
            ButtonSpec(name, f"{wavelength} nm", f"{wavelength}", group="navigation", kind="toggle")
            for name, wavelength in zip(BAND_IDS, WAVELENGTHS_NM, strict=True)
        ),
        ButtonSpec("close", "Close", "O"),
        ButtonSpec("undo", "Undo", "↶"),
        ButtonSpec("done", "Done", "✓"),
    )
    edit_actions: ClassVar[frozenset[str]] = frozenset({"place", "close"})
    navigation_actions: ClassVar[frozenset[str]] = frozenset({"toggle"})
    hint_line: ClassVar[bool] = True
    panel_hw: ClassVar[tuple[int, int] | None] = (56, 112)

    def __init__(self, world: PlumeWorld, config: SpectralPlumeConfig | None = None) -> None:
        self.world = world
        self.config = config or world.config

    @classmethod
    def sample(cls, rng: np.random.Generator, **options: Any) -> Self:
        """Make a task on a random world; options are the fields of ``SpectralPlumeConfig``."""
        config = make_config(SpectralPlumeConfig, cls.id, options)
        return cls(make_world(rng, config), config)

    @property
    def variant(self) -> Variant:
        """The interface variant."""
        return get_variant(self.config.variant)

    @cached_property
    def signature(self) -> tuple[int, ...]:
        """The bands in which the gas is dark, the deepest one first."""
        return signature(GASES[self.world.gas])

    def initial_state(self) -> PlumeState:
        """Return the scene in true colour, without polygons."""
        return PlumeState()

    def action_for(self, hit: Hit, state: PlumeState) -> Action:
        """Return what a click means.

        ``toggle`` a band, ``place`` a vertex, ``close`` the polygon, ``undo``, ``done``.
        """
        if hit.kind == "button":
            if hit.target in BAND_IDS:
                return Action("toggle", None, hit.target)
            usable = {"close": len(state.vertices) >= 3, "undo": state.can_undo}
            return Action(hit.target) if usable.get(hit.target, True) else NONE
        if hit.canvas_xy is None:
            return NONE
        if state.vertices:
            if len(state.vertices) >= 3 and math.dist(state.vertices[0], hit.canvas_xy) <= CLOSE_PX:
                return Action("close", hit.canvas_xy)
            if math.dist(state.vertices[-1], hit.canvas_xy) < APART_PX:
                return NONE
        return Action("place", hit.canvas_xy)

    def change(self, state: PlumeState, action: Action) -> PlumeState | None:
        """Return the state after an action; None for one that the task does not know."""
        name = action.name
        if name == "toggle":
            band = BAND_IDS.index(action.target)
            shown = None if band == state.band else band
            return replace(state, band=shown, seen=state.seen | {band})
        if name == "place" and action.canvas_xy is not None:
            return edited(state, vertices=(*state.vertices, action.canvas_xy))
        if name == "close":
            return edited(state, vertices=(), polygons=(*state.polygons, state.vertices))
        return None

    def detail(self, before: PlumeState, action: Action, after: PlumeState) -> Mapping[str, Any]:
        """Name the band, the vertex or the polygon."""
        if action.name == "toggle":
            return {"band": action.target, "shown": after.band is not None}
        if action.name == "place":
            return {"vertex_xy": list(after.vertices[-1])}
        if action.name == "close":
            return {"polygon_xy": [list(vertex) for vertex in after.polygons[-1]]}
        return {}

    def retrace(self, state: PlumeState, before: PlumeState, action: Action) -> list[Aim]:
        """Return the clicks that place a vertex or close a polygon again."""
        if action.name not in self.edit_actions:
            raise TaskError(f"{self.id} cannot redo {action.name!r}")
        aims: list[Aim] = []
        if state.band != before.band:
            band = state.band if before.band is None else before.band
            aims.append(BAND_IDS[band or 0])
        return [*aims, action.canvas_xy or "close"]

    def content(self, state: PlumeState) -> Content:
        """Return the band with the polygons."""
        shapes: list[Line | Disc] = []
        for polygon in state.polygons:
            shapes += _closed(polygon)
        shapes += [Disc(x, y, 4, OPEN_COLOUR) for x, y in state.vertices[:1]]
        for a, b in pairwise(state.vertices):
            shapes += _side(a, b)
        unusable = {"close"} if len(state.vertices) < 3 else set()
        if not state.can_undo:
            unusable.add("undo")
        pressed = () if state.band is None else (BAND_IDS[state.band],)
        return Content(
            self.world.band(state.band),
            shapes=tuple(shapes),
            status=(
                f"{self.world.gas} plumes {len(state.polygons)}",
                f"Points {len(state.vertices)}",
            ),
            progress=len(state.seen) / BANDS,
            disabled=frozenset(unusable),
            pressed=frozenset(pressed),
            panel=self._signature_picture,
            caption=f"Signature of {self.world.gas}",
            hint=self._hint(state),
        )

    @cached_property
    def _signature_picture(self) -> NDArray[np.uint8]:
        return signature_picture(self.world.gas, self.panel_hw or (56, 112))

    @cached_property
    def _asked(self) -> str:
        bands = " and ".join(f"{WAVELENGTHS_NM[band]}" for band in sorted(self.signature))
        return f"{self.world.gas}: dark at {bands} nm only"

    def _hint(self, state: PlumeState) -> str:
        if len(state.vertices) >= 3:
            return "Close on the first point"
        return "Click around the plume" if state.vertices else self._asked

    def score(self, state: PlumeState) -> dict[str, Any]:
        """Return how the closed polygons agree with the real plumes.

        Returns
        -------
        dict
            ``iou_mean`` and ``iou_min`` over the plumes (0 for one without polygon), ``found``,
            ``missed`` and ``false`` with a polygon counting where its intersection over union
            with a plume is at least 0.5, ``on_confounders`` (false ones that lie on a look-alike),
            ``precision``, ``recall``, ``f1``, ``done``, and ``success``: Done was clicked, every
            plume is found, no polygon is false and none is open.
        """
        found = plume_score(self.world, state.polygons)
        right = not found["missed"] and not found["false"] and not state.vertices
        done = state.terminated
        return {**found, "done": done, "success": bool(right and done)}

    def layers(self, state: PlumeState | None = None) -> list[LayerData]:
        """Return the scene, each band apart, the hidden truth and the polygons as napari layers."""
        return plume_layers(self.world, None if state is None else state.polygons)


@lru_cache(maxsize=256)
def _side(start: Vertex, end: Vertex) -> tuple[Line, Disc]:
    """Return a side of the open polygon with the vertex at its end."""
    return Line(*start, *end, OPEN_COLOUR), Disc(*end, 2, OPEN_COLOUR)


@lru_cache(maxsize=64)
def _closed(polygon: Polygon) -> tuple[Line, ...]:
    """Return the sides of a closed polygon."""
    return tuple(Line(*a, *b, CLOSED_COLOUR) for a, b in pairwise((*polygon, polygon[0])))
