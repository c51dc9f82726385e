"""Learning from sessions: from clicks to a named policy with scores and a card."""

import inspect
import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from sitting import trace_in
from test_lessons import traced

from bcannot_core.cli.learn import command
from bcannot_core.episodes.dataset import EpisodeWriter
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.policy.checkpoint import load_glance, read_config, save_checkpoint
from bcannot_core.policy.policy import Policy
from bcannot_core.session.journal import Journal
from bcannot_core.sittings import SittingWriter, export_sittings
from bcannot_core.training.held_out import score_held_out
from bcannot_core.training.learn_control import LearnControl
from bcannot_core.training.learn_process import LearnProcess, LearnRequest
from bcannot_core.training.learning import hold_out, learn
from bcannot_core.training.learning_options import LearnOptions, check_name
from bcannot_core.training.lesson_stage import LearnRecipe
from bcannot_core.training.lessons import corrected_session
from bcannot_core.training.recipe import OptimizerRecipe, TrainRecipe
from bcannot_core.training.session_files import read_sessions
from bcannot_core.training.store import load_state

torch.set_num_threads(1)
TINY = LearnRecipe(updates=3, lessons=3, dressed=2, rehearsal=2, lanes=4, pool=4, refresh=2)


@pytest.fixture(scope="module")
def episodes(labelled_npz):
    return [traced(labelled_npz, x=x, wrong_at=w) for x, w in ((24, 2), (74, None), (24, 4))]


def options(start, root, volume, **values):
    chosen = {"recipe": TINY, "device": "cpu", "rehearsal": (str(volume),)} | values
    return LearnOptions("mine", str(start), root=root / "policies", **chosen)


def test_a_named_policy_with_a_card_comes_of_it(episodes, random_policy, labelled_npz, tmp_path):
    told = []
    asked = options(random_policy, tmp_path, labelled_npz)
    learned = learn(episodes, asked, progress=told.append)
    assert learned is not None
    assert (learned.updates, learned.sessions, learned.held_out) == (3, 2, 1)
    assert learned.corrections == 1
    assert learned.before is not None
    assert learned.after is not None
    assert learned.after.sections == 5
    stages = list(dict.fromkeys(entry["stage"] for entry in told))
    assert stages == ["reading", "before", "learning", "after"]
    assert [e["done"] for e in told if e["stage"] == "learning"] == [0.3333, 0.6667, 1.0]
    old, new = (load_glance(p).glance.state_dict() for p in (random_policy, learned.folder))
    assert any(not torch.equal(old[name], new[name]) for name in old)
    assert Policy.load(learned.folder, device="cpu").name == "mine"
    card = (learned.folder / "README.md").read_text()
    assert "1 corrections" in card
    assert "corrections per 100" in card
    training = read_config(learned.folder)["training"]
    assert training["learned"]["updates"] == 3
    TrainRecipe.from_json(training.get("recipe", {}))  # it can be trained further


def test_the_weights_lie_between_the_old_and_the_learned(
    episodes, random_policy, labelled_npz, tmp_path
):
    def weights(share):
        fast = OptimizerRecipe(rate=0.1, warm_up=0, average=0.5)
        recipe = replace(TINY, share=share, optimizer=fast)
        asked = options(random_policy, tmp_path / str(share), labelled_npz, recipe=recipe)
        learned = learn(episodes, asked)
        assert learned is not None
        net = load_glance(learned.folder)
        return torch.nn.utils.parameters_to_vector(net.glance.parameters())

    old = torch.nn.utils.parameters_to_vector(load_glance(random_policy).glance.parameters())
    half, all_of_it = weights(0.5), weights(1.0)
    assert not torch.allclose(all_of_it, old, atol=1e-3)
    between = (old + all_of_it) / 2
    assert torch.allclose(half, between, atol=1e-3)  # policies are stored in half precision


def test_the_old_policy_and_other_names_stay(episodes, random_policy, labelled_npz, tmp_path):
    before = {p.name: p.read_bytes() for p in random_policy.iterdir()}
    asked = options(random_policy, tmp_path, labelled_npz)
    assert learn(episodes, asked) is not None
    with pytest.raises(UsageError, match="already"):
        learn(episodes, asked)
    assert {p.name: p.read_bytes() for p in random_policy.iterdir()} == before


