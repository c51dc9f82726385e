"""Sessions with several neurites, recorded as the plugin does, without a viewer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bcannot_core.episodes.worlds import describe_task
from bcannot_core.session import Session
from bcannot_core.session.journal import JournalHeader
from bcannot_core.sittings import NeuriteFacts, SittingWriter
from bcannot_core.sittings.timeline import SHAPE
from bcannot_core.tasks.neuron_tracing import NeuronTracing, TracingConfig, TracingWorld
from bcannot_core.tasks.tracing_moves import click_all, clicks_to_place
from bcannot_core.volumes import Contrast, Volume


def grey_volume(address: str = "grey", shape: tuple[int, int, int] = (20, 120, 130)) -> Volume:
    rng = np.random.default_rng(3)
    array = rng.integers(0, 255, shape, dtype=np.uint8)
    return Volume.from_array(
        array, voxel_nm=(30.0, 10.0, 10.0), address=address, contrast=Contrast(0.0, 255.0)
    )


@dataclass
class Tracer:
    """One neurite of a recorded session."""

    writer: SittingWriter
    session: Session
    number: int = 0
    parts: list[Any] = field(default_factory=list)

    def place(self, zyx: tuple[float, float, float], actor: str = "person") -> None:
        click_all(self.session, clicks_to_place(self.session, zyx), actor)

    def press(self, button: str, actor: str = "person") -> None:
        self.session.apply(self.session.click_for(button), actor)

    @property
    def nodes(self) -> list[Any]:
        return self.session.task.nodes_zyx(self.session.state)

    def header(self) -> JournalHeader:
        volume = self.session.task.world.volume
        meta = {SHAPE: list(volume.shape)}
        return describe_task(self.session.task, meta, fingerprint=False)

    def begin_again(self) -> None:
        """Go on after Done, as the plugin does: a new session with the clicks made again."""
        old, self.session = self.session, Session(self.session.task)
        for token in old.clicks:
            if token.action != "done":
                self.session.apply((token.x, token.y), token.actor)
        self.writer.begin_again(self.number, self.header(), self.session.clicks)
        self._listen()

    def _listen(self) -> None:
        self.session.subscribe(lambda _, token: self.writer.click(self.number, token))


def trace_in(
    writer: SittingWriter,
    name: str = "neurite 1",
    start: tuple[int, int, int] = (0, 60, 60),
    volume: Volume | None = None,
    **facts: Any,
) -> Tracer:
    volume = volume or grey_volume()
    task = NeuronTracing(TracingWorld(volume, start), TracingConfig(sections=12))
    tracer = Tracer(writer, Session(task))
    place = {"address": volume.address, "layer": "em"}
    tracer.number = writer.add(
        NeuriteFacts(name, "#59c7ff", "open", place=place, **facts), tracer.header()
    )
    tracer._listen()
    return tracer


def recorded(root: Path, clicks: int = 3, *, close: bool = True) -> Path:
    """Record a session of two neurites; return its folder."""
    writer = SittingWriter.begin(root)
    one = trace_in(writer)
    two = trace_in(writer, "neurite 2", (2, 40, 40))
    for z in range(clicks):
        one.place((z, 60 + z, 60))
        two.place((2 + z, 40, 40 + 2 * z), "policy")
    writer.close() if close else writer.discard()
    return writer.folder
