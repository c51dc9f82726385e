"""``bcannot report``: a page that holds everything, escapes everything, and shows what is there."""

import base64
import io
import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bcannot_core.episodes.dataset import open_dataset
from bcannot_core.errors import UsageError
from bcannot_core.evaluation.reference import reference_figures, reference_source
from bcannot_core.evaluation.report import Page, ReportOptions, build_report
from bcannot_core.evaluation.report.curves import emergence, groups_of
from bcannot_core.evaluation.report.page import Heading, Listing, Picture, Table, Text
from bcannot_core.evaluation.report.pictures import examples, overlaid
from bcannot_core.evaluation.report.runs import read_run
from bcannot_core.evaluation.rollouts import Rollouts
from bcannot_core.evaluation.scripted import RandomActors, scripted_actors
from bcannot_core.evaluation.tasks import TaskEvaluation, evaluate_task

NASTY = '<script>alert("1")</script> & | `x` [y](z)'


class Parsed(HTMLParser):
    """What is on a page: words, sources and tags; fails on tags that are not closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)
        if data.strip() and (not self.open or self.open[-1] != "style"):
            self.words.append(data)


def log_of(folder: Path, stages: Mapping[str, list[dict[str, Any]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"stage": "run", "torch": "2"})]
    for stage, entries in stages.items():
        lines += [
            json.dumps({"stage": stage, "update": i, "time": 10.0 + 6 * i, **entry})
            for i, entry in enumerate(entries)
        ]
    (folder / "log.jsonl").write_text("\n".join([*lines, '{"stage": "st']), "utf-8")


def falling(updates: int = 200) -> list[dict[str, Any]]:
    """``next_section`` falls at update 50, ``place`` at 150, ``undo`` never."""
    return [
        {
            "total": 4.0 / (1 + i),
            "gradient": 1e9,
            "by_action": {
                "place": 4.0 if i < 150 else 0.4,
                "next_section": 4.0 if i < 50 else 0.2,
                "undo": 5.0,
            },
            "by_task": {"shape_matching": 1.0},
        }
        for i in range(updates)
    ]


def result(mode: str = "closed-loop", **values: Any) -> dict[str, Any]:
    return {"task": "colored_dot_tracking", "mode": mode, "episodes": 20, **values}


def make_run(folder: Path, **evaluations: dict[str, Any]) -> Path:
    log_of(folder, {"frames": falling()})
    recipe = {"family": "frames", "policy": {"size": "tiny"}, "windows": 16}
    (folder / "recipe.json").write_text(json.dumps(recipe), "utf-8")
    for name, body in evaluations.items():
        (folder / f"{name}.json").write_text(json.dumps(body), "utf-8")
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a success and a failure of a task."""
    folder = tmp_path_factory.mktemp("runs") / "recorded"
    for i, actors in enumerate((scripted_actors("baseline:flawless", 1), RandomActors(1))):
        options = TaskEvaluation("shape_matching", episodes=1, forced=0, seed=i, annotator=False)
        rollouts = Rollouts(actors.name, options)
        evaluate_task(actors, options, keep=rollouts.keep)
        rollouts.write(folder / "kept")
    return make_run(folder)


# ---------------------------------------------------------------------------------------- curves


def test_curves_come_from_both_families_of_runs() -> None:
    glance = [{"update": i, "mask": 1.0, "total": 2.0, "time": 3.0} for i in range(3)]
    assert {name: set(group) for name, group in groups_of(glance).items()} == {
        "losses": {"mask", "total"}
    }
    frames = groups_of([{"update": i, **entry} for i, entry in enumerate(falling(9))])
    assert set(frames) == {"losses", "by_action", "by_task"}
    assert set(frames["losses"]) == {"total"}
    assert frames["by_action"]["undo"].losses.tolist() == [5.0] * 9


def test_what_is_learnt_when() -> None:
    entries = [{"update": i, **entry} for i, entry in enumerate(falling(200))]
    found = emergence(groups_of(entries)["by_action"])
    assert [one.name for one in found] == ["next_section", "place", "undo"]
    first, second, never = found
    assert first.half == pytest.approx(50, abs=4) and first.most == pytest.approx(52, abs=4)
    assert second.half == pytest.approx(150, abs=4)
    assert (first.first, first.last) == (4.0, pytest.approx(0.2))
    assert never.half is None and never.most is None


def test_values_that_are_no_losses_are_left_out() -> None:
    entries = [{"update": 0, "a": True, "b": "x", "c": float("nan"), "d": None, "e": 1}]
    assert set(groups_of(entries)["losses"]) == {"e"}


