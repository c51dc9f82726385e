"""Small files of a web server, read up to a size: what tensorstore begins to read it never stops.

A server may answer without end, as a camera's or a radio's does.
"""

import http.client
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.parse import quote

_PART = 2**16
_ODD = (OSError, ValueError, http.client.HTTPException)


def read_small_files(
    base_url: str, names: Iterable[str], timeout_s: float, most: int
) -> dict[str, bytes | None]:
    """Read files of a folder, all at once.

    Parameters
    ----------
    base_url : str
        The folder's URL, which ends in a slash; a query stays behind the names.
    names : iterable of str
        File names in it.
    timeout_s : float
        Longest wait for each.
    most : int
        Of what is longer, little more than so many bytes are read.

    Returns
    -------
    dict
        Contents by name, None for what is not there. What could not be read for another reason is
        left out.

    Raises
    ------
    TimeoutError
        A file did not come to its end in time.
    """
    folder, mark, query = base_url.partition("?")
    urls = {name: f"{quote(folder, safe=':/%@[]')}{quote(name)}{mark}{query}" for name in names}
    found = {}
    with ThreadPoolExecutor(len(urls) or 1) as pool:
        coming = {n: pool.submit(_read, url, timeout_s, most) for n, url in urls.items()}
    for name, content in coming.items():
        try:
            found[name] = content.result()
        except TimeoutError:
            raise
        except _ODD as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise TimeoutError from error
    return found


def _read(url: str, timeout_s: float, most: int) -> bytes | None:
    end = time.monotonic() + timeout_s
    request = urllib.request.Request(url, headers={"User-Agent": "bcannot"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise ValueError("is packed, which was not asked for")
            content = bytearray()
            while len(content) <= most and (part := answer.read1(_PART)):
                content += part
                if time.monotonic() > end:
                    raise TimeoutError
            return bytes(content)
    except HTTPError as error:
        with error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
        raise
