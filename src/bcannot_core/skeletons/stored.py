"""Where the bytes of precomputed skeletons lie: files of a folder, objects of a bucket, shards."""

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorstore as ts

from bcannot_core.errors import UsageError, VolumeFormatError, VolumeNotFoundError
from bcannot_core.skeletons.reading import MAX_BYTES
from bcannot_core.volumes.formats.stores import context, is_remote, kvstore, wait

SHARDED = "neuroglancer_uint64_sharded_v1"
_FILE = re.compile(r"(\d{1,20})(\.gz)?")
_AT_ONCE = 64


def list_ids(place: str, sharding: Any, timeout_s: float) -> list[int]:
    """Return the segments that have a skeleton, in order.

    Raises
    ------
    UsageError
        The place is on a server, which does not tell.
    VolumeFormatError
        The folder cannot be read.
    """
    if is_remote(place):
        raise UsageError(f"{place} does not list its skeletons: say which (--ids 1,2,3)")
    if sharding is None:
        try:
            found = {_FILE.fullmatch(file.name) for file in Path(place).iterdir()}
        except OSError as error:
            raise VolumeFormatError(f"{place} cannot be read: {error.strerror}") from error
        return sorted({int(name[1]) for name in found if name})
    store = _open(place, sharding, timeout_s)
    keys = wait(store.list(), timeout_s, place)
    return sorted(struct.unpack(">Q", key)[0] for key in keys if len(key) == 8)


def read_all(
    place: str, ids: Sequence[int], sharding: Any, timeout_s: float
) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes of each segment's skeleton, several fetched at once.

    Raises
    ------
    VolumeNotFoundError
        A segment has no skeleton.
    VolumeFormatError, VolumeUnreachableError
        It cannot be read.
    """
    store = _open(place, sharding, timeout_s)
    for some in _batches(ids):
        futures = [store.read(_key(number, sharding)) for number in some]
        for number, future in zip(some, futures, strict=True):
            where = f"skeleton {number} of {place}"
            result = _result(future, timeout_s, where)
            if result is None and sharding is None and not is_remote(place):
                result = _result(store.read(f"{number}.gz"), timeout_s, where)
            if result is None:
                raise VolumeNotFoundError(f"there is no {where}")
            yield number, result


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE))


def _result(future: Any, timeout_s: float, where: str) -> bytes | None:
    try:
        result = wait(future, timeout_s, where)
    except VolumeNotFoundError:
        return None
    if result.state != "value":
        return None
    if len(result.value) > MAX_BYTES:
        raise VolumeFormatError(f"{where} has more than {MAX_BYTES} bytes")
    return bytes(result.value)


def _key(number: int, sharding: Any) -> str | bytes:
    return str(number) if sharding is None else struct.pack(">Q", number)


def _open(place: str, sharding: Any, timeout_s: float) -> Any:
    spec = kvstore(place)
    if sharding is not None:
        spec = {
            "driver": "neuroglancer_uint64_sharded",
            "base": spec,
            "metadata": checked_sharding(sharding, place),
        }
    try:
        future = ts.KvStore.open(spec, context=context())
    except (ValueError, TypeError) as error:
        raise VolumeFormatError(f"{place} has sharding that cannot be read: {error}") from error
    return wait(future, timeout_s, place)


def checked_sharding(sharding: Any, place: str) -> dict[str, Any]:
    """Return the known members of a sharding specification.

    Raises
    ------
    VolumeFormatError
        It is of another kind, or its numbers are absurd.
    """
    sharding = sharding if isinstance(sharding, dict) else {}
    limits = {"preshift_bits": 63, "minishard_bits": 24, "shard_bits": 60}
    numbers = {name: sharding.get(name) for name in limits}
    fits = all(
        isinstance(value, int) and 0 <= value <= limits[name] for name, value in numbers.items()
    )
    if sharding.get("@type") != SHARDED or not fits:
        raise VolumeFormatError(f"the info of {place} has sharding that is not usable: {numbers}")
    words = ("hash", "minishard_index_encoding", "data_encoding")
    chosen = {name: sharding[name] for name in words if isinstance(sharding.get(name), str)}
    return {"@type": SHARDED, **numbers, **chosen}
