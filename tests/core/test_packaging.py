"""What the distribution declares: dependencies, entry points, files that are not code."""

import ast
import re
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

import bcannot_core

DISTRIBUTION = "napari-bcannot"
SOURCE = Path(bcannot_core.__file__).parents[1]
OWN = {"bcannot_core", "napari_bcannot"}
BEHIND_EXTRAS = {
    "imageio-ffmpeg": "all",
    "distributed": "all",
    "scikit-learn": "all",
    "timm": "dinov2",
}
# the plugin runs inside a napari, which its user has
BROUGHT_BY_NAPARI = {"napari", "vispy"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> tuple[set[str], dict[str, set[str]]]:
    """Names that a plain install brings, and those of each extra."""
    plain: set[str] = set()
    extras: dict[str, set[str]] = {}
    for line in metadata.requires(DISTRIBUTION) or []:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        assert match is not None
        name = canonical(match[0])
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if extra:
            extras.setdefault(extra[1], set()).add(name)
        else:
            plain.add(name)
    return plain, extras


@cache
def third_party_imports() -> dict[str, str]:
    """Top-level modules of others that the packages import, each with a file that does."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.glob("*/**/*.py")):
        if path.relative_to(SOURCE).parts[0] not in OWN:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in OWN:
                    found.setdefault(top, str(path.relative_to(SOURCE)))
    return found


def test_what_is_imported_is_declared() -> None:
    plain, extras = requirements()
    homes = metadata.packages_distributions()
    missing = []
    for module, path in third_party_imports().items():
        if module in BROUGHT_BY_NAPARI:
            continue
        names = {canonical(name) for name in homes.get(module, [module])}
        optional = {n for n in names if n in BEHIND_EXTRAS and n in extras[BEHIND_EXTRAS[n]]}
        if not names & plain and not optional:
            missing.append(f"{module}, imported in {path}")
    assert not missing, "\n".join(missing)


def test_a_plain_install_brings_neither_napari_nor_a_qt_binding() -> None:
    plain, extras = requirements()
    assert not plain & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}
    assert "torch" in plain and "napari" in extras["all"]


def test_every_extra_is_there() -> None:
    assert {"all", "dinov2", "test", "docs"} <= set(requirements()[1])


def test_napari_knows_the_plugin() -> None:
    assert "Framework :: napari" in metadata.metadata(DISTRIBUTION).get_all("Classifier", [])


@pytest.mark.parametrize(
    ("group", "name"),
    [("console_scripts", "bcannot"), ("bcannot.tasks", "neuron_tracing")],
)
def test_entry_points_lead_somewhere(group: str, name: str) -> None:
    (point,) = (
        point
        for point in metadata.entry_points(group=group, name=name)
        if point.dist is not None and canonical(point.dist.name) == DISTRIBUTION
    )
    assert callable(point.load())


def test_the_manifest_lies_where_its_entry_point_says() -> None:
    (point,) = metadata.entry_points(group="napari.manifest", name=DISTRIBUTION)
    package, _, name = point.value.partition(":")
    assert (SOURCE / package / name).is_file()


def test_both_packages_are_typed() -> None:
    assert all((SOURCE / package / "py.typed").is_file() for package in OWN)


def test_every_dependency_is_pinned_in_the_constraints() -> None:
    path = SOURCE.parent / "constraints.txt"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][^ /:]*", line) for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    plain, extras = requirements()
    assert plain | extras["all"] | extras["test"] | extras["docs"] <= pinned
