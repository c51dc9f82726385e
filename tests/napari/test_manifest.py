"""The manifest against the code: npe2's own check lets most mistakes pass."""

import inspect
import re
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
    known = [command.id for command in contributions.commands]
    used = {
        *(widget.command for widget in contributions.widgets),
        *(reader.command for reader in contributions.readers),
        *(writer.command for writer in contributions.writers),
        *(sample.command for sample in contributions.sample_data),
        *in_menus(manifest),
    }
    assert len(set(known)) == len(known)
    assert used == set(known)
    assert all(id_.startswith("napari-bcannot.") for id_ in known)


def in_menus(manifest):
    menus = manifest.contributions.menus.values()
    return [item.command for items in menus for item in items if hasattr(item, "command")]


def submenus_in(items):
    return [item.submenu for item in items if hasattr(item, "submenu")]


def test_every_action_and_widget_is_in_the_plugins_menu(manifest):
    contributions = manifest.contributions
    offered = {
        item.command
        for name, items in contributions.menus.items()
        for item in items
        if name.startswith("napari-bcannot/") and hasattr(item, "command")
    }
    commands = {
        command.id for command in contributions.commands if "commands:" in command.python_name
    }
    assert offered == commands | {widget.command for widget in contributions.widgets}


def test_every_submenu_is_filled_and_can_be_reached(manifest):
    contributions = manifest.contributions
    declared = {submenu.id: submenu.label for submenu in contributions.submenus}
    menus = contributions.menus
    reached, waiting = set(), [name for name in menus if name.startswith("napari/")]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += submenus_in(menus[name])
    assert set(declared) <= reached
    assert reached == set(menus)
    assert len(set(declared.values())) == len(declared)
    assert all(menus[name] for name in declared)


def test_entries_of_a_menu_stand_in_an_order_of_their_own(manifest):
    for name, items in manifest.contributions.menus.items():
        if name.startswith("napari-bcannot/"):
            places = [item.group for item in items]
            assert all(re.fullmatch(r"\d_[a-z]+@\d+", place or "") for place in places), name
            assert len(set(places)) == len(places), f"two entries of {name} have one place"


def test_titles_tell_commands_apart_and_say_when_a_dialog_follows(manifest):
    titles = [c.title for c in manifest.contributions.commands if "commands:" in c.python_name]
    assert len(set(titles)) == len(titles)
    assert all(title[0].isupper() and not title.endswith(".") for title in titles)
    asking = {title for title in titles if title.endswith("…")}
    assert {title for title in titles if "Save" in title} <= asking


def test_what_needs_arguments_is_greyed_out_in_the_palette(manifest):
    contributions = manifest.contributions
    needy = {
        *(r.command for r in contributions.readers),
        *(w.command for w in contributions.writers),
    }
    for command in contributions.commands:
        assert (command.enablement == "False") == (command.id in needy), command.id


def test_commands_need_nothing_but_the_viewer(manifest):
    for command in manifest.contributions.commands:
        if "commands:" in command.python_name:
            module, _, name = command.python_name.partition(":")
            names = set(inspect.signature(getattr(import_module(module), name)).parameters)
            assert names <= {"viewer"}, command.id


def test_the_menus_are_ones_that_plugins_may_add_to(manifest):
    allowed = {
        "napari/layers/annotate",
        "napari/layers/track",
        "napari/file/io_utilities",
        "napari/layers/segment",
    }
    names = {name for name in manifest.contributions.menus if name.startswith("napari/")}
    assert names <= allowed


def test_the_readers_patterns_are_what_the_reader_takes(manifest):
    from napari_bcannot.readers import SCHEMES, VOLUME_SUFFIXES

    (reader,) = manifest.contributions.readers
    expected = {f"*{suffix}" for suffix in (*VOLUME_SUFFIXES, ".swc", ".nml", ".csv")}
    expected |= {f"{scheme}*" for scheme in SCHEMES}
    assert set(reader.filename_patterns) == expected
    assert reader.accepts_directories


def test_the_writers_save_points_as_skeletons(manifest):
    writers = manifest.contributions.writers
    assert all(writer.layer_types == ["points+", "vectors*"] for writer in writers)
    endings = [writer.filename_extensions for writer in writers]
    assert endings == [[".swc"], [".nml"], [".csv"], [".precomputed"]]


def test_the_plugins_keys_are_free_where_they_are_used():
    from napari.utils.shortcuts import default_shortcuts

    from napari_bcannot.review_keys import REVIEW_SHORTCUTS
    from napari_bcannot.shortcuts import SHORTCUTS

    elsewhere = (
        "labels", "shape", "surface", "tracks", "brush", "polygon", "label", "rectangle", "plane",
    )  # fmt: skip
    taken = {
        str(key)
        for action, keys in default_shortcuts.items()
        if not any(word in str(action) for word in elsewhere)
        for key in keys
    }
    mine = {
        s.key.replace("Control", "Ctrl").replace("-", "+") for s in (*SHORTCUTS, *REVIEW_SHORTCUTS)
    }
    assert not mine & taken
    assert len(mine) == len(SHORTCUTS) + len(REVIEW_SHORTCUTS), "two widgets want the same key"


def test_every_key_is_listed_and_calls_a_method_of_its_widget():
    from napari_bcannot.review_keys import REVIEW_SHORTCUTS
    from napari_bcannot.shortcuts import SHORTCUTS, all_shortcuts
    from napari_bcannot.widgets.review_queue import ReviewWidget
    from napari_bcannot.widgets.trace_neuron import TraceNeuronWidget

    listed = {key: does for _, rows in all_shortcuts() for key, does in rows}
    for widget, keys in ((TraceNeuronWidget, SHORTCUTS), (ReviewWidget, REVIEW_SHORTCUTS)):
        assert len({key.key for key in keys}) == len(keys)
        for key in keys:
            assert callable(getattr(widget, key.command)), key
            assert key.label in listed


def test_the_samples_are_the_volume_and_a_world_of_every_built_in_task(manifest):
    samples = manifest.contributions.sample_data
    keys = [sample.key for sample in samples]
    assert len(set(keys)) == len(keys)
    assert set(_BUILT_IN) <= set(keys)
    assert set(keys) - {"sample_em"} <= set(CONTRACT)
    assert all(sample.command == f"napari-bcannot.sample_{sample.key}" for sample in samples[1:])
    assert len({sample.display_name for sample in samples}) == len(samples)
