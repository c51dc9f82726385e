"""Golden frames: every variant draws exactly the stored picture.

After a deliberate change of the drawing run this file as a script and look at the pictures.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bcannot_core.screen import (
    VARIANTS,
    Box,
    ButtonSpec,
    Content,
    Cross,
    Disc,
    Line,
    Marker,
    Screen,
    Text,
    build_layout,
)
from bcannot_core.screen.font import text_mask
from bcannot_core.tasks.neuron_tracing import NeuronTracing

FOLDER = Path(__file__).parents[1] / "data" / "screens"


def draw(variant):
    rows, columns = np.indices((256, 256))
    content = Content(
        (rows // 2 + columns // 4).astype(np.uint8),
        (Marker(140, 120, 5, (90, 200, 255), 0.35), Marker(128, 128, 5, (255, 210, 0))),
        ("section 12/50", "11 nodes"),
        12 / 50,
        disabled=frozenset({"previous_section"}),
        pressed=frozenset({"undo"}),
    )
    return Screen(build_layout(NeuronTracing.buttons, variant)).draw(content)


TOOLS = (
    *(ButtonSpec(f"tab{i}", name, kind="tab") for i, name in enumerate(("Body", "Wing", "Leg"))),
    *(
        ButtonSpec(f"band{i}", f"{500 + 50 * i} nm", f"{500 + 50 * i}", kind="toggle")
        for i in (0, 1)
    ),
    *NeuronTracing.buttons,
    *(
        ButtonSpec(f"item{i}", f"Cell {i}", kind="item", swatch=(60 * i, 90, 250 - 60 * i))
        for i in range(4)
    ),
)
SHAPES = (
    Disc(60, 60, 20, (70, 160, 255), 0.4),
    Line(20, 200, 200, 230, (255, 80, 80)),
    Line(20, 220, 200, 180, (255, 220, 80), 0.6, 4),
    Cross(100, 100, 6, (80, 255, 120)),
    Box(180, 40, 40, 30, (255, 255, 255), 0.7),
    Text(110, 140, "head 3", (255, 210, 0)),
)


def draw_tools(variant):
    rows, columns = np.indices((256, 256))
    content = Content(
        np.stack([rows, columns, 255 - rows], -1).astype(np.uint8),
        (Marker(100, 140, 8, (255, 255, 255)),),
        ("frame 3/10", "5 of 12"),
        0.3,
        disabled=frozenset({"undo", "item3"}),
        pressed=frozenset({"tab1", "item1", "band0"}),
        ticked=frozenset({"tab0", "item0"}),
        shapes=SHAPES,
        panel=(rows[:64, :64] * 2).astype(np.uint8),
        caption="MATCH THIS",
        hint="Click the wing's tip",
    )
    return Screen(build_layout(TOOLS, variant, panel_hw=(64, 64), hint=True)).draw(content)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tools_equal_the_stored_ones(variant):
    with Image.open(FOLDER / f"tools_{variant}.png") as stored:
        expected = np.asarray(stored)
    assert (draw_tools(variant) == expected).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_frames_equal_the_stored_ones(variant):
    with Image.open(FOLDER / f"{variant}.png") as stored:
        expected = np.asarray(stored)
    assert (draw(variant) == expected).all()


def test_text_equals_the_stored_one():
    with Image.open(FOLDER / "font.png") as stored:
        expected = np.asarray(stored)
    assert (font_sheet() == expected).all()


def font_sheet():
    lines = (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789",
        "abcdefghijklmnopqrstuvwxyz +−-/.,:%()?!=×_#",
        "↶ ✕ ✓ □ \N{SNOWMAN}",
    )
    masks = [text_mask(line, size) for size in (16, 18, 22, 28) for line in lines]
    width = max(mask.shape[1] for mask in masks)
    return np.concatenate([np.pad(mask, ((0, 0), (0, width - mask.shape[1]))) for mask in masks])


def test_unknown_characters_are_boxes_and_texts_are_equally_high():
    assert (text_mask("\N{SNOWMAN}", 18) == text_mask("□", 18)).all()
    assert text_mask("gÅ", 18).shape[0] == text_mask("x", 18).shape[0]
    assert text_mask("", 18).shape[0] == text_mask("x", 18).shape[0]
    assert text_mask("  ", 18).max() == 0


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in VARIANTS:
        Image.fromarray(draw(name)).save(FOLDER / f"{name}.png", optimize=True)
        Image.fromarray(draw_tools(name)).save(FOLDER / f"tools_{name}.png", optimize=True)
    Image.fromarray(font_sheet()).save(FOLDER / "font.png", optimize=True)
