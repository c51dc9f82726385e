"""Sections: tissue sampled at any voxel size, cut with a thickness, and shown as grey values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bcannot_core.volumes.synthetic.noise import Floats, blur
from bcannot_core.volumes.synthetic.recipe import PAD, EmRecipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bcannot_core.volumes.synthetic.organelles import Contents
    from bcannot_core.volumes.synthetic.tissue import Labels, Tissue

_FINE_NM = 12.0


@dataclass(frozen=True)
class Sampling:
    """Where the pixels of a plane lie in the work grid: lower corners and fractions by axis."""

    z0: int
    fz: np.float32
    y0: NDArray[np.intp]
    fy: Floats
    x0: NDArray[np.intp]
    fx: Floats

    @classmethod
    def plane(cls, recipe: EmRecipe, z_nm: float, shift_yx: tuple[float, float]) -> Sampling:
        """Lay the plane at a depth of ``z_nm``, shifted in its plane by ``shift_yx`` pixels."""
        z = z_nm / recipe.work_nm + PAD
        axes = []
        for axis in (1, 2):
            at = np.arange(recipe.shape_zyx[axis]) + shift_yx[axis - 1]
            at = at * (recipe.voxel_nm_zyx[axis] / recipe.work_nm) + PAD
            at = np.clip(at, 0.0, recipe.work_shape()[axis] - 1.001)
            base = np.floor(at).astype(np.intp)
            axes.append((base, (at - base).astype(np.float32)))
        z = min(max(z, 0.0), recipe.work_shape()[0] - 1.001)
        (y0, fy), (x0, fx) = axes
        return cls(int(z), np.float32(z - int(z)), y0, fy, x0, fx)

    def values(self, field: Floats) -> Floats:
        """Interpolate a field linearly."""
        one = np.float32(1.0)
        a = field[self.z0] * (one - self.fz) + field[self.z0 + 1] * self.fz
        fy = self.fy[:, None]
        a = a[self.y0] * (one - fy) + a[self.y0 + 1] * fy
        out: Floats = a[:, self.x0] * (one - self.fx) + a[:, self.x0 + 1] * self.fx
        return out

    def labels(self, tissue: Tissue) -> Labels:
        """Let the corners of each cell vote, weighted by nearness and by their margin."""
        corners, weights = [], []
        for dz, wz in ((0, np.float32(1.0) - self.fz), (1, self.fz)):
            for dy, wy in ((0, np.float32(1.0) - self.fy), (1, self.fy)):
                for dx, wx in ((0, np.float32(1.0) - self.fx), (1, self.fx)):
                    rows = self.y0 + dy
                    columns = self.x0 + dx
                    corners.append(np.take(tissue.labels[self.z0 + dz][rows], columns, axis=1))
                    weights.append((self.z0 + dz, rows, columns, wz, wy, wx))
        out = corners[0].copy()
        mixed = np.zeros(out.shape, bool)
        for corner in corners[1:]:
            mixed |= corner != out
        r, c = np.nonzero(mixed)
        votes = np.stack([corner[r, c] for corner in corners])
        ballots = np.stack(
            [
                tissue.margin[z][rows[r], columns[c]] * (wy[r] * wx[c]) * wz
                for z, rows, columns, wz, wy, wx in weights
            ]
        )
        best = np.full(len(r), -1.0, np.float32)
        winner = votes[0].copy()
        for own in votes:
            total = np.zeros(len(r), np.float32)
            for other, weight in zip(votes, ballots, strict=True):
                total += weight * (other == own)
            better = total > best
            np.copyto(best, total, where=better)
            np.copyto(winner, own, where=better)
        out[r, c] = winner
        return out


@dataclass(frozen=True)
class Microscope:
    """Cuts and images sections of one piece of tissue."""

    recipe: EmRecipe
    tissue: Tissue
    contents: Contents

    @property
    def slices(self) -> int:
        """Number of thin planes averaged into one section: odd, labels come from the middle."""
        return int(np.ceil(self.recipe.voxel_nm_zyx[0] / _FINE_NM)) | 1

    def section(self, index: int, shift_yx: tuple[float, float]) -> tuple[Floats, Labels]:
        """Grey values (float, before any noise) and labels of section ``index``."""
        size = self.recipe.voxel_nm_zyx[0]
        n = self.slices
        grey: Floats | None = None
        middle: Labels | None = None
        before = Sampling.plane(self.recipe, (index - (n + 1) / (2 * n)) * size, shift_yx).labels(
            self.tissue
        )
        for k in range(n):
            z_nm = (index + (k + 0.5) / n - 0.5) * size
            sampling = Sampling.plane(self.recipe, z_nm, shift_yx)
            labels = sampling.labels(self.tissue)
            part = self._plane(sampling, labels, before)
            grey = part if grey is None else grey + part
            if k == n // 2:
                middle = labels
            before = labels
        assert grey is not None
        assert middle is not None
        grey = grey / np.float32(n)
        return (np.float32(255.0) - grey if self.recipe.look.negative else grey), middle

    def _plane(self, sampling: Sampling, labels: Labels, before: Labels) -> Floats:
        look, inside = self.recipe.look, self.contents
        grey = inside.shade[labels] + sampling.values(inside.drift)
        grain = sampling.values(inside.grain)
        grey += grain * inside.grain_amount[labels]
        grey -= sampling.values(inside.dots) * inside.dot_amount[labels]
        mito = sampling.values(inside.mito_nm)
        share = np.clip(np.float32(0.5) - mito / np.float32(24.0), np.float32(0.0), np.float32(1.0))
        body = np.float32(look.mitochondrion) + grain * np.float32(0.5 * look.texture)
        grey += (body - grey) * share
        rim = np.maximum(np.float32(1.0) - np.abs(mito) / np.float32(16.0), np.float32(0.0))
        grey += (np.float32(look.membrane) - grey) * (rim * np.float32(0.5))
        grey = self._sheath(grey, labels, sampling)
        edge = self._membrane(labels, before)
        edge = np.maximum(edge, sampling.values(inside.dense))
        grey += (np.float32(look.membrane) - grey) * edge
        return grey

    def _membrane(self, labels: Labels, before: Labels) -> Floats:
        """How much of a pixel is membrane, 0 to 1: blurred faces between labels."""
        line = np.zeros(labels.shape, np.float32)
        half = np.float32(0.5)
        differ = (labels[1:] != labels[:-1]) * half
        line[1:] += differ
        line[:-1] += differ
        differ = (labels[:, 1:] != labels[:, :-1]) * half
        line[:, 1:] += differ
        line[:, :-1] += differ
        line += (labels != before) * np.float32(0.5)
        np.minimum(line, np.float32(1.0), out=line)
        pixel = min(self.recipe.voxel_nm_zyx[1:])
        sigma = self.recipe.look.membrane_nm / pixel
        line = blur(line, sigma)
        gain = np.float32(max(1.0, 1.9 * sigma))
        np.minimum(line * gain, np.float32(1.0), out=line)
        return line

    def _sheath(self, grey: Floats, labels: Labels, sampling: Sampling) -> Floats:
        """Myelin: dark lamellae below the surface of some neurites."""
        thickness = self.contents.sheath_nm[labels]
        if not thickness.any():
            return grey
        depth = sampling.values(self.tissue.depth_nm)
        within = np.clip((thickness - depth) / np.float32(10.0), np.float32(0.0), np.float32(1.0))
        turn = depth / np.float32(24.0)
        band = np.abs(turn - np.floor(turn) - np.float32(0.5))
        dark = np.float32(self.recipe.look.membrane * 0.7) + band * np.float32(60.0)
        grey += (dark - grey) * within
        return grey
