"""Keys of a task's buttons."""

import pytest

from bcannot_core.screen import ButtonSpec
from bcannot_core.tasks.registry import list_tasks, make_task
from napari_bcannot.play_keys import assign_keys, keys_help


def items(count):
    return [ButtonSpec(f"neuron_{i}", f"N{i}", kind="item") for i in range(count)]


def test_the_usual_buttons_have_the_keys_of_trace_neuron():
    specs = [
        ButtonSpec("next_section", "+z"),
        ButtonSpec("previous_section", "−z"),
        ButtonSpec("mip", "MIP"),
        ButtonSpec("undo", "Undo"),
        ButtonSpec("done", "Done"),
    ]
    assert assign_keys(specs) == {
        ".": "next_section",
        ",": "previous_section",
        "M": "mip",
        "Ctrl+Z": "undo",
        "Shift+D": "done",
    }


def test_lists_have_digits_and_labels_that_share_a_letter_another_one():
    specs = [*items(3), ButtonSpec("wing", "Wing", kind="tab"), ButtonSpec("web", "Web")]
    keys = assign_keys(specs)
    assert [keys[d] for d in "123"] == ["neuron_0", "neuron_1", "neuron_2"]
    assert keys["W"] == "wing"
    assert keys["E"] == "web"


def test_tabs_that_begin_alike_have_the_upper_row_of_letters():
    tabs = [ButtonSpec(f"leg{i}", f"L{i}", kind="tab") for i in range(1, 6)]
    keys = assign_keys([*tabs, ButtonSpec("quit", "Quit"), *items(2)])
    assert [keys[key] for key in "QWERT"] == [tab.id for tab in tabs]
    assert keys["U"] == "quit"
    assert [keys[digit] for digit in "12"] == ["neuron_0", "neuron_1"]
    text = keys_help(keys, [*tabs, ButtonSpec("quit", "Quit"), *items(2)])
    assert text.startswith("<b>1 … 2</b> list &nbsp; <b>Q … T</b> tabs &nbsp; <b>U</b> Quit")


def test_labels_that_begin_with_a_number_have_digits_in_their_order():
    bands = [ButtonSpec(f"band{i}", f"{1000 + 10 * i} nm", kind="toggle") for i in range(3)]
    keys = assign_keys([*bands, ButtonSpec("close", "Close")])
    assert keys == {"1": "band0", "2": "band1", "3": "band2", "C": "close"}


@pytest.mark.parametrize("count", [5, 20, 60])
def test_no_key_has_two_buttons_and_no_button_two_keys(count):
    specs = [*items(count), ButtonSpec("undo", "Undo"), ButtonSpec("done", "Done")]
    keys = assign_keys(specs)
    assert len(set(keys.values())) == len(keys) == min(count + 2, 36 + 2)
    assert set(keys.values()) <= {spec.id for spec in specs}


def test_the_help_line_names_every_key_and_lists_in_short():
    specs = [*items(4), ButtonSpec("undo", "Undo"), ButtonSpec("mip", "MIP")]
    text = keys_help(assign_keys(specs), specs)
    assert "<b>1 … 4</b> list" in text
    assert "<b>Ctrl+Z</b> Undo" in text
    assert "<b>M</b> MIP" in text


@pytest.mark.parametrize("task_id", list_tasks())
def test_every_button_of_every_task_has_a_key(task_id):
    specs = make_task(task_id, 0).layout().specs
    keys = assign_keys(specs)
    assert set(keys.values()) == {spec.id for spec in specs}
    assert all(len(key) == 1 or "+" in key for key in keys)