# ------------------------------------------------------------------------------------------ page


def test_everything_is_escaped_in_both_forms() -> None:
    page = Page(NASTY)
    page.add(Heading(NASTY), Text(NASTY), Table((NASTY,), ((NASTY,),)), Listing(NASTY, NASTY))
    page.add(Picture("data:image/png;base64,AA==", NASTY))
    parsed = Parsed(page.to_html())
    assert "script" not in parsed.tags
    assert parsed.words.count(NASTY) == 9
    assert parsed.rows == [[NASTY], [NASTY]]
    markdown = page.to_markdown().replace(f"```\n{NASTY}\n```", "")
    assert "<script>" not in markdown and "[y](z)" not in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(table) == 3 and all(line.replace("\\|", "").count("|") == 2 for line in table)


@given(st.text(max_size=60))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    page = Page("t")
    page.add(Table(("a",), ((text,),)), Listing("l", text))
    parsed = Parsed(page.to_html())
    shown = "".join(parsed.rows[1])
    assert shown == text.replace("\r\n", "\n").replace("\r", "\n") or "\r" in text
    fences = [line for line in page.to_markdown().splitlines() if set(line) == {"`"}]
    assert len([fence for fence in fences if len(fence) >= 3]) >= 2


# ---------------------------------------------------------------------------------------- report


def test_a_page_loads_nothing_and_shows_what_is_there(recorded: Path) -> None:
    page = build_report([recorded], ReportOptions(heatmaps=0)).to_html()
    parsed = Parsed(page)
    assert parsed.sources and all(source.startswith("data:image/") for source in parsed.sources)
    assert "url(" not in page and "@import" not in page and "script" not in parsed.tags
    assert ["size", "tiny"] in parsed.rows and ["updates", "200"] in parsed.rows
    learnt = [row for row in parsed.rows if row and row[0] in ("next_section", "place", "undo")]
    assert [row[0] for row in learnt] == ["next_section", "place", "undo"]
    assert 46 <= int(learnt[0][1]) <= 56 and learnt[0][3:] == ["4", "0.2"]
    assert learnt[2][1:] == ["–", "–", "5", "5"]
    animations = [source for source in parsed.sources if source.startswith("data:image/gif")]
    assert len(animations) == 2
    for uri in animations:
        with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as picture:
            assert picture.size == (213, 218) and getattr(picture, "n_frames", 1) > 2
    assert any("a failure" in word for word in parsed.words)
    assert any("windows = 16" in word for word in parsed.words)


def test_evaluations_stand_beside_the_reference(tmp_path: Path) -> None:
    closed = result(
        success_rate=0.5,
        done_rate=1.0,
        f1=0.91,
        mistakes=0.02,
        steps_mean=101.5,
        intervals_95={"success_rate": [0.3, 0.7]},
        annotator={"mistakes": 0.09, "steps_mean": 96},
        forced_mistakes={"episodes": 10, "undo_rate": 0.9},
    )
    forced = result("teacher-forced", placement_at_5px=0.955, by_action={"done": {"steps": 3}})
    run = make_run(tmp_path / "a", closed=closed, forced=forced)
    (run / "other.json").write_text('{"mode": "closed-loop"}', "utf-8")
    (run / "broken.json").write_text('{"mode": ', "utf-8")
    rows = Parsed(build_report([run]).to_html()).rows
    first = next(row for row in rows if row[-1] == "closed.json")
    assert first[:8] == [
        "colored_dot_tracking", "20", "0.500 (0.300–0.700)", "1", "f1 0.910", "0.020", "0.090",
        "0.900 of 10",
    ]  # fmt: skip
    assert "done 0.970 (95M)" in first[10] and "steps 110" in first[10]
    second = next(row for row in rows if row[-1] == "forced.json")
    assert "0.955" in second and "within 5 px 0.974 (95M)" in second[10]


def test_runs_are_compared_by_size(tmp_path: Path, random_policy: Path) -> None:
    runs = [
        make_run(tmp_path / name, e=result("teacher-forced", placement_at_5px=value))
        for name, value in (("small", 0.5), ("large", 0.75))
    ]
    for run in runs:
        (run / "policy").mkdir()
        for path in random_policy.iterdir():
            (run / "policy" / path.name).write_bytes(path.read_bytes())
    parsed = Parsed(build_report(runs, ReportOptions("Sizes", heatmaps=0)).to_html())
    table = [row for row in parsed.rows if row and row[0] in ("small", "large")]
    assert [row[-2] for row in table] == ["0.500", "0.750"]
    assert [row[3] for row in table] == ["200", "200"]
    assert int(table[0][2].replace(",", "")) == read_run(runs[0]).parameters
    assert "Sizes" in parsed.words


