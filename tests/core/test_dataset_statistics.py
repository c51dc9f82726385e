"""Statistics of datasets: counted by hand, and of the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bcannot_core.annotators.labels import Flag, Phase, pack_flags
from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.episodes.episode import Episode
from bcannot_core.episodes.figures import write_figures
from bcannot_core.episodes.statistics import dataset_statistics
from bcannot_core.errors import DatasetError
from bcannot_core.session.clicks import ClickToken

WRONG = pack_flags(Flag.MISTAKE, Phase.PLACE, 3)
RIGHT = pack_flags(Flag.NONE, Phase.PLACE, 3)
MENDS = pack_flags(Flag.CORRECTION, Phase.CORRECT, 3)
GOES = pack_flags(Flag.NONE, Phase.NAVIGATE)


def click(action: str, flags: int = 0, ms: int = 100) -> ClickToken:
    return ClickToken(1, 2, "annotator", flags, ms, action)


def make_episode(*clicks: ClickToken, task: str = "neuron_tracing", **meta: Any) -> Episode:
    return Episode(task, {}, None, "original", 0, clicks, meta)


def dataset(path: Path, *episodes: Episode) -> Path:
    with EpisodeWriter(path, shard_episodes=2) as writer:
        writer.extend(episodes)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = make_episode(
        click("place", WRONG, 1000),
        click("undo", MENDS, 500),
        click("place", RIGHT, 2000),
        click("next_section", GOES, 300),
        click("place", RIGHT, 1200),
        click("done", 0, 900),
        success=True,
        strategy="hasty",
        behaviour="default",
    )
    second = make_episode(
        click("place", WRONG),
        click("next_section", GOES | Flag.MISTAKE),
        click("previous_section", GOES | Flag.CORRECTION),
        click("place", MENDS),
        success=False,
        behaviour="default",
    )
    other = make_episode(click("place"), click("undo"), click("undo"), task="tea", success=True)
    return dataset(tmp_path / "d", first, second, other)


def test_what_is_counted(folder: Path) -> None:
    found = dataset_statistics(folder)
    assert (found["episodes"], found["clicks"]) == (3, 13)
    assert found["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert found["bytes_per_click"] == found["bytes"] / 13
    assert list(found["tasks"]) == ["neuron_tracing", "tea"]
    of = found["tasks"]["neuron_tracing"]
    assert (of["episodes"], of["clicks"], of["lengths"]) == (2, 10, [6, 4])
    assert (of["steps_mean"], of["steps_min"], of["steps_max"], of["steps_sd"]) == (5, 4, 6, 1)
    assert of["actions"]["place"] == 0.5 and sum(of["actions"].values()) == pytest.approx(1)
    assert next(iter(of["actions"])) == "place"
    assert of["navigation"] == pytest.approx(0.3)
    assert of["navigation_per_placement"] == pytest.approx(3 / 5)
    assert of["correction_rate"] == pytest.approx(1 / 6)
    assert of["phases"] == pytest.approx(
        {"none": 0.1, "navigate": 0.3, "place": 0.4, "correct": 0.2}
    )
    assert of["seconds_mean"] == pytest.approx((5.9 + 0.4) / 2)
    assert of["action_ms"]["place"] == 1000
    assert of["success_rate"] == 0.5
    assert (of["strategies"], of["behaviours"]) == ({"hasty": 1}, {"default": 2})
    assert of["variants"] == {"original": 2}


def test_a_wrong_placement_is_taken_back_or_replaced(folder: Path) -> None:
    of = dataset_statistics(folder)["tasks"]["neuron_tracing"]
    assert of["mistakes"] == pytest.approx(2 / 4)  # four clicks are decisions to place
    assert of["error_then_undo"] == of["error_then_replaced"] == pytest.approx(1 / 4)
    assert of["error_then_mended"] == of["mistakes"]


def labelled(events: Flag, phase: Phase = Phase.PLACE, what: int | None = 3) -> int:
    return pack_flags(events, phase, what)


@pytest.mark.parametrize(
    ("later", "replaced"),
    [
        ([click("select", labelled(Flag.CORRECTION))], True),
        ([click("select", GOES), click("place", labelled(Flag.NONE))], True),  # noticed late
        ([click("place", labelled(Flag.CORRECTION, what=4))], False),  # of another object
        ([click("place", WRONG)], False),  # wrong again
        ([click("place", WRONG), click("place", RIGHT)], True),
        ([click("next_section", labelled(Flag.CORRECTION, Phase.NAVIGATE))], False),
        ([click("undo", MENDS)], False),
    ],
)
def test_a_wrong_choice_is_replaced_by_the_right_one_of_the_same_object(
    tmp_path: Path, later: list[ClickToken], replaced: bool
) -> None:
    chosen = click("select", WRONG)  # no edit: Undo cannot take it back
    rest = [click("place", labelled(Flag.NONE, what=number)) for number in (5, 6)]
    folder = dataset(tmp_path / "d", make_episode(chosen, *later, *rest), make_episode(*rest))
    of = dataset_statistics(folder)["tasks"]["neuron_tracing"]
    wrong = 1 + sum(each.flags == WRONG for each in later)
    decisions = 5 + sum(each.flags >> 4 & 7 == Phase.PLACE for each in later)
    assert of["mistakes"] == pytest.approx(wrong / decisions)
    assert of["error_then_undo"] == 0
    assert of["error_then_replaced"] == pytest.approx(wrong / decisions if replaced else 0)


def test_without_objects_a_correction_that_places_replaces(tmp_path: Path) -> None:
    wrong, mends = click("place", Flag.MISTAKE), click("place", Flag.CORRECTION)
    goes = click("next_section", Flag.CORRECTION)
    episodes = [make_episode(wrong, goes, mends), make_episode(wrong, goes), make_episode(mends)]
    of = dataset_statistics(dataset(tmp_path / "d", *episodes))["tasks"]["neuron_tracing"]
    assert of["mistakes"] == pytest.approx(2 / 4)
    assert of["error_then_replaced"] == pytest.approx(1 / 4)


def test_undo_takes_back_the_latest_edit_of_its_own_episode(tmp_path: Path) -> None:
    wrong, right, undo = click("place", WRONG), click("place", RIGHT), click("undo")
    episodes = [
        make_episode(wrong, right, undo),
        make_episode(undo, wrong, right, undo, undo),
        make_episode(wrong),
        make_episode(undo),
    ]
    of = dataset_statistics(dataset(tmp_path / "d", *episodes))["tasks"]["neuron_tracing"]
    assert of["error_then_undo"] == pytest.approx(1 / 5)
    assert of["error_then_replaced"] == 0  # the wrong one that was never taken back


def test_clicks_without_labels_and_tasks_that_are_not_installed(folder: Path) -> None:
    of = dataset_statistics(folder)["tasks"]["tea"]
    assert of["mistakes"] == of["error_then_undo"] == of["error_then_mended"] == 0
    assert of["correction_rate"] == pytest.approx(2 / 3)
    assert of["phases"] == {"none": 1}
    assert of["success_rate"] == 1


def test_several_datasets_are_counted_together(folder: Path, tmp_path: Path) -> None:
    more = dataset(tmp_path / "more", make_episode(click("done")))
    of = dataset_statistics(folder, more)["tasks"]["neuron_tracing"]
    assert sorted(of["lengths"]) == [1, 4, 6]


def test_figures_are_drawn(folder: Path, tmp_path: Path) -> None:
    paths = write_figures(dataset_statistics(folder), tmp_path / "figures")
    assert [path.name for path in paths] == ["lengths.png", "actions.png", "corrections.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert picture.width > 400 and len(picture.convert("RGB").getcolors(10**6) or ()) > 5
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="cannot write figures"):
        write_figures(dataset_statistics(folder), tmp_path / "file")


def test_the_command_shows_a_table_and_writes_json_and_figures(
    cli: Any, folder: Path, tmp_path: Path
) -> None:
    argv = (
        "stats",
        folder,
        "--actions",
        "--figures",
        tmp_path / "f",
        "--json",
        tmp_path / "s.json",
    )
    code, out, err = cli(*argv)
    assert (code, err) == (0, "")
    assert "3 episodes, 13 clicks" in out and "tea" in out and "next_section" in out
    assert json.loads((tmp_path / "s.json").read_text())["tasks"]["tea"]["clicks"] == 3
    assert len(list((tmp_path / "f").iterdir())) == 3


def test_the_command_says_when_there_is_no_dataset(cli: Any, tmp_path: Path) -> None:
    code, out, err = cli("stats", tmp_path / "none")
    assert (code, out, err.count("\n")) == (1, "", 1)
