"""``bcannot eval`` and ``bcannot demo``: scores with the keys of the contract, and files."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bcannot_core.cli import demo
from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.episodes.replay import replay
from bcannot_core.errors import DatasetError, VolumeUnreachableError
from bcannot_core.evaluation.demo import DemoOptions, distinct_neurites
from bcannot_core.evaluation.sample import open_sample, sample_path
from bcannot_core.volumes import Volume, read_swc

KEYS = {
    "episodes",
    "skeleton_accuracy",
    "coverage",
    "done_rate",
    "placement_at_5px",
    "placement_at_10px",
    "first_node_accuracy",
    "mistakes",
    "undos",
    "steps_mean",
    "ms_per_action",
}


def evaluate(cli: Any, policy: Path, report: Path, *argv: object) -> dict[str, Any]:
    words = ("eval", policy, "--task", "neuron_tracing", "--forced", 0, "--sections", 10)
    code, _, err = cli(*words, "--json", report, *argv)
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_eval_has_the_keys_of_the_contract(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path
) -> None:
    argv = ("--volume", labelled_npz, "--episodes", 3, "--seed", 4)
    result = evaluate(cli, centre_policy, tmp_path / "r.json", *argv)
    assert set(result) >= KEYS
    # the neurites are straight, so that the centre is always right
    assert result["episodes"] == 3
    assert result["skeleton_accuracy"] == result["coverage"] == result["done_rate"] == 1.0
    assert result["baseline:centre"]["skeleton_accuracy"] == 1.0
    assert result["baseline:stay"]["coverage"] == 1.0
    assert result["voxel_nm"] == [30.0, 10.0, 10.0] and result["seed"] == 4


def test_labels_from_another_file_by_key(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path
) -> None:
    with np.load(labelled_npz) as arrays:
        np.save(tmp_path / "em.npy", arrays["em"])
        np.savez(tmp_path / "truth.npz", other=arrays["em"], ids=arrays["seg"])
    argv = ("--volume", tmp_path / "em.npy", "--labels", tmp_path / "truth.npz", "--labels-key")
    result = evaluate(
        cli, centre_policy, tmp_path / "r.json", *argv, "ids", "--voxel-nm", "30,10,10",
        "--episodes", 2,
    )  # fmt: skip
    assert result["skeleton_accuracy"] == 1.0


@pytest.fixture
def failing_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the server of every volume be gone after so many pictures of sections."""
    read = Volume.section_grey

    def after(count: int) -> None:
        left = iter(range(count))

        def failing(self: Volume, *box: int) -> Any:
            if next(left, None) is None:
                raise VolumeUnreachableError("the server of em does not answer")
            return read(self, *box)

        monkeypatch.setattr(Volume, "section_grey", failing)

    return after


@pytest.mark.parametrize(
    ("pictures", "kept"),
    [
        (25, {"episodes": 2}),
        (35, {"episodes": 3, "baseline:centre": None}),
        (95, {"episodes": 3, "baseline:centre": 3, "baseline:stay": 3, "forced_mistakes": 0}),
    ],
)
def test_traces_that_were_finished_when_the_server_goes_are_kept(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path, pictures: int,
    kept: dict[str, int | None], failing_after: Callable[[int], None],
) -> None:  # fmt: skip
    argv = ("--volume", labelled_npz, "--episodes", 3, "--forced", 1, "--sections", 10)
    report = tmp_path / "r.json"
    failing_after(pictures)
    code, out, err = cli("eval", centre_policy, *argv, "--json", report)
    assert (code, err.count("\n")) == (1, 1)
    assert "not finished: the server of em does not answer" in err
    result = json.loads(report.read_text())
    assert result["skeleton_accuracy"] == 1.0 and len(result["per_episode"]) == result["episodes"]
    found = {key: result.get(key) for key in ("episodes", *kept)}
    assert {k: v["episodes"] if isinstance(v, dict) else v for k, v in found.items()} == kept
    assert "drawn" in out


