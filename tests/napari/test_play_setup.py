"""What is to be played, without a window."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcannot_core.annotators.labels import Flag
from bcannot_core.episodes.player import Habits, Player
from bcannot_core.errors import BcannotError, OptionError, VolumeError
from bcannot_core.screen import get_variant
from bcannot_core.tasks.registry import make_task
from bcannot_core.volumes import open_volume
from napari_bcannot.geometry import VOLUME_KEY
from napari_bcannot.play import PlayController
from napari_bcannot.play_setup import PlaySetup
from napari_bcannot.play_source import Source

SAMPLE = "synthetic://default?seed=3&shape=24,96,96"


class Image:
    """What the plugin reads of an image layer."""

    def __init__(self, data: Any, scale: Any = (30.0, 10.0, 10.0), **metadata: Any) -> None:
        self.data, self.scale, self.metadata = data, scale, metadata
        self.name, self.multiscale, self.ndim, self.rgb = "em", False, 3, False
        self.units = ("nanometer",) * 3
        self.source = SimpleNamespace(path=None)


class Labels(Image):
    """What the plugin reads of a labels layer."""


@dataclass
class Tissue:
    em: Any = field(default_factory=lambda: open_volume(SAMPLE))
    ids: Any = field(default_factory=lambda: open_volume(SAMPLE, labels=True))

    @property
    def image(self) -> Image:
        return Image(np.asarray(self.em.array))

    @property
    def labels(self) -> Labels:
        return Labels(np.asarray(self.ids.array))


@pytest.fixture(scope="module")
def tissue() -> Tissue:
    return Tissue()


def mistakes(player: Player) -> int:
    while player.advance():
        pass
    return sum(bool(click.flags & Flag.MISTAKE) for click in player.session.clicks)


def test_options_make_the_world_and_the_screen() -> None:
    player = PlaySetup("road_network", 3, "light_right", {"noise": 0.0, "trees": 0.0}).player()
    assert (player.task.config.noise, player.task.config.trees) == (0.0, 0.0)
    assert player.task.variant.name == "light_right"
    again = make_task("road_network", 3, variant="light_right", noise=0.0, trees=0.0)
    np.testing.assert_array_equal(
        player.frame(), Player.play(again).frame(), "the same setup is the same world"
    )


def test_a_random_screen_follows_from_the_seed_and_is_named() -> None:
    names = [PlaySetup("shape_matching", seed, "random").screen for seed in (1, 1, 2, 3)]
    assert names[0] == names[1]
    assert len(set(names)) >= 2
    setup = PlaySetup("shape_matching", 1, "random")
    assert setup.player().task.variant == get_variant(names[0])
    assert names[0] in setup.title
    assert "original" not in PlaySetup("shape_matching", 1).title


@pytest.mark.parametrize(
    ("task", "options", "named"),
    [
        ("colored_dot_tracking", {"spread": 10, "dots": 5}, "spread is 10"),
        ("spectral_plume", {"least_plumes": 4, "most_plumes": 2}, "least_plumes is 4"),
        ("multichannel_alignment", {"source": "folder"}, "folder"),
        ("colored_dot_tracking", {"folder": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_what_does_not_go_together_is_refused(task: str, options: Any, named: str) -> None:
    with pytest.raises(BcannotError, match=named):
        PlaySetup(task, options=options).player()


def test_the_annotator_works_as_it_is_told() -> None:
    assert mistakes(PlaySetup("shape_matching", 5, behaviour="flawless").player()) == 0
    assert mistakes(PlaySetup("shape_matching", 5, behaviour="flawless", mistakes=0.6).player()) > 2
    usual = PlaySetup("shape_matching", 5, mistakes=0.0).player()
    assert mistakes(usual) == 0
    assert usual.score()["success"]


def test_habits_can_change_in_the_middle_of_a_session() -> None:
    controller = PlayController()
    assert controller.begin(PlaySetup("shape_matching", 5, mistakes=0.9))
    controller.play()
    before = controller.player.upcoming(think=True)
    controller.work_as(Habits(5, "flawless"))
    after = controller.player.upcoming(think=True)
    assert after != before
    assert controller.snapshot().playing
    assert mistakes(controller.player) == 0
    with pytest.raises(BcannotError, match="number from 0"):
        PlaySetup("shape_matching", 5, mistakes=1.5).player().advance()


def test_a_layer_and_its_labels_are_traced_in(tissue: Tissue) -> None:
    source = Source(tissue.image, tissue.labels)
    setup = PlaySetup("neuron_tracing", 2, options={"sections": 5}, source=source)
    player = setup.player()
    world = player.task.world
    assert world.volume.shape == (24, 96, 96)
    assert world.volume.voxel_nm == (30.0, 10.0, 10.0)
    z, y, x = (round(c) for c in world.start_zyx)
    assert world.labels.read(z, z + 1, y, y + 1, x, x + 1)[0, 0, 0] == player.task.path.label
    assert mistakes(player) >= 0
    assert player.score()["success"]


def test_a_volume_that_the_reader_opened_is_taken_as_it_is(tissue: Tissue) -> None:
    layer = Image(None, **{VOLUME_KEY: tissue.em})
    options = Source(layer).options()
    assert options == {"volume": tissue.em, "labels": None}
    player = PlaySetup("neuron_tracing", options={"sections": 3}, source=Source(layer)).player()
    with pytest.raises(BcannotError, match="no labels"):
        player.advance()


def test_addresses_are_opened_once() -> None:
    options = Source(SAMPLE, SAMPLE).options()
    assert options["labels"].is_labels
    assert not options["volume"].is_labels
    again = Source(SAMPLE, SAMPLE).options()
    assert again["volume"] is options["volume"]
    assert again["labels"] is options["labels"]
    with pytest.raises(VolumeError):
        Source("/no/such/volume.tif").options()


def test_labels_of_another_shape_are_refused(tissue: Tissue) -> None:
    small = Labels(np.zeros((2, 5, 5), dtype=np.uint16))
    with pytest.raises(BcannotError, match="labels have shape"):
        PlaySetup("neuron_tracing", source=Source(tissue.image, small)).player()
    ragged = Labels(np.zeros((24, 96, 96)))
    with pytest.raises(VolumeError):
        PlaySetup("neuron_tracing", source=Source(tissue.image, ragged)).player()


def test_an_option_error_is_a_message_of_the_controller() -> None:
    controller = PlayController()
    warnings: list[str] = []
    controller.warned.connect(warnings.append)
    assert not controller.begin(PlaySetup("road_network", options={"noise": 99.0}))
    assert warnings == ["noise is 99.0: give a value from 0.0 to 30.0"]
    assert controller.player is None
    assert issubclass(OptionError, BcannotError)
