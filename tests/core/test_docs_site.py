"""The documentation: its pages, the commands they name, the example they show, the strict build."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bcannot_core
from bcannot_core.cli import app
from bcannot_core.session import Session

yaml = pytest.importorskip("yaml")

ROOT = Path(bcannot_core.__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {"reference/command-line.md", "reference/shortcuts.md", "reference/catalogue.md"}

pytestmark = pytest.mark.skipif(not (ROOT / "mkdocs.yml").exists(), reason="needs a checkout")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def pages_of(nav: Any) -> Iterator[str]:
    for entry in nav:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from [target] if isinstance(target, str) else pages_of(target)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(written | GENERATED)


def commands_on_pages() -> list[tuple[str, str]]:
    found = []
    for path in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"^ *```sh\n(.*?)```", path.read_text("utf-8"), re.S | re.M):
            for line in re.sub(r"\\\n", " ", block).splitlines():
                for called in re.findall(
                    r"(?:^|no-python )\s*bcannot ([a-z].*?)(?:\s+#.*)?$", line
                ):
                    found.append((path.name, called))
    return found


def test_the_pages_name_commands_and_options_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = commands_on_pages()
    assert len(commands) > 20
    helps: dict[str, str] = {}
    for page, called in commands:
        name, *words = called.split()
        if name not in helps:
            assert app.run([name, "--help"]) == 0, f"{page}: bcannot {name}"
            helps[name] = capsys.readouterr().out
        for option in (word for word in words if word.startswith("--")):
            assert option in helps[name], f"{page}: bcannot {name} {option}"


def test_the_example_of_a_task_can_be_done_and_fails_where_it_should() -> None:
    blobs = load(DOCS / "examples" / "blobs" / "blobs.py")
    undone = 0
    for seed in range(40):
        task = blobs.BrightestBlob.sample(np.random.default_rng(seed))
        session = Session(task)
        annotator = blobs.BlobsAnnotator(
            session, np.random.default_rng(seed), blobs.BlobsAnnotator.default_behaviour
        )
        annotator.run()
        assert task.score(session.state)["success"]
        undone += session.state.undos
    assert undone
    assert not task.score(task.initial_state())["success"]


def test_generated_pages_tell_of_every_command_key_and_volume() -> None:
    pytest.importorskip("mkdocs")
    hooks = load(DOCS / "hooks.py")
    lines = hooks.command_line()
    assert all(f"## bcannot {module.NAME}\n" in lines for module in app.COMMANDS)
    keys = hooks.shortcuts()
    assert all(f"`{key}`" in keys for _, rows in hooks.all_shortcuts() for key, _ in rows)
    assert "Trace neuron" in keys and "napari-bcannot.pick_start" in keys
    assert "napari-bcannot.write_swc" not in keys
    assert "witvliet2020-8" in hooks.public_volumes()


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "reference" / "tracing" / "index.html").read_text("utf-8")
    assert "trace_many" in page


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_is_built_installs_into_an_empty_environment_and_works(
    tmp_path: Path, kind: str
) -> None:
    script = ROOT / "scripts" / "try_distribution.py"
    argv = [sys.executable, script, "--out", tmp_path, "--lend", "--only", kind, "--no-viewer"]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "installs and works" in done.stdout
