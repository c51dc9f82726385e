"""The direction of imports: arrows between the packages, and nothing heavy before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bcannot_core

CORE = Path(bcannot_core.__file__).parent
PLUGIN = CORE.parent / "napari_bcannot"

# package -> the packages it builds on (what those build on is allowed with them)
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "closing": set(),
    "url_queries": set(),
    "coords": {"errors"},
    "screen": {"coords"},
    "session": {"screen", "closing"},
    "volumes": {"coords", "url_queries"},
    "skeletons": {"volumes"},
    "tasks": {"session", "volumes"},
    "annotators": {"tasks"},
    "episodes": {"annotators"},
    "policy": {"session"},
    "sittings": {"episodes", "skeletons"},
    "tracing": {"policy", "tasks", "episodes", "skeletons", "sittings", "probes"},
    "training": {"policy", "episodes", "annotators", "sittings"},
    "evaluation": {"policy", "annotators", "tracing", "episodes"},
    "probes": {"policy", "episodes"},
    "cli": {"training", "evaluation", "probes", "tracing"},
}
TOOLKITS = {"napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "superqt", "magicgui", "vispy"}
GUI = TOOLKITS | {"napari_bcannot"}
HEAVY = TOOLKITS | {"torch"}
LIGHT = [name for name in ARROWS if name not in {"policy", "training", "probes"}]


def allowed(package: str) -> set[str]:
    """The package itself and all that it builds on, directly or not."""
    reach = {package}
    for below in ARROWS[package]:
        reach |= allowed(below)
    return reach


def imported_modules(path: Path, package: str) -> set[str]:
    """Absolute names of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*base, node.module or ""]).rstrip(".") if node.level else node.module
            assert module is not None
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def sources(root: Path) -> list[tuple[Path, str]]:
    return [
        (path, ".".join(path.relative_to(root.parent).parent.parts))
        for path in sorted(root.rglob("*.py"))
    ]


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    wrong = []
    for path, dotted in sources(CORE):
        parts = path.relative_to(CORE).with_suffix("").parts
        if parts[0] != package:
            continue
        for name in imported_modules(path, dotted):
            target = name.split(".")
            inside = target[0] == "bcannot_core" and target[1] in ARROWS
            if inside and target[1] not in allowed(package):
                wrong.append(f"{'/'.join(parts)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_package_of_the_core_has_its_arrows() -> None:
    found = {
        path.stem if path.is_file() else path.name
        for path in CORE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - {"__init__", "__main__"} <= set(ARROWS)


def test_the_core_names_no_gui_toolkit() -> None:
    wrong = [
        f"{path.relative_to(CORE)} imports {name}"
        for path, dotted in sources(CORE)
        for name in imported_modules(path, dotted)
        if name.split(".")[0] in GUI
    ]
    assert not wrong, "\n".join(wrong)


def test_the_plugin_names_no_qt_binding() -> None:
    wrong = [
        f"{path.relative_to(PLUGIN)} imports {name}"
        for path, dotted in sources(PLUGIN)
        for name in imported_modules(path, dotted)
        if name.split(".")[0] in {"PyQt5", "PyQt6", "PySide2", "PySide6"}
    ]
    assert not wrong, "\n".join(wrong)


def heavy_after(code: str) -> set[str]:
    probe = f"{code}\nimport sys\nprint(*sorted(n for n in {sorted(HEAVY)!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stdout.split())


def test_importing_the_core_loads_nothing_heavy() -> None:
    assert heavy_after("import bcannot_core") == set()


def test_importing_the_torch_free_packages_loads_nothing_heavy() -> None:
    there = [name for name in LIGHT if (CORE / name).exists() or (CORE / f"{name}.py").exists()]
    assert heavy_after("\n".join(f"import bcannot_core.{name}" for name in there)) == set()


def test_importing_the_plugin_loads_neither_torch_nor_a_viewer() -> None:
    assert heavy_after("import napari_bcannot") == set()


def test_the_probe_sees_a_heavy_import() -> None:
    assert "torch" in heavy_after("import torch")
