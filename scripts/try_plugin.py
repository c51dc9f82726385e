# ruff: noqa: TID251 (it tries the plugin)
"""Open every widget, sample and reader of the installed plugin in a real viewer, and close them."""

import sys
import time
from pathlib import Path

import numpy as np
import tifffile
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication

import napari

PLUGIN = "napari-bcannot"


def main() -> None:
    """Try everything that the manifest names; an exception ends with a traceback and 1."""
    plugins = PluginManager.instance()
    plugins.discover()
    contributions = plugins.get_manifest(PLUGIN).contributions
    viewer = napari.Viewer(show=True)
    opened = []
    for sample in contributions.sample_data or []:
        opened.append(f"sample {sample.key}: {len(viewer.open_sample(PLUGIN, sample.key))} layers")
        viewer.layers.clear()
    viewer.open_sample(PLUGIN, "sample_em")
    for widget in contributions.widgets or []:
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, widget.display_name)
        settle()
        opened.append(f"widget {widget.display_name}")
        viewer.window.remove_dock_widget(dock)
        settle()
    tifffile.imwrite("read.tif", np.zeros((6, 32, 32), np.uint8))
    (layer,) = viewer.open("read.tif", plugin=PLUGIN)
    opened.append(f"file {Path('read.tif').name} {layer.data.shape}")
    viewer.close()
    sys.stdout.write("\n".join(opened) + "\n")


def settle(seconds: float = 0.3) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


if __name__ == "__main__":
    main()
