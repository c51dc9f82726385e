"""Losses for TensorBoard, where it is installed."""

import importlib
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)


class Board:
    """Writes a run's losses for TensorBoard; does nothing, and says so once, without it.

    Parameters
    ----------
    folder : Path
        Where to.
    update : int
        The update that the run goes on from: what was written of later ones is dropped.
    """

    def __init__(self, folder: Path, update: int) -> None:
        self._writer: Any = None
        if importlib.util.find_spec("tensorboard") is None:
            _log.info("no TensorBoard logs: install napari-bcannot[tensorboard] for them")
            return
        tensorboard: Any = importlib.import_module("torch.utils.tensorboard")
        self._writer = tensorboard.SummaryWriter(str(folder), purge_step=update or None)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Take the losses of an update."""
        if self._writer is None:
            return
        update = int(entry["update"])
        for name, value in entry.items():
            if isinstance(value, Mapping):
                for member, loss in value.items():
                    self._writer.add_scalar(f"{name}/{member}", loss, update)
            elif isinstance(value, float):
                self._writer.add_scalar(name, value, update)

    def flush(self) -> None:
        """Write what is waiting."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()