def test_stopped_learning_goes_on_where_it_was(episodes, random_policy, labelled_npz, tmp_path):
    control = LearnControl()
    made = []

    def stop_after_one(entry):
        if entry["stage"] == "learning":
            made.append(entry["update"])
            control.stop()

    asked = options(random_policy, tmp_path, labelled_npz)
    assert learn(episodes, asked, control=control, progress=stop_after_one) is None
    assert made == [1]
    assert not asked.out.exists()
    learned = learn(
        episodes, asked, progress=lambda e: made.append(e["update"]) if "update" in e else None
    )
    assert made == [1, 2, 3]
    assert learned is not None
    lines = (asked.work_folder / "log.jsonl").read_text().splitlines()
    updates = [e["update"] for e in map(json.loads, lines) if e["stage"] == "learning"]
    assert updates == [0, 1, 2]


def test_a_name_that_is_free_again_begins_anew(episodes, random_policy, labelled_npz, tmp_path):
    asked = options(random_policy, tmp_path, labelled_npz)
    assert learn(episodes[:2], asked) is not None
    shutil.rmtree(asked.out)
    learned, other = learn(episodes, asked), options(random_policy, tmp_path / "b", labelled_npz)
    alone = learn(episodes, other)
    assert learned is not None and alone is not None
    assert learned.updates == alone.updates == 3
    assert not learned.problems
    anew, plain = (load_glance(of.folder).state_dict() for of in (learned, alone))
    assert all(torch.equal(anew[name], plain[name]) for name in plain)


@pytest.mark.parametrize("change", ["sessions", "policy", "held_out"])
def test_other_sessions_do_not_go_on_from_what_was_stopped(
    episodes, random_policy, labelled_npz, tmp_path, change
):
    control = LearnControl()
    asked = options(random_policy, tmp_path, labelled_npz)
    updates = []

    def told(entry):
        if entry["stage"] == "learning":
            updates.append(entry["update"])
            control.stop()

    first, again = episodes[:2], episodes[1:]
    assert learn(first, asked, control=control, progress=told) is None
    if change == "policy":
        net = load_glance(random_policy)
        next(net.parameters()).data += 0.5
        save_checkpoint(net, tmp_path / "other", card="", training={})
        asked, again = replace(asked, start_from=str(tmp_path / "other")), first
    if change == "held_out":
        asked, again = replace(asked, recipe=replace(TINY, held_out=0.0)), first
    learned = learn(again, asked, progress=told)
    assert updates == [1, 1, 2, 3]
    assert learned is not None
    assert str(asked.work_folder) in learned.problems[0]
    [aside] = asked.work_folder.glob("state*")
    assert load_state(aside)[0]["update"] == 1, "what was stopped is still there"


def test_time_ends_it_too(episodes, random_policy, labelled_npz, tmp_path):
    recipe = LearnRecipe(**{**TINY.__dict__, "updates": 10_000})
    asked = options(random_policy, tmp_path, labelled_npz, recipe=recipe, minutes=1e-6)
    learned = learn(episodes, asked)
    assert learned is not None
    assert learned.updates == 1


def test_sessions_that_cannot_be_used_are_named(episodes, random_policy, labelled_npz, tmp_path):
    gone = traced(labelled_npz)
    moved = gone.__class__(**{**gone.__dict__, "data": gone.data.__class__(
        **{**gone.data.__dict__, "volume": str(tmp_path / "gone.npz")})})  # fmt: skip
    asked = options(random_policy, tmp_path, labelled_npz)
    learned = learn([*episodes, moved], asked)
    assert learned is not None
    assert "gone.npz" in learned.problems[0]
    asked = options(random_policy, tmp_path / "b", labelled_npz)
    with pytest.raises(DatasetError, match=r"gone\.npz"):
        learn([moved], asked)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".x", "default", "a:b", "x" * 99])
def test_names_that_make_no_folder_of_one_s_own_are_refused(name, tmp_path):
    with pytest.raises(UsageError):
        check_name(LearnOptions(name, root=tmp_path))


def test_pausing_holds_and_stopping_releases():
    control = LearnControl()
    control.pause()
    assert control.paused
    control.stop()
    assert not control.paused
    assert not control.keep_on()


# -- sessions held out ---------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "held"), [(1, 0), (2, 1), (4, 1), (5, 1), (20, 4)])
def test_some_sessions_are_held_out(episodes, count, held):
    sessions = [corrected_session(episodes[i % 3]) for i in range(count)]
    learned_from, apart = hold_out(sessions, 0.2)
    assert len(apart) == held
    assert len(learned_from) == count - held


