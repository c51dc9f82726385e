"""Worlds as layers of a real viewer: updated in place, spatial ones in three dimensions."""

import numpy as np
import pytest

from bcannot_core.annotators import make_annotator
from bcannot_core.session.session import Session
from bcannot_core.tasks.registry import list_tasks, make_task
from napari_bcannot.shown_world import ShownWorld, for_view, is_spatial, section_of


def layers(task_id):
    task = make_task(task_id, 1)
    return task.layers(task.initial_state())


def test_only_what_is_looked_at_in_projection_is_spatial():
    assert [t for t in list_tasks() if is_spatial(layers(t))] == ["exploration_3d"]


def test_points_of_a_spatial_world_are_balls_and_its_answer_a_text():
    shown = {meta["name"]: meta for _, meta, _ in for_view(layers("exploration_3d"))}
    assert shown["spheres"]["shading"] == "spherical"
    assert shown["answer"]["face_color"] == "transparent"
    assert "shading" not in shown["object"]
    flat = layers("cell_lineage")
    assert [meta for _, meta, _ in for_view(flat)] == [meta for _, meta, _ in flat]


@pytest.mark.gui
def test_the_annotation_is_brought_up_to_date_and_the_view_stays(make_napari_viewer):
    viewer = make_napari_viewer()
    session = Session(make_task("colored_dot_tracking", 0))
    annotator = make_annotator(session, 0)
    world = ShownWorld(viewer)
    world.show(session.task, session.state)
    names = [layer.name for layer in viewer.layers]
    assert names[-1] == "placed dots"
    viewer.layers["true dots"].visible = True
    viewer.layers["placed dots"].visible = False
    viewer.layers["placed dots"].name = "mine"
    viewer.layers.selection.active = viewer.layers["dots"]
    while not len(world._shown["placed dots"].data):
        for _ in range(10):
            annotator.step()
        world.show(session.task, session.state)
    assert [layer.name for layer in viewer.layers] == [*names[:-1], "mine"]
    assert viewer.dims.current_step[0] == session.state.section
    assert viewer.layers["true dots"].visible
    assert not viewer.layers["mine"].visible
    assert viewer.layers.selection.active == viewer.layers["dots"]
    viewer.layers.remove("curve")
    world.show(session.task, session.state)
    assert "curve" in viewer.layers
    world.forget()
    world.show(session.task, session.state)
    assert len(viewer.layers) == 2 * len(names), "another world has layers of its own"


@pytest.mark.gui
@pytest.mark.parametrize("task_id", ["neuron_tracing", "cell_lineage", "neuron_tracking"])
def test_the_viewer_goes_where_the_screen_is(make_napari_viewer, task_id):
    viewer = make_napari_viewer()
    task = make_task(task_id, 1)
    session = Session(task)
    onward = next(spec.id for spec in task.buttons if spec.id.startswith("next"))
    world = ShownWorld(viewer)
    for _ in range(2):
        session.apply(session.click_for(onward), "person")
        world.show(task, session.state)
        section = section_of(task, session.state)
        assert viewer.dims.current_step[0] == section
    assert section == (task.z_of(2) if task_id == "neuron_tracing" else 2)


@pytest.mark.gui
def test_spatial_worlds_are_shown_in_three_dimensions_and_others_in_two(make_napari_viewer):
    viewer = make_napari_viewer()
    world = ShownWorld(viewer)
    deep, flat = make_task("exploration_3d", 1), make_task("colored_dot_tracking", 1)
    world.show(deep, deep.initial_state())
    assert viewer.dims.ndisplay == 3
    viewer.dims.ndisplay = 2
    world.show(deep, deep.initial_state())
    assert viewer.dims.ndisplay == 2, "who chose another view keeps it"
    world.forget()
    world.show(deep, deep.initial_state())
    assert viewer.dims.ndisplay == 3
    world.forget()
    world.show(flat, flat.initial_state())
    assert viewer.dims.ndisplay == 2


@pytest.mark.gui
def test_a_spatial_sample_opens_in_three_dimensions(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.open_sample("napari-bcannot", "colored_dot_tracking")
    assert viewer.dims.ndisplay == 2
    viewer.layers.clear()
    viewer.open_sample("napari-bcannot", "exploration_3d", seed=2)
    assert viewer.dims.ndisplay == 3
    viewer.layers["spheres"].visible = True
    picture = viewer.screenshot(flash=False)[..., :3].astype(int)
    yellow = (picture[..., 0] > 150) & (picture[..., 1] > 150) & (picture[..., 2] < 90)
    assert yellow.sum() > 50, "the spheres' centres are not seen"
    assert np.ptp(picture[yellow][:, 0]) > 20, "they are flat"
