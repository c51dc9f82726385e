"""A client for chat endpoints of the OpenAI format.

The key is read from an environment variable when a request is sent. It is kept nowhere, is sent to
the one address that was named, never along a redirection and to this machine never by way of a
proxy, and is taken out of what a server says.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from bcannot_core.errors import BcannotError, UsageError

KEY_VARIABLE = "BCANNOT_VLM_KEY"
_LONGEST_WAIT_S = 60.0
_SAID = 200
_TOO_MANY = 429
# What an answer of another form raises where its text and its counts are looked for.
_NO_COMPLETION = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class VlmError(BcannotError):
    """An endpoint refused, or gave no usable answer in time."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked, and how patiently.

    Attributes
    ----------
    model : str
        Its name at the endpoint.
    url : str
        The address up to and without ``/chat/completions``.
    key_variable : str
        Environment variable with the key; without it, requests carry none.
    timeout_s : float
        For each request.
    retries : int
        How often a request is repeated that failed for a while (429, 5xx, no connection).
    backoff_s : float
        Waited before the first repetition, twice as long before each following one; more where
        the server asks for it.
    most_tokens : int
        Of a reply.

    Raises
    ------
    UsageError
        The address is no http(s) address, or has a name, password or question in it.
    """

    model: str
    url: str
    key_variable: str = KEY_VARIABLE
    timeout_s: float = 60.0
    retries: int = 5
    backoff_s: float = 1.0
    most_tokens: int = 512

    def __post_init__(self) -> None:
        """Refuse addresses that would carry secrets into results, or that cannot be."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"endpoint {_bare(self.url)!r}: give an address with http:// or https://"
            )
        if parts.username is not None or parts.query or parts.fragment:
            raise UsageError(
                f"endpoint {_bare(self.url)!r}: leave name, password and ?… out of the address; "
                f"a key goes into the environment variable {self.key_variable}"
            )

    @property
    def trusted(self) -> bool:
        """Whether a key may be sent: over https, or to this machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" or parts.hostname in _LOOPBACK


@dataclass
class Usage:
    """What was asked.

    Attributes
    ----------
    requests, retries : int
        Requests that were answered, and repetitions.
    prompt_tokens, reply_tokens : int
        As the endpoint counts them.
    """

    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0


class ChatClient:
    """Asks a model.

    Parameters
    ----------
    endpoint : Endpoint
        Where.
    sleep : callable
        Waits so many seconds.
    """

    def __init__(self, endpoint: Endpoint, sleep: Callable[[float], object] = time.sleep) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirects, *_proxies(endpoint))

    def complete(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Return the model's reply.

        Raises
        ------
        VlmError
            The endpoint refuses, or does not answer however often it is asked.
        UsageError
            A key would go over an open line, or is none.
        """
        asked = self.endpoint
        body = {
            "model": asked.model,
            "messages": list(messages),
            "max_tokens": asked.most_tokens,
            "temperature": 0,
        }
        wait = asked.backoff_s
        for attempt in range(asked.retries + 1):
            try:
                answer = self._post(json.dumps(body).encode())
            except _Busy as busy:
                if attempt == asked.retries:
                    raise VlmError(
                        f"{asked.url} does not answer after {attempt + 1} requests: {busy}"
                    ) from None
                self.usage.retries += 1
                self._sleep(min(max(wait, busy.wait_s), _LONGEST_WAIT_S))
                wait *= 2
            else:
                return self._text(answer)
        raise VlmError(f"{asked.url} was not asked: {asked.retries} repetitions are allowed")

    def _post(self, body: bytes) -> bytes:
        """Send a request once."""
        headers = {"Content-Type": "application/json", **self._authorization()}
        request = urllib.request.Request(
            f"{self.endpoint.url.rstrip('/')}/chat/completions", body, headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self.endpoint.timeout_s) as reply:
                content: bytes = reply.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                said = self._clean(error.read(4 * _SAID).decode(errors="replace"))
            if error.code == _TOO_MANY or error.code >= 500:
                raise _Busy(f"HTTP {error.code} {said}", _seconds(error.headers)) from None
            raise VlmError(f"{self.endpoint.url} refuses: HTTP {error.code} {said}") from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise _Busy(self._clean(f"{type(error).__name__}: {reason}")) from None

    def _authorization(self) -> dict[str, str]:
        key = os.environ.get(self.endpoint.key_variable, "").strip()
        if not key:
            return {}
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"the key in {self.endpoint.key_variable} has a line break or characters beyond "
                "ASCII in it, such as quotation marks: set it anew"
            )
        if not self.endpoint.trusted:
            raise UsageError(
                f"{self.endpoint.url}: the key in {self.endpoint.key_variable} would go over an "
                "open line; use https, or unset it"
            )
        return {"Authorization": f"Bearer {key}"}

    def _text(self, answer: bytes) -> str:
        """Return the text of an answer."""
        try:
            content = json.loads(answer)
            text = content["choices"][0]["message"]["content"]
            used = content.get("usage") or {}
            self.usage.prompt_tokens += int(used.get("prompt_tokens") or 0)
            self.usage.reply_tokens += int(used.get("completion_tokens") or 0)
        except _NO_COMPLETION:
            said = self._clean(answer[:_SAID].decode(errors="replace"))
            raise VlmError(f"{self.endpoint.url} gives no chat completion: {said!r}") from None
        self.usage.requests += 1
        return text if isinstance(text, str) else ""

    def _clean(self, text: str) -> str:
        """Return the beginning of what was said, without the key."""
        key = os.environ.get(self.endpoint.key_variable, "").strip()
        said = " ".join(text.split())
        return (said.replace(key, "…") if key else said)[:_SAID]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for the address that was named."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def _proxies(endpoint: Endpoint) -> list[urllib.request.BaseHandler]:
    """Return what keeps requests to this machine from proxies: they would see the key."""
    this_machine = urlsplit(endpoint.url).hostname in _LOOPBACK
    return [urllib.request.ProxyHandler({})] if this_machine else []


class _Busy(Exception):
    """A request that is worth repeating."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def _seconds(headers: Any) -> float:
    """Return what a server asks to wait, 0 where it says nothing that can be read."""
    try:
        return max(0.0, float(headers.get("Retry-After", 0)))
    except (TypeError, ValueError):
        return 0.0


def _bare(url: str) -> str:
    """Return an address without what may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