class Knowing:
    """Proposes the node of the session, or a place so many pixels beside it."""

    def __init__(self, off, sees=False):
        self.off, self.trusted, self.sees = off, 0, sees

    def reset(self):
        self.section = 0

    def propose(self, _frame):
        x = 16 + 128 + (self.off if self.section else 0)
        self.section += 1
        return type("Proposal", (), {"click_xy": (x, 73 + 128)})()

    def observe(self, _frame, _click, *, trusted=False):
        self.trusted += trusted

    def takes_as_one(self, a_xy, b_xy):
        return self.sees and abs(a_xy[0] - b_xy[0]) == self.off


@pytest.mark.parametrize(
    ("off", "sees", "right"),
    [(0, False, 1.0), (10, False, 1.0), (11, False, 0.0), (15, True, 1.0)],
)
def test_the_score_counts_what_would_have_to_be_corrected(episodes, off, sees, right):
    session = corrected_session(episodes[1])
    policy = Knowing(off, sees)
    found = score_held_out(policy, [session])
    assert found is not None
    assert (found.right, found.sections, found.sessions) == (right, 5, 1)
    assert found.corrections_per_100 == 100 * (1 - right)
    assert policy.trusted == (0 if right else 5)


def test_where_a_node_was_taken_back_a_proposal_is_wrong(episodes):
    session = corrected_session(episodes[0])  # taken back in section 2, 50 px beside
    found = score_held_out(Knowing(50, sees=True), [session])
    assert found is not None
    assert found.right == 0.8


# -- sessions as files ---------------------------------------------------------------------------


def test_sessions_are_read_from_journals_and_datasets(episodes, tmp_path):
    with EpisodeWriter(tmp_path / "dataset") as writer:
        writer.extend(episodes[:2])
    folder = tmp_path / "journals" / "deep"
    folder.mkdir(parents=True)
    journal = Journal.create(folder / "a.jsonl", episodes[2].header())
    for click in episodes[2].clicks:
        journal.append(click)
    journal.close()
    (folder / "b.jsonl").write_text("nonsense\n")
    found, problems = read_sessions([tmp_path / "dataset", tmp_path / "journals"])
    assert [e.clicks for e in found] == [e.clicks for e in episodes]
    assert len(problems) == 1
    with pytest.raises(DatasetError, match="no sessions"):
        read_sessions([tmp_path / "missing"])


def test_sessions_beside_an_exported_dataset_are_read_too_and_once(tmp_path):
    folders = []
    for y in (50, 60, 70):
        with SittingWriter.begin(tmp_path) as writer:
            trace_in(writer, start=(0, y, 60)).place((0.0, y, 60.0))
        folders.append(writer.folder)
    export_sittings(folders[:2], tmp_path)
    shutil.rmtree(folders[0])
    (tmp_path / "._session.parquet").write_text("of another system")
    found, problems = read_sessions([tmp_path])
    assert sorted(e.data.start_zyx[1] for e in found) == [50, 60, 70]
    assert problems == []


# -- in a process of its own, and by a command ---------------------------------------------------


def test_a_process_says_why_it_failed(tmp_path):
    process = LearnProcess(LearnRequest((tmp_path / "missing",), "x"))
    told = []
    until = time.monotonic() + 200
    while not process.over and time.monotonic() < until:
        told += process.news()
        time.sleep(0.05)
    process.close()
    assert told[-1]["stage"] == "failed"
    assert "missing" in told[-1]["message"]


def test_the_command_learns(cli, episodes, random_policy, labelled_npz, tmp_path, monkeypatch):
    monkeypatch.setattr("bcannot_core.training.lesson_stage.LearnRecipe", lambda: TINY)
    with EpisodeWriter(tmp_path / "dataset") as writer:
        writer.extend(episodes)
    code, out, err = cli(
        "learn", tmp_path / "dataset", "--name", "mine", "--policy", random_policy,
        "--updates", 1, "--rehearse", labelled_npz, "--out", tmp_path / "policies",
        "--device", "cpu", "--json", tmp_path / "result.json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "1 updates" in out
    assert "corrections per 100" in out
    assert json.loads((tmp_path / "result.json").read_text())["updates"] == 1
    assert np.isfinite(json.loads((tmp_path / "result.json").read_text())["after"]["right"])
    code, _, err = cli("learn", tmp_path / "dataset", "--name", "default")
    assert code == 2
    assert "shipped" in err


def test_the_command_s_defaults_are_those_of_the_recipe():
    asked = {name: p.default for name, p in inspect.signature(command).parameters.items()}
    recipe = LearnRecipe()
    assert asked["rate"] == recipe.optimizer.rate
    for name in ("updates", "share", "held_out", "seed"):
        assert asked[name] == getattr(recipe, name), name
