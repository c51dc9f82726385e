"""What is asked in a dialog; each returns None where the person cancels."""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

ADDRESS_HELP = (
    "File, folder or URL, for example\n"
    "precomputed://gs://h01-release/data/20210601/4nm_raw\n"
    "zarr://https://…   ·   /data/volume.tif   ·   synthetic://default?seed=1"
)


def ask_address(parent: QWidget) -> str | None:
    """Ask for the address of a volume."""
    address, given = QInputDialog.getText(parent, "Open a volume", ADDRESS_HELP)
    return address.strip() or None if given else None


SAVED = "SWC (*.swc);;WEBKNOSSOS (*.nml);;Table (*.csv);;Neuroglancer folder (*.precomputed)"


def ask_swc(parent: QWidget) -> Path | None:
    """Ask for the file that neurites are saved in; one that is there is replaced if they agree."""
    path, kind = QFileDialog.getSaveFileName(parent, "Save neurites", "trace.swc", SAVED)
    if not path:
        return None
    chosen = Path(path)
    if chosen.suffix.lower() in (".swc", ".nml", ".csv", ".precomputed"):
        return chosen
    chosen = chosen.with_name(chosen.name + (kind.rpartition("*")[2].rstrip(")") or ".swc"))
    return chosen if not chosen.exists() or _replaces(parent, chosen) else None


def _replaces(parent: QWidget, path: Path) -> bool:
    """Ask what the file dialog asked of the name without its suffix."""
    buttons = QMessageBox.StandardButton
    question = f"{path.name} already exists.\nDo you want to replace it?"
    asked = QMessageBox.question(
        parent, "Save neurites", question, buttons.Yes | buttons.No, buttons.No
    )
    return bool(asked == buttons.Yes)


def ask_replace(parent: QWidget, title: str, there: Sequence[Path]) -> bool:
    """Ask whether files that are there already are to be replaced."""
    buttons = QMessageBox.StandardButton
    others = f" and {len(there) - 1} more files" if len(there) > 1 else ""
    verb = "are" if others else "is"
    question = (
        f"{there[0].name}{others} {verb} in {there[0].parent} already, maybe of another batch.\n"
        "Do you want to replace what is there?"
    )
    asked = QMessageBox.question(parent, title, question, buttons.Yes | buttons.No, buttons.No)
    return bool(asked == buttons.Yes)


def ask_starts(parent: QWidget) -> Path | None:
    """Ask for a table of start points."""
    path, _ = QFileDialog.getOpenFileName(parent, "Start points", "", "Tables (*.csv);;All (*)")
    return Path(path) if path else None


def ask_folder(parent: QWidget, title: str, at: str = "") -> Path | None:
    """Ask for a folder."""
    folder = QFileDialog.getExistingDirectory(parent, title, at)
    return Path(folder) if folder else None


def ask_volume(parent: QWidget) -> Path | None:
    """Ask for a file that holds a volume."""
    kinds = "Volumes (*.tif *.tiff *.npz *.npy *.h5 *.hdf5);;All files (*)"
    path, _ = QFileDialog.getOpenFileName(parent, "Open a volume", "", kinds)
    return Path(path) if path else None


def ask_name(parent: QWidget, title: str, suggested: str) -> str | None:
    """Ask for a name."""
    name, given = QInputDialog.getText(parent, title, "Name", text=suggested)
    return name.strip() or None if given else None
