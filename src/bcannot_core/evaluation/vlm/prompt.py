"""What a model is told: the task in words, the screen, and how to reply."""

import base64
import io
import json
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bcannot_core.tasks.registry import task_class

Frame = NDArray[np.uint8]
Click = tuple[int, int]

_RULES = """You annotate scientific images with a tool that you operate by clicking alone.
Each message shows you the tool's window as it is now: {width} pixels wide, {height} high. Choose \
the one pixel to click next: on a button, tab or list item to press it, on the picture to place \
something there. Undo takes back your last edit; press Done when everything is annotated.

The task: {task}

Reply with the click as JSON and nothing else, x to the right and y downwards from the top left:
{{"x": 123, "y": 45}}"""
REPEAT = 'That was no click inside the window. Reply with JSON alone, such as {"x": 123, "y": 45}.'


def describe(task_id: str) -> str:
    """Return a task in words, without its worlds' truth: what its module says of it."""
    words = sys.modules[task_class(task_id).__module__].__doc__ or task_id
    return " ".join(words.split())


def instructions(task_id: str, size_wh: tuple[int, int]) -> dict[str, Any]:
    """Return the first message."""
    text = _RULES.format(width=size_wh[0], height=size_wh[1], task=describe(task_id))
    return {"role": "system", "content": text}


def shown(frame: Frame) -> dict[str, Any]:
    """Return the message that shows a frame, as a PNG in a data URI."""
    return {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": data_uri(frame)}}],
    }


def clicked(click: Click) -> dict[str, Any]:
    """Return the message with an earlier click."""
    return {"role": "assistant", "content": json.dumps({"x": click[0], "y": click[1]})}


def conversation(
    task_id: str, history: Iterable[tuple[Frame, Click]], frame: Frame
) -> list[dict[str, Any]]:
    """Return the messages for a frame, after earlier frames and clicks."""
    messages = [instructions(task_id, (frame.shape[1], frame.shape[0]))]
    for seen, click in history:
        messages += [shown(seen), clicked(click)]
    return [*messages, shown(frame)]


def data_uri(frame: Frame) -> str:
    """Return a frame as a PNG in a data URI."""
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
