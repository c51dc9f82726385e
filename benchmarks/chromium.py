"""Compare drawing with headless Chromium that shows and photographs an equal page.

    python benchmarks/chromium.py [--task TASK …] [--frames N] [--json FILE]

For each task, the same episode is stepped through by bcannot (world, annotator, drawing, all of it)
and by a page in Chromium: canvas, buttons and status line of the same size at the same places, the
canvas pictures loaded beforehand, every step a real mouse click and a screenshot through
Playwright. Needs ``pip install playwright`` and a Chromium (Debian: ``apt-get install
chromium-headless-shell``); says so and stops where one is missing.
"""

import argparse
import base64
import io
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bcannot_core.annotators import make_annotator
from bcannot_core.evaluation.bench_render import measure_render
from bcannot_core.screen import THEMES, Content, Layout
from bcannot_core.session import Session
from bcannot_core.tasks.registry import list_tasks, make, make_task

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

PAGE = """
<style>
  body {{ margin: 0; background: {background}; font: 12px sans-serif; overflow: hidden }}
  canvas, button, #status, #bar {{ position: absolute; box-sizing: border-box }}
  button {{ background: {button}; color: {button_text}; border: 1px solid {button_edge};
            border-radius: 6px; padding: 0 }}
  button:disabled {{ opacity: 0.4 }}  button.pressed {{ background: {pressed} }}
  #status, #hint {{ color: {text}; position: absolute }}  #bar {{ background: {accent} }}
</style>
<canvas id="canvas" style="{canvas}" width="{w}" height="{h}"></canvas>
{buttons}
<div id="hint" style="{hint}"></div>
<div id="status" style="{status}"></div><div id="bar" style="{progress}"></div>
<script>
  const steps = {steps}, context = canvas.getContext("2d"), full = bar.offsetWidth;
  let pictures = [], now = -1;
  async function load(urls) {{
    for (const url of urls) pictures.push(await createImageBitmap(await (await fetch(url)).blob()));
    show();
  }}
  function show() {{
    const step = steps[++now];
    context.drawImage(pictures[step.picture], 0, 0);
    for (const [kind, colour, at] of step.shapes) {{
      context.strokeStyle = context.fillStyle = colour;
      context.beginPath();
      if (kind == "Text") context.fillText(at[2], at[0], at[1]);
      else if (kind == "Box") context.strokeRect(...at);
      else if (kind == "Line") {{ context.moveTo(at[0], at[1]); context.lineTo(at[2], at[3]); }}
      else context.arc(at[0], at[1], at[2], 0, 7);
      if (kind == "Disc") context.fill(); else context.stroke();
    }}
    document.getElementById("status").textContent = step.status;
    document.getElementById("hint").textContent = step.hint;
    bar.style.width = full * step.progress + "px";
    for (const button of document.querySelectorAll("button")) {{
      button.disabled = step.disabled.includes(button.id);
      button.className = step.pressed.includes(button.id) ? "pressed" : "";
    }}
  }}
  document.addEventListener("pointerdown", show);
</script>
"""


def css(colour: tuple[int, int, int]) -> str:
    return "rgb({},{},{})".format(*colour)


def box(rect: Any) -> str:
    return f"left:{rect.x}px;top:{rect.y}px;width:{rect.w}px;height:{rect.h}px"


