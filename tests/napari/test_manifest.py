"""The manifest against the code: npe2's own check lets most mistakes pass."""

from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files

import pytest
from npe2 import PluginManifest

from bcannot_core.tasks.registry import _BUILT_IN

MANIFEST = files("napari_bcannot") / "napari.yaml"
CONTRACT = (
    "colored_dot_tracking", "neuron_tracking", "multichannel_alignment", "exploration_3d",
    "spectral_plume", "animal_limb_tracking", "road_network", "cell_lineage",
    "animal_behavior_tracking", "shape_matching", "neuron_tracing",
)  # fmt: skip


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(str(MANIFEST))


def test_the_entry_point_leads_to_the_manifest():
    (point,) = [p for p in entry_points(group="napari.manifest") if p.name == "napari-bcannot"]
    package, _, name = point.value.partition(":")
    assert (files(package) / name).is_file()


def test_every_command_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_everything_refers_to_a_command_and_every_command_is_used(manifest):
    contributions = manifest.contributions
    known = {command.id for command in contributions.commands}
    used = [
        *(widget.command for widget in contributions.widgets),
        *(reader.command for reader in contributions.readers),
        *(writer.command for writer in contributions.writers),
        *(sample.command for sample in contributions.sample_data),
    ]
    in_menus = [item.command for items in contributions.menus.values() for item in items]
    assert set(used) == known
    assert set(in_menus) <= known
    assert all(id_.startswith("napari-bcannot.") for id_ in known)


def test_the_menus_are_ones_that_plugins_may_add_to(manifest):
    allowed = {
        "napari/layers/annotate",
        "napari/layers/track",
        "napari/file/io_utilities",
        "napari/layers/segment",
    }
    assert set(manifest.contributions.menus) <= allowed


def test_the_readers_patterns_are_what_the_reader_takes(manifest):
    from napari_bcannot.readers import SCHEMES, VOLUME_SUFFIXES

    (reader,) = manifest.contributions.readers
    expected = {f"*{suffix}" for suffix in (*VOLUME_SUFFIXES, ".swc")}
    expected |= {f"{scheme}*" for scheme in SCHEMES}
    assert set(reader.filename_patterns) == expected
    assert reader.accepts_directories


def test_the_writer_saves_points_as_swc(manifest):
    (writer,) = manifest.contributions.writers
    assert writer.layer_types == ["points"]
    assert writer.filename_extensions == [".swc"]


def test_the_plugins_keys_are_free_where_they_are_used():
    from napari.utils.shortcuts import default_shortcuts

    from napari_bcannot.shortcuts import HELP, SHORTCUTS

    elsewhere = ("labels", "shape", "surface", "tracks", "brush", "polygon", "label")
    taken = {
        str(key)
        for action, keys in default_shortcuts.items()
        if not any(word in str(action) for word in elsewhere)
        for key in keys
    }
    mine = {s.key.replace("Control", "Ctrl").replace("-", "+") for s in SHORTCUTS}
    assert not mine & taken
    assert all(shortcut.label in HELP for shortcut in SHORTCUTS)


def test_the_samples_are_the_volume_and_a_world_of_every_built_in_task(manifest):
    samples = manifest.contributions.sample_data
    keys = [sample.key for sample in samples]
    assert len(set(keys)) == len(keys)
    assert set(_BUILT_IN) <= set(keys)
    assert set(keys) - {"sample_em"} <= set(CONTRACT)
    assert all(sample.command == f"napari-bcannot.sample_{sample.key}" for sample in samples[1:])
    assert len({sample.display_name for sample in samples}) == len(samples)
