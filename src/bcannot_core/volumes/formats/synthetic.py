"""``synthetic://RECIPE?seed=1&shape=…``: generated EM and its labels, cached."""

import hashlib
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import platformdirs
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.volumes.atomic import write_atomic
from bcannot_core.volumes.formats.common import Opened, single
from bcannot_core.volumes.formats.npz import READ_ERRORS
from bcannot_core.volumes.lazy import ArraySource
from bcannot_core.volumes.synthetic_em import EmRecipe, generate, recipe_from_query

DISK_BUDGET_BYTES = 2 * 2**30
MEMORY_BUDGET_BYTES = 512 * 2**20

_Pair = tuple[NDArray[np.uint8], NDArray[np.uint32]]
_memory: OrderedDict[str, _Pair] = OrderedDict()
_lock = threading.Lock()


def cache_dir() -> Path:
    """Return the folder of generated volumes; it can be deleted at any time."""
    return Path(platformdirs.user_cache_dir("bcannot")) / "synthetic"


def open_synthetic(location: str, labels: bool) -> Opened:
    """Open generated EM, or its labels, by recipe, seed and settings.

    Parameters
    ----------
    location : str
        ``RECIPE?seed=1&shape=64,256,256&voxel_nm=30,10,10``; seed 0 by default.
    labels : bool
        Whether the labels are wanted.

    Raises
    ------
    UsageError
        Unknown recipe, unknown setting, or a value out of range.
    """
    recipe, seed = _parse(location)
    em, seg = _volumes(recipe, seed)
    array: NDArray[Any] = seg if labels else em
    return single(ArraySource(array), "seg" if labels else "em", recipe.voxel_nm_zyx)


def prepare_synthetic(location: str) -> None:
    """Generate EM that is not cached on the disk yet, so that other processes find it there.

    Parameters
    ----------
    location : str
        As for :func:`open_synthetic`.

    Raises
    ------
    UsageError
        Unknown recipe, unknown setting, or a value out of range.
    """
    recipe, seed = _parse(location)
    if not _cache_file(recipe, seed).exists():
        _volumes(recipe, seed)


def _parse(location: str) -> tuple[EmRecipe, int]:
    name, _, query = location.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise UsageError(f"synthetic://{location}: write settings as ?name=value&…") from error
    settings = dict(pairs)
    if len(settings) != len(pairs):
        raise UsageError(f"synthetic://{location} sets something twice: leave one out")
    text = settings.get("seed", "0")
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"seed {text} of synthetic://{location}: give a whole number from 0")
    return recipe_from_query(name, settings), int(text)


@cache
def _generator_digest() -> bytes:
    """Return a hash of the generator's source: other code may make other volumes."""
    package = files("bcannot_core.volumes")
    sources = [package / "synthetic_em.py"]
    folder = package / "synthetic"
    sources += sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".py")), key=lambda e: e.name
    )
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        digest.update(source.read_bytes())
    return digest.digest()


def _cache_file(recipe: EmRecipe, seed: int) -> Path:
    text = repr((recipe, seed)).encode() + _generator_digest()
    return cache_dir() / f"{hashlib.blake2b(text, digest_size=16).hexdigest()}.npz"


def _volumes(recipe: EmRecipe, seed: int) -> _Pair:
    """Return em and seg from memory, from the disk, or generated."""
    path = _cache_file(recipe, seed)
    name = path.stem
    with _lock:  # one at a time: two threads that want the same volume generate it once
        found = _memory.get(name)
        if found is None:
            found = _load(path, recipe.shape_zyx)
            if found is None:
                made = generate(recipe, seed)
                found = (made.em, made.seg)
                _save(path, found)
            _memory[name] = found
        _memory.move_to_end(name)
        while len(_memory) > 1 and sum(_bytes(p) for p in _memory.values()) > MEMORY_BUDGET_BYTES:
            _memory.popitem(last=False)
    return found


def _bytes(pair: _Pair) -> int:
    return pair[0].nbytes + pair[1].nbytes


def _load(path: Path, shape: tuple[int, int, int]) -> _Pair | None:
    """Return a cached pair; None where there is none or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            em, seg = archive["em"], archive["seg"]
    except (*READ_ERRORS, KeyError):
        return None
    if em.shape != shape or seg.shape != shape or em.dtype != np.uint8 or seg.dtype != np.uint32:
        return None
    with suppress(OSError):  # what is in use is not the oldest
        os.utime(path)
    return em, seg


def _save(path: Path, pair: _Pair) -> None:
    """Cache a pair and drop the oldest ones; a full or read-only disk is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, lambda file: np.savez_compressed(file, em=pair[0], seg=pair[1]))
        entries = sorted(path.parent.glob("*.npz"), key=lambda p: p.stat().st_mtime, reverse=True)
        used = 0
        for entry in entries:
            used += entry.stat().st_size
            if used > DISK_BUDGET_BYTES and entry != path:
                entry.unlink(missing_ok=True)
    except OSError:
        return
