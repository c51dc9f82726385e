"""What to generate: recipes of synthetic tissue, its look and its damage."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bcannot_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_VOXELS = 1 << 27
MAX_WORK_VOXELS = 1 << 26
WORK_NM = 20.0
PAD = 14


@dataclass(frozen=True)
class Look:
    """Grey values (0 to 255) and lengths in nm of a rendered section."""

    cytoplasm: float = 158.0
    cytoplasm_spread: float = 20.0
    membrane: float = 80.0
    membrane_nm: float = 14.0
    mitochondrion: float = 84.0
    texture: float = 11.0
    dots: float = 30.0
    drift: float = 5.0
    noise: float = 5.5
    blur_px: float = 0.8
    negative: float = 0.0
    """1 where dark and bright change places, as in fluorescence; the other values are before."""


@dataclass(frozen=True)
class Damage:
    """How often, per section, something went wrong while cutting or imaging (0 to 1 each)."""

    missing: float = 0.0
    fold: float = 0.0
    scratch: float = 0.0
    dirt: float = 0.0
    defocus: float = 0.0
    contrast: float = 0.0
    jitter_px: float = 0.0
    """Standard deviation of the shift of a section, in pixels; labels shift with the picture."""


@dataclass(frozen=True)
class EmRecipe:
    """A recipe for `generate`. Lengths in nm, axes (z, y, x).

    Parameters
    ----------
    shape_zyx, voxel_nm_zyx
        Size of the volume in voxels, and of a voxel in nm; any anisotropy.
    density
        Number of neurites, relative to insect neuropil.
    calibre_nm, calibre_spread
        Median radius of the neurites, and the standard deviation of its logarithm.
    branches
        Mean number of side branches of a neurite per micrometre.
    tortuosity
        How strongly neurites bend, 0 (straight) to 1.
    irregularity
        How far cross-sections are from ellipses, 0 to 1.
    sheets
        Share of flat, sheet-like processes.
    alignment
        How strongly neurites follow the z axis, 0 (not at all) to 1.
    mitochondria, synapses
        How many, relative to insect neuropil.
    myelin
        Share of the thick neurites that have a myelin sheath.
    """

    name: str = "default"
    shape_zyx: tuple[int, int, int] = (128, 256, 256)
    voxel_nm_zyx: tuple[float, float, float] = (10.0, 10.0, 10.0)
    density: float = 1.0
    calibre_nm: float = 76.0
    calibre_spread: float = 0.84
    branches: float = 0.25
    tortuosity: float = 0.35
    irregularity: float = 0.62
    sheets: float = 0.14
    alignment: float = 0.0
    mitochondria: float = 1.0
    synapses: float = 1.0
    myelin: float = 0.0
    look: Look = field(default_factory=Look)
    damage: Damage = field(default_factory=Damage)

    def __post_init__(self) -> None:
        """Refuse values that cannot be generated."""
        self._check_shape()
        for name, low, high in LIMITS:
            _check_range(f"{self.name}: {name}", getattr(self, name), low, high)
        for rate in dataclasses.fields(Damage):
            top = 20.0 if rate.name == "jitter_px" else 1.0
            _check_range(
                f"{self.name}: damage {rate.name}", getattr(self.damage, rate.name), 0.0, top
            )
        for shade in dataclasses.fields(Look):
            _check_range(
                f"{self.name}: look {shade.name}", getattr(self.look, shade.name), 0.0, 255.0
            )

    def _check_shape(self) -> None:
        if len(self.shape_zyx) != 3 or any(n < 1 for n in self.shape_zyx):
            raise UsageError(
                f"shape {self.shape_zyx}: give three whole numbers z,y,x of at least 1"
            )
        if len(self.voxel_nm_zyx) != 3:
            raise UsageError(f"voxel_nm {self.voxel_nm_zyx}: give three numbers z,y,x")
        for size, most in zip(self.voxel_nm_zyx, (500.0, 100.0, 100.0), strict=True):
            _check_range(f"{self.name}: voxel_nm", size, 1.0, most)
        if math.prod(self.shape_zyx) > MAX_VOXELS or math.prod(self.work_shape()) > MAX_WORK_VOXELS:
            raise UsageError(
                f"shape {self.shape_zyx} at {self.voxel_nm_zyx} nm is too large to generate "
                f"in one piece; ask for at most {MAX_VOXELS} voxels "
                f"and {MAX_WORK_VOXELS} of {WORK_NM:g} nm"
            )

    def with_numbers(self, numbers: Mapping[str, float]) -> EmRecipe:
        """Change settings that are one number, by name."""
        return dataclasses.replace(self, **numbers)  # type: ignore[arg-type]

    @property
    def work_nm(self) -> float:
        """Edge in nm of the cubic voxels in which the tissue is grown."""
        return max(WORK_NM, min(self.voxel_nm_zyx[1:]))

    def work_shape(self) -> tuple[int, int, int]:
        """Shape of the grid in which the tissue is grown, margins included."""
        z, y, x = (
            int(n * size / self.work_nm) + 2 * PAD + 3
            for n, size in zip(self.shape_zyx, self.voxel_nm_zyx, strict=True)
        )
        return z, y, x


# Name, lowest and highest value of the settings that are one number.
LIMITS: tuple[tuple[str, float, float], ...] = (
    ("density", 0.05, 4.0),
    ("calibre_nm", 20.0, 1000.0),
    ("calibre_spread", 0.0, 1.5),
    ("branches", 0.0, 2.0),
    ("tortuosity", 0.0, 1.0),
    ("irregularity", 0.0, 1.0),
    ("sheets", 0.0, 1.0),
    ("alignment", 0.0, 1.0),
    ("mitochondria", 0.0, 4.0),
    ("synapses", 0.0, 4.0),
    ("myelin", 0.0, 1.0),
)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # refuses NaN too
        raise UsageError(f"{name} is {value}; it must lie between {low:g} and {high:g}")


_SECTIONS_DAMAGE = Damage(
    missing=0.015, fold=0.02, scratch=0.05, dirt=0.06, defocus=0.05, contrast=0.25, jitter_px=1.0
)

RECIPES: dict[str, EmRecipe] = {
    recipe.name: recipe
    for recipe in (
        EmRecipe(damage=Damage(contrast=0.02, jitter_px=0.15)),
        EmRecipe(
            name="sections30",
            shape_zyx=(64, 256, 256),
            voxel_nm_zyx=(30.0, 10.0, 10.0),
            damage=_SECTIONS_DAMAGE,
        ),
        EmRecipe(
            name="bright",
            shape_zyx=(64, 256, 256),
            voxel_nm_zyx=(30.0, 8.0, 8.0),
            density=0.7,
            calibre_nm=90.0,
            calibre_spread=0.65,
            irregularity=0.35,
            alignment=0.4,
            myelin=0.2,
            mitochondria=0.7,
            look=Look(
                cytoplasm=205.0,
                cytoplasm_spread=8.0,
                membrane=55.0,
                membrane_nm=11.0,
                mitochondrion=135.0,
                texture=6.0,
                dots=26.0,
                noise=9.0,
                blur_px=0.5,
            ),
            damage=_SECTIONS_DAMAGE,
        ),
        # Stained for protein, expanded and seen by fluorescence: membranes are bright.
        EmRecipe(
            name="expanded",
            shape_zyx=(96, 256, 256),
            voxel_nm_zyx=(16.0, 10.0, 10.0),
            density=1.2,
            calibre_nm=66.0,
            look=Look(
                cytoplasm=168.0,
                cytoplasm_spread=16.0,
                membrane=75.0,
                membrane_nm=17.0,
                mitochondrion=105.0,
                texture=12.0,
                dots=22.0,
                noise=9.0,
                blur_px=1.1,
                negative=1.0,
            ),
            damage=Damage(contrast=0.1, jitter_px=0.6),
        ),
    )
}


def get_recipe(name: str) -> EmRecipe:
    """Find the recipe of this name.

    Raises
    ------
    UsageError
        There is none.
    """
    if name not in RECIPES:
        raise UsageError(f"no synthetic EM recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
