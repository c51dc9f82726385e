"""A vision-language model as a policy: screenshots in, clicks out."""

import re
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcannot_core.errors import UsageError
from bcannot_core.evaluation.actors import Click, OneByOne
from bcannot_core.evaluation.vlm.client import ChatClient, Endpoint
from bcannot_core.evaluation.vlm.parsing import parse_click
from bcannot_core.evaluation.vlm.prompt import REPEAT, conversation

Frame = NDArray[np.uint8]

HISTORY = 4
NOWHERE: Click = (0, 0)
"""Clicked where a reply names no pixel: the window's corner, which does nothing."""

_NAME = re.compile(r"vlm:(?P<model>.+?)@(?P<url>https?://\S+)")


class Proposal(NamedTuple):
    """A click that the model would make."""

    click_xy: Click
    confidence: float = 1.0


class VlmPolicy:
    """A model in one session.

    Parameters
    ----------
    client : ChatClient
        Asks it.
    task : str
        Task id; the model is told what it is about.
    history : int
        Earlier frames and clicks that it is shown.

    Attributes
    ----------
    bad_replies : int
        Replies without a click inside the frame; each is asked again once.
    given_up : int
        Clicks for which the second reply had none either; the corner is clicked then.
    """

    confidence = 1.0

    def __init__(self, client: ChatClient, task: str, history: int = HISTORY) -> None:
        self.client, self.task = client, task
        self.name = f"vlm:{client.endpoint.model}"
        self.bad_replies = self.given_up = 0
        self._seen: deque[tuple[Frame, Click]] = deque(maxlen=history)

    def reset(self) -> None:
        """Forget the session."""
        self._seen.clear()

    def act(self, frame: Frame) -> Click:
        """Ask for a click and take it as made.

        Raises
        ------
        VlmError
            The endpoint gives no answer.
        """
        click = self.propose(frame).click_xy
        self.observe(frame, click)
        return click

    def propose(self, frame: Frame) -> Proposal:
        """Ask for a click."""
        messages = conversation(self.task, self._seen, frame)
        size_wh = (frame.shape[1], frame.shape[0])
        for _ in range(2):
            reply = self.client.complete(messages)
            click = parse_click(reply, size_wh)
            if click is not None:
                return Proposal(click)
            self.bad_replies += 1
            said = {"role": "assistant", "content": reply or "…"}
            messages = [*messages, said, {"role": "user", "content": REPEAT}]
        self.given_up += 1
        return Proposal(NOWHERE, 0.0)

    def observe(self, frame: Frame, click: Click) -> None:
        """Take in a click."""
        self._seen.append((frame.copy(), (int(click[0]), int(click[1]))))


class VlmActors(OneByOne):
    """A model in several sessions, asked at the same time.

    Parameters
    ----------
    endpoint : Endpoint
        Where it is asked.
    task : str
        Task id.
    rows : int
        Sessions at once.
    """

    def __init__(self, endpoint: Endpoint, task: str, rows: int = 1) -> None:
        super().__init__([VlmPolicy(ChatClient(endpoint), task) for _ in range(rows)])
        self._pool = ThreadPoolExecutor(rows, thread_name_prefix="vlm")

    def act(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Ask for the living rows at the same time."""
        clicks = self.propose(frames, alive)
        self.observe(frames, clicks, alive)
        return clicks

    def propose(self, frames: Sequence[Frame], alive: Sequence[bool]) -> list[Click]:
        """Ask for the living rows at the same time."""
        coming = [
            self._pool.submit(policy.propose, frame) if lives else None
            for policy, frame, lives in zip(self.policies, frames, alive, strict=True)
        ]
        return [NOWHERE if one is None else one.result().click_xy for one in coming]

    def facts(self) -> dict[str, Any]:
        """Return what was asked, and how many replies were none."""
        total: dict[str, int] = {}
        for policy in self.policies:
            counted = asdict(policy.client.usage)
            counted |= {"bad_replies": policy.bad_replies, "given_up": policy.given_up}
            for name, value in counted.items():
                total[name] = total.get(name, 0) + value
        return {"vlm": total}


def endpoint_of(name: str) -> Endpoint:
    """Return the endpoint of ``vlm:MODEL@URL``.

    Raises
    ------
    UsageError
        The name is not of this form.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UsageError(
            "a model is named vlm:MODEL@URL, as vlm:qwen2.5-vl@http://localhost:8000/v1"
        )
    return Endpoint(match["model"], match["url"])
