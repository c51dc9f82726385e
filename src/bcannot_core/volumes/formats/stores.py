"""Key-value stores (folders, http, Google and Amazon buckets) through tensorstore.

Public buckets are read without an account: ``gs://`` through Google's public https address, ``s3://``
with anonymous credentials.
"""

import concurrent.futures
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from bcannot_core.errors import (
    VolumeError,
    VolumeFormatError,
    VolumeNotFoundError,
    VolumeUnreachableError,
)
from bcannot_core.url_queries import masked, query_of
from bcannot_core.volumes.base import Box, Shape, check_array
from bcannot_core.volumes.formats.common import check_chunk, one_line
from bcannot_core.volumes.formats.small_files import read_small_files

CACHE_BYTES = 48 * 2**20
MAX_METADATA_BYTES = 16 * 2**20
# All that tensorstore and its codecs raise for damaged data and odd servers; the last of them
# stands for an answer of HTTP 501.
_STORE_ERRORS = (ValueError, OSError, TypeError, OverflowError, MemoryError, NotImplementedError)
_RETRIES = {"max_retries": 2, "initial_delay": "100ms", "max_delay": "500ms"}
# What a network says, as opposed to what the data say.
_UNREACHABLE = re.compile(
    r"ABORTED|UNAVAILABLE|DEADLINE_EXCEEDED|PERMISSION_DENIED|UNAUTHENTICATED|CANCELLED|"
    r"Failed to connect|Could(?:n't| not) resolve|CURL error|"
    r"HTTP response code: (?:401|403|407|429|5\d\d)"
)
_DETAILS = re.compile(r" \[(?:tensorstore_spec|http_response_body|curl_code)=.*", re.DOTALL)
_REFUSED = re.compile(r"PERMISSION_DENIED|UNAUTHENTICATED|response code: 40[13]")


@cache
def context() -> ts.Context:
    """Return the one tensorstore context: a small cache, and retries that end within seconds."""
    return ts.Context(
        {
            "cache_pool": {"total_bytes_limit": CACHE_BYTES},
            "http_request_retries": _RETRIES,
            "s3_request_retries": _RETRIES,
        }
    )


def is_remote(location: str) -> bool:
    """Whether a location is a URL and not a path."""
    return "://" in location


def kvstore(location: str) -> dict[str, Any]:
    """Return the tensorstore specification of the folder at a path or URL.

    Raises
    ------
    VolumeFormatError
        The scheme is none of http, https, gs and s3.
    """
    scheme, mark, rest = location.partition("://")
    rest = rest.rstrip("/")
    if not mark:
        return {"driver": "file", "path": f"{Path(location).expanduser().absolute()}/"}
    if scheme in ("http", "https"):
        return {"driver": "http", "base_url": f"{scheme}://{rest}/{query_of(f'{scheme}://{rest}')}"}
    bucket, _, path = rest.partition("/")
    if scheme == "gs":
        url = f"https://storage.googleapis.com/{bucket}/{quote(path)}".rstrip("/")
        return {"driver": "http", "base_url": f"{url}/"}
    if scheme == "s3":
        return {
            "driver": "s3",
            "bucket": bucket,
            "path": f"{path}/" if path else "",
            "aws_credentials": {"type": "anonymous"},
        }
    raise VolumeFormatError(
        f"{location} has the unknown scheme {scheme}: use http, https, gs or s3"
    )


def translate(error: Exception, where: str) -> VolumeError:
    """Return the error of our tree for one of tensorstore."""
    full = masked(str(error))
    text = one_line(_DETAILS.sub("", full))
    if isinstance(error, TimeoutError | concurrent.futures.TimeoutError):
        return VolumeUnreachableError(f"{where} did not answer in time: try again later")
    if _REFUSED.search(full):
        return VolumeUnreachableError(f"{where} is not public or does not exist: {text}")
    if _UNREACHABLE.search(full):
        return VolumeUnreachableError(f"{where} cannot be reached, try again later: {text}")
    if "NOT_FOUND" in full:
        return VolumeNotFoundError(f"there is no volume at {where}: {text}")
    return VolumeFormatError(f"{where} cannot be read: {text}")


def wait(future: Any, timeout_s: float, where: str) -> Any:
    """Return the result of a tensorstore future, or raise an error of our tree."""
    try:
        return future.result(timeout=timeout_s)
    except _STORE_ERRORS as error:
        future.cancel()
        raise translate(error, where) from error


