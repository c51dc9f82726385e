"""Pictures of *Play a task*."""

from shots.driving import a_viewer, dock, press, take, wait

TASK, SEED, STEPS = "road_network", 1, 32


def pictures() -> None:
    """Watch the annotator draw a road network, its world open as layers; look at its options."""
    with a_viewer(sample=None) as viewer:
        widget = dock(viewer, "Play a task")
        view = widget.view
        view.seed.setValue(SEED)
        view.task.setCurrentIndex(view.task.findData(TASK))
        wait(lambda: not widget.background.busy)
        view.speed.setCurrentIndex(view.speed.count() - 1)
        press(view.play)
        wait(lambda: view.slider.maximum() >= STEPS)
        press(view.play)
        press(view.layers)
        press(view.step)
        viewer.reset_view()
        take(viewer, "play-a-task.png", rest=1.0)
        view.setup.open(True)
        take(viewer, "play-options.png", rest=1.0)