def data_url(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def recorded(task_id: str, frames: int) -> tuple[Layout, list[Content], list[tuple[int, int]]]:
    """Return the layout, what each frame of an episode shows, and the clicks between them."""
    session = Session(make_task(task_id, 1))
    annotator = make_annotator(session, 1)
    contents, clicks = [], []
    while len(contents) < frames:
        contents.append(session.task.content(session.state))
        if session.terminated:
            break
        clicks.append(annotator.act())
        session.apply(clicks[-1], "annotator")
    return session.screen.layout, contents, clicks


def drawn(shape: Any) -> tuple[str, str, list[Any]]:
    """Return a shape or marker as its kind, its colour and its other fields, where it is first."""
    fields = {name: getattr(shape, name) for name in shape._fields}
    colour = fields.pop("colour")
    fields.pop("alpha", None)
    return type(shape).__name__, css(colour), list(fields.values())


def page_of(layout: Layout, contents: list[Content]) -> tuple[str, list[str]]:
    """Return the page and the pictures that it needs."""
    numbers: dict[int, int] = {}
    urls: list[str] = []
    steps = []
    for content in contents:
        if id(content.canvas) not in numbers:
            numbers[id(content.canvas)] = len(urls)
            urls.append(data_url(content.canvas))
        steps.append(
            {
                "picture": numbers[id(content.canvas)],
                "shapes": [drawn(shape) for shape in (*content.shapes, *content.markers)],
                "status": "   ".join(content.status),
                "progress": float(content.progress),
                "hint": content.hint,
                "disabled": sorted(content.disabled),
                "pressed": sorted(content.pressed),
            }
        )
    theme = THEMES[layout.variant.theme]
    colours = ("background", "button", "button_text", "button_edge", "pressed", "text", "accent")
    labels = {spec.id: spec.label for spec in layout.specs}
    buttons = "".join(
        f'<button id="{name}" style="{box(rect)}">{labels[name]}</button>'
        for name, rect in layout.buttons.items()
    )
    html = PAGE.format(
        **{name: css(getattr(theme, name)) for name in colours},
        canvas=box(layout.canvas),
        w=layout.canvas.w,
        h=layout.canvas.h,
        hint=box(layout.hint) if layout.hint else "display:none",
        status=box(layout.status),
        progress=box(layout.progress),
        buttons=buttons,
        steps=json.dumps(steps),
    )
    return html, urls


def chromium_rate(chromium: Any, task_id: str, frames: int) -> float:
    """Return how many steps a second Chromium is clicked and photographed."""
    layout, contents, clicks = recorded(task_id, frames)
    html, urls = page_of(layout, contents)
    width, height = layout.size_wh
    page = chromium.new_page(viewport={"width": width, "height": height})
    page.set_content(html)
    page.evaluate("urls => load(urls)", urls)
    steps = clicks[: len(contents) - 1]
    begin = time.perf_counter()
    for x, y in steps:
        page.mouse.click(x, y)
        Image.open(io.BytesIO(page.screenshot(type="png"))).load()
    rate = len(steps) / (time.perf_counter() - begin)
    page.close()
    return rate


def own_rate(task_id: str, seconds: float) -> float:
    env = make(task_id)
    figures = measure_render(env, lambda seed: make_annotator(env, seed=seed), seconds)
    return float(figures["frames_per_s"])


def browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--task", action="append", choices=list_tasks())
    options.add_argument("--frames", type=int, default=60)
    options.add_argument("--seconds", type=float, default=2.0)
    options.add_argument("--json", type=Path)
    asked = options.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("skipped: this needs Playwright (pip install playwright)")
        return 0
    program = browser()
    if program is None:
        print(f"skipped: there is none of {', '.join(BROWSERS)} (apt-get install {BROWSERS[0]})")
        return 0
    figures: dict[str, dict[str, float]] = {}
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root has none
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=sandbox)
        for task in asked.task or list_tasks():
            rate, other = own_rate(task, asked.seconds), chromium_rate(chromium, task, asked.frames)
            figures[task] = {"bcannot": rate, "chromium": other, "ratio": rate / other}
            print(f"{task:28} {rate:8,.0f} {other:8.1f} {rate / other:8.0f}×", flush=True)
        chromium.close()
    mean = statistics.geometric_mean(of["ratio"] for of in figures.values())
    print(f"{'geometric mean':28} {'':17} {mean:8.0f}×")
    if asked.json:
        asked.json.write_text(json.dumps({"ratio": mean, "tasks": figures}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
