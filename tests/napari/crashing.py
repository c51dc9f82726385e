"""A napari that traces at random until it is killed; says what is done once it is recorded.

python crashing.py VOLUME ROOT SEED
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

import napari
from napari_bcannot.geometry import VOLUME_KEY
from napari_bcannot.neurites import Status
from napari_bcannot.snapshot import Mode
from napari_bcannot.widgets import record_control
from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

sys.path.insert(0, str(Path(__file__).parent))
from conftest import PixelPolicy, Tube

PAUSE_MS = 15


def say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def report(controller: Any) -> None:
    """Say everything that happens to the neurites; the recorder has heard of it before."""
    number = controller.recorder.number_of

    def clicked(neurite: Any, token: Any) -> None:
        say(clicks=len(neurite.trace.session.clicks), neurite=number(neurite), token=list(token))

    def facts(neurite: Any, *_: Any) -> None:
        say(
            neurite=number(neurite), name=neurite.name, colour=neurite.colour,
            status=str(neurite.status), there=neurite in controller.neurites,
        )  # fmt: skip

    def reopened(neurite: Any) -> None:
        """After Done the clicks up to it are made again, in a journal of their own."""
        token = neurite.trace.session.clicks[-1]
        say(clicks=len(neurite.trace.session.clicks), neurite=number(neurite), token=list(token))

    controller.neurites.clicked.connect(clicked)
    controller.neurites.reopened.connect(reopened)
    controller.neurites.added.connect(facts)
    controller.neurites.changed.connect(facts)
    controller.neurites.removed.connect(facts)


class Restless:
    """Does something at random, again and again."""

    def __init__(self, widget: Any, rng: random.Random) -> None:
        self.widget, self.rng, self.tube = widget, rng, Tube()
        self.timer = QTimer()
        self.timer.timeout.connect(self.act)
        self.timer.start(PAUSE_MS)

    def act(self) -> None:
        controller, rng = self.widget.controller, self.rng
        active = controller.neurites.active
        choice = rng.random()
        if active is None or choice < 0.04:
            z = rng.randrange(6)
            self.widget.begin((z, *self.tube.at(z)))
        elif choice < 0.30:
            self.widget.next_section()
        elif choice < 0.55:
            z = active.trace.z
            y, x = self.tube.at(z)
            active.trace.place((z, y + rng.randint(-3, 3), x + rng.randint(-3, 3)))
        elif choice < 0.70:
            controller.use_mode(Mode.AUTO)
            self.widget.start()
        elif choice < 0.80:
            self.widget.undo()
        elif choice < 0.85:
            self.widget.redo()
        elif choice < 0.89:
            controller.rename(active, f"neurite {rng.randrange(10**6)}")
        elif choice < 0.92:
            controller.neurites.set_status(active, rng.choice(list(Status)), "by chance")
        elif choice < 0.94 and len(controller.neurites) > 1:
            controller.remove(active)
        elif choice < 0.97:
            self.widget.done()
        else:
            controller.branch(1)


def main() -> None:
    volume, root, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    record_control.default_folder = lambda: root
    viewer = napari.Viewer(show=seed % 5 == 0)  # painting takes most of the time
    (layer,) = viewer.open(str(volume), plugin="napari-bcannot")
    assert VOLUME_KEY in layer.metadata
    widget = TraceNeuronWidget(viewer, lambda name: PixelPolicy())
    viewer.window.add_dock_widget(widget, name="Trace neuron", area="right")
    report(widget.controller)
    restless = Restless(widget, random.Random(seed))
    napari.run()
    assert restless


if __name__ == "__main__":
    main()