def read_metadata(location: str, names: Iterable[str], timeout_s: float) -> dict[str, Any]:
    """Read small JSON files of a folder, all at once.

    Parameters
    ----------
    location : str
        Path or URL of the folder.
    names : iterable of str
        File names in it.
    timeout_s : float
        Longest wait for an answer.

    Returns
    -------
    dict
        The parsed content of those that exist.

    Raises
    ------
    VolumeUnreachableError
        The server does not answer, or refuses all of them.
    VolumeFormatError
        A file is not JSON.
    """
    names = tuple(names)
    _check_sizes(location, names)
    spec = kvstore(location)
    contents: dict[str, bytes | None] = {}
    if spec["driver"] == "http":
        try:
            contents = read_small_files(spec["base_url"], names, timeout_s, MAX_METADATA_BYTES)
        except TimeoutError as error:
            raise translate(error, location) from error
    left = [name for name in names if name not in contents]
    if left:
        contents |= _read_store(spec, left, timeout_s, location)
    return {
        name: _parse(content, f"{location.rstrip('/')}/{name}")
        for name, content in contents.items()
        if content is not None
    }


def _read_store(
    spec: dict[str, Any], names: Iterable[str], timeout_s: float, location: str
) -> dict[str, bytes]:
    """Return the files of a store that exist."""
    try:
        store = ts.KvStore.open(spec, context=context()).result(timeout=timeout_s)
        futures = {name: store.read(name) for name in names}
    except _STORE_ERRORS as error:
        raise translate(error, location) from error
    found: dict[str, bytes] = {}
    refused: VolumeError | None = None
    for name, future in futures.items():
        try:
            result = future.result(timeout=timeout_s)
        except _STORE_ERRORS as error:
            if "NOT_FOUND" in str(error) or "Is a directory" in str(error):
                continue
            if not _REFUSED.search(str(error)):
                for other in futures.values():
                    other.cancel()
                raise translate(error, location) from error
            refused = translate(error, location)  # some buckets refuse what does not exist
            continue
        if result.state == "value":
            found[name] = result.value
    if refused is not None and not found:
        raise refused
    return found


def _check_sizes(location: str, names: Iterable[str]) -> None:
    """Refuse large files before they are read; what a server sends is known only afterwards."""
    if is_remote(location):
        return
    for path in (Path(location).expanduser() / name for name in names):
        if path.is_file():
            _check_size(path.stat().st_size, str(path))


def _check_size(size: int, where: str) -> None:
    if size > MAX_METADATA_BYTES:
        raise VolumeFormatError(f"{where} has {size} bytes: too large for metadata")


def _parse(content: bytes, where: str) -> Any:
    _check_size(len(content), where)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise VolumeFormatError(f"{where} is not valid JSON: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise VolumeFormatError(f"{where} is not a JSON object")
    return value


class StoreSource:
    """A tensorstore array with axes (z, y, x) from zero."""

    def __init__(self, store: Any, where: str, *, remote: bool, timeout_s: float) -> None:
        self.dtype: np.dtype[Any] = np.dtype(store.dtype.numpy_dtype)
        self.shape: Shape = check_array(tuple(store.shape), self.dtype, where)
        chunk = store.chunk_layout.read_chunk.shape or self.shape
        # tensorstore ends the process where a chunk cannot be allocated
        check_chunk([n or 1 for n in chunk], self.dtype.itemsize, where)
        sizes = [min(c or n, n) for c, n in zip(chunk, self.shape, strict=True)]
        self.chunks: Shape | None = (sizes[0], sizes[1], sizes[2])
        self.concurrent: bool = remote
        self._store, self._where, self._timeout_s = store, where, timeout_s

    def read(self, box: Box) -> NDArray[Any]:
        """Return the raw voxels of a box that lies inside the volume."""
        part = self._store[box[0] : box[1], box[2] : box[3], box[4] : box[5]]
        try:
            future = part.read(order="C")
        except _STORE_ERRORS as error:
            raise translate(error, self._where) from error
        return np.asarray(wait(future, self._timeout_s, self._where))


def open_stores(specs: list[dict[str, Any]], wheres: list[str], timeout_s: float) -> list[Any]:
    """Open tensorstore arrays for reading, all at once; metadata are checked at opening only.

    Raises
    ------
    VolumeError
        One of them cannot be opened.
    """
    futures = []
    for spec, where in zip(specs, wheres, strict=True):
        full = {**spec, "recheck_cached_data": "open", "recheck_cached_metadata": "open"}
        try:
            futures.append(ts.open(full, read=True, open=True, context=context()))
        except _STORE_ERRORS as error:
            raise translate(error, where) from error
    return [wait(f, timeout_s, where) for f, where in zip(futures, wheres, strict=True)]
