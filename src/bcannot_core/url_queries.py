"""What follows the ``?`` of a URL: a key to the server, sent with each request, kept in no file.

Addresses, messages and everything that is recorded are without it. It is kept in this process's
environment, so that the processes it starts reach the same servers.
"""

import json
import os
import re

VARIABLE = "BCANNOT_URL_QUERIES"
"""The environment variable: a JSON object of URLs, and the query of what lies at and below each."""

_WITH_QUERY = re.compile(
    r"(?P<prefix>(?:precomputed://|zarr://)?)(?P<url>https?://[^?#]*)"
    r"\?(?P<query>[^#]*)(?P<rest>#.*)?"
)
_SHOWN = re.compile(r"(https?://[^\s?#'\"]+)\?[^\s#'\"\]]+")


def without_query(address: str) -> str:
    """Return an address without its query, which is remembered for what lies there."""
    found = _WITH_QUERY.fullmatch(address)
    if found is None:
        return address
    query, mark, key = found["query"].partition("::")
    if query:
        place = found["url"].partition("::")[0].rstrip("/")
        os.environ[VARIABLE] = json.dumps({**_known(), place: query})
    return f"{found['prefix']}{found['url']}{mark}{key}{found['rest'] or ''}"


def query_of(url: str) -> str:
    """Return ``?`` and the query that was given for a URL or a folder above it; empty for none."""
    known = _known()
    above = [place for place in known if f"{url}/".startswith(f"{place}/")]
    return f"?{known[max(above, key=len)]}" if above else ""


def masked(text: str) -> str:
    """Return a text in which URLs are without their queries."""
    return _SHOWN.sub(r"\1?…", text)


def _known() -> dict[str, str]:
    try:
        known = json.loads(os.environ.get(VARIABLE, "{}"))
    except ValueError:
        return {}
    pairs = known.items() if isinstance(known, dict) else ()
    return {place.rstrip("/"): query for place, query in pairs if isinstance(query, str)}
