"""The scripts around the code: set-up, CI, make targets, and what the README says to type."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import bcannot_core
from bcannot_core.cli import app

ROOT = Path(bcannot_core.__file__).parents[2]
SCRIPTS = [".ci/run", "scripts/system-packages.sh"]
TARGETS = ["demo", "test", "test-fast", "lint", "docs", "wheel", "bench"]

pytestmark = pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="needs a checkout")


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_sound_bash_and_executable(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_system_packages_are_no_obstacle_without_apt(tmp_path: Path) -> None:
    for name in ("bash", "python3"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    script = ROOT / "scripts" / "system-packages.sh"
    done = subprocess.run(["bash", script], env={"PATH": str(tmp_path)}, capture_output=True)
    assert done.returncode == 0


def test_the_readme_names_commands_and_options_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    lines = re.findall(r"^bcannot (.*?)(?:\s+#.*)?$", blocks, re.M)
    assert len(lines) >= 7
    for line in lines:
        command, *words = line.split()
        assert app.run([command, "--help"]) == 0
        said = capsys.readouterr().out
        for option in (word for word in words if word.startswith("--")):
            assert option in said, f"{command} {option}"


def test_the_readme_names_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_no_address_of_a_package_registry_is_committed() -> None:
    for name in ("constraints.txt", "Makefile", "pyproject.toml", *SCRIPTS):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name
