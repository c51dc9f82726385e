"""The gallery: a page and pictures for every task, small enough for a repository."""

import re
from pathlib import Path

import pytest
from PIL import Image

import bcannot_core as bc

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "images" / "tasks"


@pytest.mark.parametrize("task_id", bc.list_tasks())
def test_every_task_has_pictures(task_id: str) -> None:
    with (
        Image.open(IMAGES / f"{task_id}.png") as still,
        Image.open(IMAGES / f"{task_id}.gif") as moving,
    ):
        assert still.size == (3 * 426 + 16, 436)
        assert moving.size in ((426, 436), (320, 327))
        assert getattr(moving, "n_frames", 1) > 5


@pytest.mark.parametrize("task_id", bc.list_tasks())
def test_every_task_is_in_the_index(task_id: str) -> None:
    index = (DOCS / "tasks" / "index.md").read_text(encoding="utf-8")
    assert f"[{task_id}]({task_id}.md)" in index
    assert f"../images/tasks/{task_id}.png" in index


def test_the_pages_show_pictures_that_exist() -> None:
    for page in (DOCS / "tasks").glob("*.md"):
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), (page.name, target)


def test_all_pictures_together_are_small() -> None:
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 6_000_000