def test_where_an_untrained_policy_would_click(recorded: Path, random_policy: Path) -> None:
    folder = recorded / "policy"
    if not folder.exists():
        folder.mkdir()
        for path in random_policy.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    parsed = Parsed(build_report([recorded], ReportOptions(animations=False, heatmaps=2)).to_html())
    assert sum("shape_matching, step" in word for word in parsed.words) == 2
    assert sum(source.startswith("data:image/png") for source in parsed.sources) >= 2
    assert not any("Not drawn" in word for word in parsed.words)
    (folder / "config.json").write_text("{}", "utf-8")
    parsed = Parsed(build_report([recorded], ReportOptions(animations=False)).to_html())
    assert any("Not drawn" in word for word in parsed.words)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_map_is_bright_where_the_click_is_probable() -> None:
    frame = np.full((20, 30, 3), 100, np.uint8)
    heat = np.zeros((20, 30), np.float32)
    assert (overlaid(frame, heat) == 60).all()
    heat[5, 7] = 1.0
    shown = overlaid(frame, heat)
    assert shown[5, 7].sum() > 500 and (shown[10:] == 60).all()


def test_examples_are_one_success_and_one_failure(recorded: Path) -> None:
    found = list(examples(read_run(recorded).rollouts))
    assert [words for words, _ in found] == [
        "shape_matching: a success",
        "shape_matching: a failure",
    ]
    assert found[0][1].meta["success"] and not found[1][1].meta["success"]
    assert len(open_dataset(*read_run(recorded).rollouts)) == 2


def test_time_between_sessions_of_training_does_not_count(tmp_path: Path) -> None:
    log_of(tmp_path / "r", {"steps": [{"total": 1.0}] * 11})
    lines = (tmp_path / "r" / "log.jsonl").read_text("utf-8").splitlines()[:-1]
    later = {"stage": "steps", "update": 11, "total": 1.0, "time": 90_000.0}
    (tmp_path / "r" / "log.jsonl").write_text("\n".join([*lines, json.dumps(later)]), "utf-8")
    run = read_run(tmp_path / "r")
    assert run.updates == 12 and run.minutes == pytest.approx(1.0)


def test_empty_values_in_logs_and_results_are_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", odd=result(episodes=None, success_rate=None, steps_mean=None))
    other = make_run(tmp_path / "s", one=result(), two=result(episodes=None))
    empty = {"stage": None, "update": 3, "time": None, "total": None, "by_action": {"place": None}}
    log_of(run, {"steps": [{"total": 1.0}] * 3})
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write("\n")
        for entry in (empty, empty | {"stage": "steps"}, empty | {"update": None}):
            log.write(json.dumps(entry) + "\n")
    assert read_run(run).minutes == pytest.approx(0.2)
    assert build_report([run, other], ReportOptions(animations=False, heatmaps=0)).to_html()


def test_the_reference_names_its_source() -> None:
    assert "2606.07568" in reference_source()
    values = {figure.note: figure.value for figure in reference_figures(
        "colored_dot_tracking", "teacher-forced")}  # fmt: skip
    assert values == {"95M": 0.974, "28M": 0.941}
    assert reference_figures("shape_matching", "teacher-forced") == []


# ---------------------------------------------------------------------------------- command line


@pytest.mark.parametrize("name", ["page.html", "page.md"])
def test_the_command_writes_one_file(cli: Any, tmp_path: Path, recorded: Path, name: str) -> None:
    out = tmp_path / "new" / name
    code, said, err = cli("report", recorded, "--out", out, "--heatmaps", 0, "--title", "Mine")
    assert (code, err) == (0, "") and str(out) in said
    text = out.read_text("utf-8")
    assert "Mine" in text and "data:image/gif;base64," in text and "next" in text
    assert [path.name for path in out.parent.iterdir()] == [name]


def test_the_command_refuses_what_is_no_run(cli: Any, tmp_path: Path, recorded: Path) -> None:
    out = tmp_path / "page.html"
    for argv, named in (
        ((tmp_path / "missing", "--out", out), "missing"),
        ((tmp_path, "--out", out), "no run"),
        ((recorded, "--out", tmp_path / "page.pdf"), ".html or .md"),
    ):
        code, said, err = cli("report", *argv)
        assert (code, said, err.count("\n")) == (2, "", 1) and named in err
    assert not out.exists()


def test_a_report_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no run"):
        build_report([])