def test_an_evaluation_whose_server_goes_at_once_has_no_figures(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path,
    failing_after: Callable[[int], None],
) -> None:  # fmt: skip
    failing_after(5)
    argv = ("--volume", labelled_npz, "--episodes", 3, "--json", tmp_path / "r.json")
    code, out, err = cli("eval", centre_policy, *argv)
    assert (code, out) == (1, "") and err == "bcannot: the server of em does not answer\n"
    assert not (tmp_path / "r.json").exists()


def test_recorded_sessions_that_were_asked_when_the_server_goes_are_kept(
    cli: Any, tmp_path: Path, labelled_npz: Path, random_policy: Path,
    failing_after: Callable[[int], None],
) -> None:  # fmt: skip
    data, report = tmp_path / "data", tmp_path / "r.json"
    argv = ("--volume", labelled_npz, "--sections", 4, "--episodes", 2, "--out", data)
    assert cli("generate", "neuron_tracing", *argv)[0] == 0
    failing_after(6)  # the sections of one session, and some
    argv = ("--mode", "teacher-forced", "--data", data, "--json", report)
    code, _, err = cli("eval", random_policy, *argv)
    assert code == 1 and "not finished: the server of em does not answer" in err
    assert json.loads(report.read_text())["episodes"] == 1


def test_eval_of_every_other_section(
    cli: Any, tmp_path: Path, labelled_npz: Path, centre_policy: Path
) -> None:
    argv = ("--volume", labelled_npz, "--episodes", 2, "--z-step", 2)
    assert evaluate(cli, centre_policy, tmp_path / "r.json", *argv)["voxel_nm"] == [60, 10, 10]


@pytest.mark.parametrize(
    ("argv", "code", "named"),
    [
        (("--task", "neuron_tacing"), 2, "did you mean"),
        (("--episodes", "0"), 2, "episodes"),
        (("--volume", "missing.npz"), 1, "missing.npz"),
        (("--policy-that-is-no-option",), 2, "no-option"),
        (("--voxel-nm", "10"), 2, "--voxel-nm"),
        (("--mode", "teacher-forced", "--data", "d", "--volume", "v.npz"), 2, "--volume"),
        (("--mode", "teacher-forced", "--data", "d", "--labels", "v.npz"), 2, "--labels"),
    ],
)
def test_eval_refuses(
    cli: Any, random_policy: Path, argv: tuple[str, ...], code: int, named: str
) -> None:
    found, out, err = cli("eval", random_policy, *argv)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert named in err


def test_eval_of_a_volume_without_labels_asks_for_them(
    cli: Any, tmp_path: Path, random_policy: Path
) -> None:
    np.save(tmp_path / "em.npy", np.zeros((8, 64, 64), np.uint8))
    code, _, err = cli("eval", random_policy, "--volume", tmp_path / "em.npy")
    assert code == 2 and "--labels" in err


# ------------------------------------------------------------------------------------------ demo


def test_the_sample_volume_is_there() -> None:
    volume, labels = open_sample()
    assert sample_path().stat().st_size < 4 * 2**20
    assert volume.shape == labels.shape and volume.voxel_known


def test_demo_neurites_are_different_and_long() -> None:
    paths = distinct_neurites(open_sample()[1], DemoOptions(neurites=4, sections=30))
    assert len({path.label for path in paths}) == 4
    assert min(len(path) for path in paths) >= 20


