"""Make the bundled sample volume, ``src/bcannot_core/data/sample_em.npz``.

Run ``python sample_data/make_sample_em.py`` from the repository's root. It takes some seconds and
writes the same arrays on every machine.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bcannot_core.volumes.synthetic_em import Damage, EmRecipe, generate, get_recipe

SEED = 5
MAX_BYTES = 3 * 2**20
TARGET = Path(__file__).parents[1] / "src" / "bcannot_core" / "data" / "sample_em.npz"


def sample_recipe() -> EmRecipe:
    """Choose serial sections of 30 nm with small shifts and changes of contrast, none missing."""
    return dataclasses.replace(
        get_recipe("sections30"),
        shape_zyx=(56, 240, 240),
        damage=Damage(contrast=0.1, jitter_px=0.5),
    )


def main() -> None:
    """Generate the sample and write it."""
    volume = generate(sample_recipe(), SEED)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        TARGET,
        em=volume.em,
        seg=volume.seg.astype(np.uint16),
        voxel_nm=np.array(volume.voxel_nm, np.float64),
    )
    size = TARGET.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(
            f"{TARGET} has {size} bytes, more than {MAX_BYTES}: choose a smaller shape"
        )
    print(f"{TARGET}: {size} bytes, {int(volume.seg.max())} neurites")


if __name__ == "__main__":
    main()
