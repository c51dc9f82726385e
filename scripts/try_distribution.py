"""Build wheel and sdist, install each into an empty environment, and work from there.

    python scripts/try_distribution.py --out dist           # all dependencies installed anew
    python scripts/try_distribution.py --out dist --lend    # dependencies lent by this environment

Either way nothing of the checkout is in reach: commands run in an empty folder with a home of
their own. What is tried: the version, the bundled policy and volume (`bcannot demo`), a trace in a
TIFF, `npe2 validate`, and, where there is a display or xvfb-run, the widgets and samples.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TORCH = "torch==2.13.0"
VIEWER = ROOT / "scripts" / "try_plugin.py"
MAKE_TIFF = (
    "import numpy, tifffile; rng = numpy.random.default_rng(0); "
    "tifffile.imwrite('own.tif', rng.integers(90, 160, (6, 128, 128)).astype('uint8'))"
)
WHERE = "import bcannot_core, napari_bcannot; print(bcannot_core.__file__, napari_bcannot.__file__)"


def main() -> None:
    """Build and try what was built."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the files go")
    parser.add_argument("--lend", action="store_true", help="lend this environment's dependencies")
    parser.add_argument("--only", choices=("wheel", "sdist"), help="try only this one")
    parser.add_argument("--no-viewer", action="store_true", help="open no window")
    options = parser.parse_args()
    for kind, path in build(options.out.resolve()).items():
        if options.only in (None, kind):
            with tempfile.TemporaryDirectory(prefix=f"bcannot-{kind}-") as folder:
                attempt = Attempt(Path(folder), lend=options.lend)
                attempt.install(path, viewer=not options.no_viewer)
                attempt.work(viewer=not options.no_viewer)
            sys.stdout.write(f"{path.name} installs and works\n")


def build(out: Path) -> dict[str, Path]:
    """Build both from the checkout; return the files by their kind."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("napari_bcannot-*.whl"), *out.glob("napari_bcannot-*.tar.gz")]:
        old.unlink()
    # the wheel is made from the sdist: what is missing there is missing in both
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)])
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("napari_bcannot-*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


class Attempt:
    """An empty environment in a folder of its own.

    Parameters
    ----------
    folder : Path
        An empty folder.
    lend : bool
        Whether dependencies are those of this environment, in place of an installation.
    """

    def __init__(self, folder: Path, *, lend: bool) -> None:
        self.lend = lend
        self.work_folder = folder / "work"
        self.work_folder.mkdir()
        venv.create(folder / "env", with_pip=True)
        self.bin = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "XDG_", "NPE2"))}
        home = folder / "home"
        home.mkdir()
        self.environment = {**kept, "HOME": str(home), "OMP_NUM_THREADS": "1"}
        self.environment.pop("QT_QPA_PLATFORM", None)

    def install(self, path: Path, *, viewer: bool) -> None:
        """Install what was built, and what it needs."""
        pip = [self.python, "-m", "pip", "install", "--quiet"]
        if self.lend:
            self._lend()
            run([*pip, "--no-deps", "--no-build-isolation", "--no-index", str(path)])
            return
        pins = ["-c", str(ROOT / "constraints.txt")]
        run([*pip, TORCH, *pins])
        run([*pip, f"{path}[all]" if viewer else str(path), *pins])
        run([self.python, "-m", "pip", "check"])

    @property
    def python(self) -> str:
        """The environment's interpreter."""
        return str(self.bin / "python")

    def _lend(self) -> None:
        """Make this environment's packages importable, but for the one that is tried.

        An editable installation would put the checkout in reach by its own .pth file: .pth files
        of a folder that is only on the path are not read.
        """
        own = subprocess.check_output(
            [self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        lent = Path(own.strip()) / "lent.pth"
        lent.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def work(self, *, viewer: bool) -> None:
        """Do with the installed package what a person would do first."""
        bcannot = str(self.bin / "bcannot")
        files = self.said([self.python, "-c", WHERE]).split()
        if not all(str(self.bin.parent) in file for file in files):
            sys.exit(f"not what was installed is imported: {files}")
        self.said([bcannot, "--version"])
        demo = [bcannot, "demo", "--no-viewer", "--neurites", "1", "--sections", "8"]
        self.said([*demo, "--out", "demo"])
        summary = json.loads((self.work_folder / "demo" / "summary.json").read_text("utf-8"))
        if not (summary["neurites"] and list((self.work_folder / "demo").glob("*.swc"))):
            sys.exit("the demo traced nothing")
        self.said([self.python, "-c", MAKE_TIFF])
        trace = [bcannot, "trace", "own.tif", "--voxel-nm", "30,10,10", "--start", "0,64,64"]
        self.said([*trace, "--sections", "3", "--out", "own.swc"])
        said = self.said([self.python, "-m", "npe2", "validate", "napari-bcannot"])
        if "valid!" not in said:
            sys.exit(f"npe2 validate: {said}")
        if viewer:
            self._view()

    def _view(self) -> None:
        """Open every widget and sample in a real viewer."""
        xvfb = shutil.which("xvfb-run")
        prefix = [xvfb, "-a", "-s", "-screen 0 1400x900x24"] if xvfb else []
        if not prefix and not os.environ.get("DISPLAY") and sys.platform == "linux":
            sys.stdout.write("no display and no xvfb-run: the viewer was not tried\n")
            return
        script = shutil.copy(VIEWER, self.work_folder)
        sys.stdout.write(self.said([*prefix, self.python, script]))

    def said(self, command: list[str]) -> str:
        """Run a command there and return what it wrote; end where it fails."""
        return run(command, self.work_folder, self.environment)


def run(command: list[str], folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it wrote; end where it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = done.stdout + done.stderr
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout


if __name__ == "__main__":
    main()