def test_demo_writes_what_it_says(cli: Any, tmp_path: Path, centre_policy: Path) -> None:
    out = tmp_path / "demo"
    argv = ("demo", "--no-viewer", "--neurites", 2, "--sections", 10, "--policy", centre_policy)
    code, said, err = cli(*argv, "--out", out, "--json", tmp_path / "s.json")
    assert (code, err) == (0, "")
    summary = json.loads((out / "summary.json").read_text())
    assert summary == json.loads((tmp_path / "s.json").read_text())
    assert all((out / name).exists() for name in summary["files"])
    swcs = sorted(out.glob("*.swc"))
    assert [len(read_swc(path)) for path in swcs] == [10, 10]
    assert summary["coverage"] == 1.0 and 0 < summary["skeleton_accuracy"] <= 1
    labels = {one["label"] for one in summary["neurites"]}
    assert {path.name for path in swcs} == {f"neurite-{label}.swc" for label in labels}
    with Image.open(out / "montage.png") as picture:
        assert picture.width > 1000
    sessions = open_dataset(out / "sessions")
    assert len(sessions) == 2
    assert [step.outcome.action for step in replay(sessions[0])][-1] == "done"
    assert str(out) in said

    assert cli(*argv, "--out", out)[0] == 0
    assert len(open_dataset(out / "sessions")) == 2


def test_demo_opens_a_viewer_where_it_can(
    cli: Any, tmp_path: Path, centre_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_options: started.append(command))
    argv = ("demo", "--neurites", 1, "--sections", 10, "--policy", centre_policy)
    monkeypatch.setattr(demo, "can_show", lambda: False)
    assert cli(*argv, "--out", tmp_path / "a")[0] == 0
    assert started == []
    monkeypatch.setattr(demo, "can_show", lambda: True)
    assert cli(*argv, "--out", tmp_path / "b")[0] == 0
    (command,) = started
    assert command[1:3] == ["-m", "napari"]
    assert str(sample_path()) in command and str(tmp_path / "b" / "sessions") in command


@pytest.mark.parametrize(
    ("display", "installed", "expected"),
    [(":0", True, True), ("", True, False), (":0", False, False)],
)
def test_a_viewer_needs_napari_and_a_display(
    monkeypatch: pytest.MonkeyPatch, display: str, installed: bool, expected: bool
) -> None:
    monkeypatch.setattr(demo.sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    spec = object() if installed else None
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _name: spec)
    assert demo.can_show() is expected


def test_demo_without_a_policy_is_one_line(cli: Any, tmp_path: Path) -> None:
    code, _, err = cli("demo", "--out", tmp_path, "--policy", "no-such-policy", "--no-viewer")
    assert (code, err.count("\n")) == (1, 1)


# ----------------------------------------------------------------------------------- other tasks

POINTS = {"precision", "recall", "f1", "rmse_px", "success_rate"}
COMMON = {"episodes", "done_rate", "mistakes", "undos", "steps_mean", "ms_per_action"}


def evaluate_task(cli: Any, report: Path, *argv: object) -> dict[str, Any]:
    code, out, err = cli("eval", *argv, "--json", report)
    assert (code, err) == (0, "") and out
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_eval_of_a_task_in_closed_loop(cli: Any, tmp_path: Path) -> None:
    argv = ("baseline:flawless", "--task", "colored_dot_tracking", "--episodes", 2)
    rollouts = tmp_path / "rollouts"
    result = evaluate_task(
        cli, tmp_path / "r.json", *argv, "--forced", 1, "--lockstep", 2, "--record", rollouts
    )
    assert set(result) >= POINTS | COMMON
    assert result["task"] == "colored_dot_tracking" and result["mode"] == "closed-loop"
    assert result["f1"] == result["done_rate"] == 1.0
    assert result["forced_mistakes"]["undo_rate"] == 1.0
    assert result["annotator"]["steps_mean"] > result["steps_mean"]
    kept = open_dataset(rollouts)
    assert [episode.meta["success"] for episode in (kept[0], kept[1])] == [True, True]
    assert [step.outcome.action for step in replay(kept[1])][-1] == "done"
    assert len(kept[0]) == result["per_episode"][0]["steps"]


def test_sessions_of_another_policy_are_kept_beside(cli: Any, tmp_path: Path) -> None:
    argv = ("--task", "shape_matching", "--episodes", 2, "--forced", 0)
    for name in ("flawless", "random", "flawless"):
        evaluate_task(
            cli, tmp_path / "r.json", f"baseline:{name}", *argv, "--limit", 3, "--record", tmp_path
        )
    kept = [episode.meta["policy"] for episode in open_dataset(tmp_path)]
    assert sorted(kept) == ["baseline:flawless"] * 2 + ["baseline:random"] * 2


def test_figures_are_there_where_sessions_cannot_be_kept(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ("eval", "baseline:random", "--task", "shape_matching", "--episodes", 1, "--limit", 2)
    report, out = tmp_path / "r.json", tmp_path / "sessions"
    (tmp_path / "file").write_text("")
    code, said, err = cli(*argv, "--record", tmp_path / "file" / "x")
    assert (code, said, err.count("\n")) == (1, "", 1)  # before the work is done

    def full(*_arguments: object) -> None:
        raise DatasetError("cannot write dataset: No space left on device")

    monkeypatch.setattr("bcannot_core.evaluation.rollouts.write_shard", full)
    code, said, err = cli(*argv, "--forced", 0, "--record", out, "--json", report)
    assert code == 1 and "No space" in err and "success_rate" in said
    assert json.loads(report.read_text())["episodes"] == 1


def test_eval_of_a_task_teacher_forced(cli: Any, tmp_path: Path, random_policy: Path) -> None:
    argv = ("--task", "shape_matching", "--episodes", 2, "--mode", "teacher-forced")
    perfect = evaluate_task(cli, tmp_path / "a.json", "baseline:flawless", *argv)
    assert perfect["episodes"] == 2 and perfect["buttons"]["done"] == 1.0
    assert perfect["placement_on_target"] == 1.0
    assert perfect["by_action"]["done"]["accuracy"] == 1.0
    trained = evaluate_task(cli, tmp_path / "b.json", random_policy, *argv)
    assert trained["steps"] == perfect["steps"]
    assert trained["action_accuracy"] < 1.0


def test_a_policy_and_another_variant(cli: Any, tmp_path: Path, random_policy: Path) -> None:
    argv = ("--task", "shape_matching", "--episodes", 1, "--forced", 0, "--limit", 4)
    result = evaluate_task(cli, tmp_path / "r.json", random_policy, *argv, "--variant", "retro")
    assert result["variant"] == "retro" and result["steps_mean"] <= 4


@pytest.mark.parametrize(
    ("argv", "code", "named"),
    [
        (("--task", "shape_matching", "--volume", "v.npz"), 2, "--volume"),
        (("--task", "shape_matching", "--variant", "no-such"), 2, "no-such"),
        (("--task", "shape_matching", "--lockstep", "0"), 2, "lockstep"),
        (("--task", "shape_matching", "--data", "d"), 2, "--data"),
        (("--task", "shape_matching", "--labels-key", "k"), 2, "--labels-key"),
        (("--task", "shape_matching", "--mode", "teacher-forced", "--record", "r"), 2, "--record"),
    ],
)
def test_eval_of_a_task_refuses(cli: Any, argv: tuple[str, ...], code: int, named: str) -> None:
    found, out, err = cli("eval", "baseline:random", *argv)
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert named in err


@pytest.mark.parametrize("option", [("--record", "r"), ("--limit", "9"), ("--variant", "retro")])
def test_tracing_refuses_options_of_other_tasks(cli: Any, option: tuple[str, str]) -> None:
    code, _, err = cli("eval", "default", *option)
    assert code == 2 and option[0] in err


def test_eval_of_an_unknown_baseline_names_those_there_are(cli: Any) -> None:
    code, _, err = cli("eval", "baseline:best", "--task", "shape_matching")
    assert code == 2 and "baseline:random" in err
    code, _, err = cli("eval", "baseline:random", "--task", "neuron_tracing")
    assert code == 2 and "baseline:random" in err
