"""Activations: what is read, when it is labelled, and that interrupted work goes on."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bcannot_core.annotators import Flag, Phase, pack_flags
from bcannot_core.cli.probe import EXAMPLE
from bcannot_core.episodes.dataset import EpisodeDataset, open_dataset
from bcannot_core.episodes.generate import GenerateSpec, generate_episodes
from bcannot_core.episodes.replay import Replay
from bcannot_core.episodes.specification import Source
from bcannot_core.errors import DatasetError, UsageError
from bcannot_core.policy.policy import Policy
from bcannot_core.probes.activations import Chosen, chosen_episodes, record_activations
from bcannot_core.probes.labels import Labeller
from bcannot_core.probes.reading import LockstepReader, StreamingReader, open_reader
from bcannot_core.probes.taps import ClsTap


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory, labelled_npz: Path) -> Path:
    """Ten short traces in which every fourth placement is a mistake."""
    folder = tmp_path_factory.mktemp("probed") / "sessions"
    address = f"{labelled_npz}#voxel_nm=30,10,10"
    spec = GenerateSpec(
        config={"sections": 5}, sources=(Source(address, str(labelled_npz)),), mistakes=0.3
    )
    generate_episodes(spec, 10, 3, folder)
    return folder


@pytest.fixture(scope="module")
def episodes(sessions: Path) -> EpisodeDataset:
    return open_dataset(sessions)


@pytest.fixture(scope="module")
def policy(random_policy: Path) -> Policy:
    torch.set_num_threads(1)
    return Policy.load(random_policy, device="cpu")


def first(episodes: EpisodeDataset, count: int) -> Chosen:
    return Chosen(episodes, np.arange(count))


def test_labels_tell_of_the_click_before_and_of_the_one_that_comes(
    episodes: EpisodeDataset,
) -> None:
    episode = next(e for e in episodes if any(c.flags & Flag.MISTAKE for c in e.clicks))
    labeller = Labeller(4, episode.task)
    for step in Replay(episode):
        labeller.add(step)
    labels = labeller.finish()
    clicks = episode.clicks
    assert (labels["episode"] == 4).all() and (labels["step"] == np.arange(len(clicks))).all()
    mistaken = np.array([bool(c.flags & Flag.MISTAKE) for c in clicks])
    corrected = np.array([bool(c.flags & Flag.CORRECTION) for c in clicks])
    np.testing.assert_array_equal(labels["coming"], mistaken)
    np.testing.assert_array_equal(labels["mistake"], [False, *mistaken[:-1]])
    np.testing.assert_array_equal(labels["correction"], [False, *corrected[:-1]])
    assert labels["mistake"].any()
    assert labels["action"].tolist() == [c.action for c in clicks]
    assert labels["before"].tolist() == ["", *(c.action for c in clicks[:-1])]
    placed = labels["action"] == "place"
    assert (labels["phase"][placed] == int(Phase.PLACE)).all()
    assert labels["phase"][-1] == int(Phase.FINISH)
    np.testing.assert_array_equal(labels["decided"], [False, *placed[:-1]])
    # neuron tracing numbers its objects by section
    assert labels["position"][0] == 0 and labels["position"].max() <= 4


def test_what_the_annotator_says_goes_before_what_is_derived(episodes: EpisodeDataset) -> None:
    step = next(iter(Replay(episodes[0])))
    flags = pack_flags(Flag.CORRECTION, Phase.EXPLORE, 7)
    labeller = Labeller(0, "x")
    labeller.add(step._replace(click=step.click._replace(flags=flags)))
    (row,) = labeller.finish()
    assert (row["phase"], row["position"]) == (int(Phase.EXPLORE), 7)


def test_a_tap_hears_the_cls_token_of_every_layer(
    policy: Policy, episodes: EpisodeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = policy.net.steps
    asked: list[torch.Tensor] = []
    head = type(steps).head

    def spied(self: Any, cls: torch.Tensor, cells: torch.Tensor) -> Any:
        asked.append(cls)
        return head(self, cls, cells)

    monkeypatch.setattr(type(steps), "head", spied)
    policy.reset()
    with ClsTap(policy) as tap:
        with pytest.raises(UsageError, match="not looked"):
            _ = tap.latest
        assert (tap.layers, tap.width) == (2, 32)
        for step in list(Replay(episodes[0]))[:4]:
            policy.observe(step.frame, (step.click.x, step.click.y))
            last = torch.from_numpy(tap.latest[-1]).float()
            normed = steps.norm(last)
            torch.testing.assert_close(normed, asked[-1].flatten().float(), atol=0.05, rtol=0.05)
    assert not any(block._forward_hooks for block in steps.blocks)


def test_a_tap_changes_nothing(policy: Policy, episodes: EpisodeDataset) -> None:
    def heat() -> np.ndarray:
        policy.reset()
        for step in list(Replay(episodes[0]))[:3]:
            policy.observe(step.frame, (step.click.x, step.click.y))
        return policy.heatmap()

    plain = heat()
    with ClsTap(policy):
        np.testing.assert_array_equal(heat(), plain)


def test_only_a_policy_with_a_stream_is_tapped() -> None:
    with pytest.raises(UsageError, match="no \\[cls\\] stream"):
        ClsTap(object())


def test_recording_twice_gives_the_same_and_goes_on_where_it_was_left(
    policy: Policy, episodes: EpisodeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcannot_core.probes.activations.PART_EPISODES", 1)
    some = first(episodes, 3)
    reader = StreamingReader(policy)
    once = record_activations(reader, some, tmp_path / "a")
    rows = np.arange(len(once))
    assert len(once) == sum(len(e) for e in some[0:3]) and once.layers == 2 and once.width == 32
    again = record_activations(reader, some, tmp_path / "b")
    kept = again.parts[0].stat().st_mtime_ns
    again.parts[1].unlink()
    resumed = record_activations(reader, some, tmp_path / "b")
    assert resumed.parts[0].stat().st_mtime_ns == kept
    for layer in range(2):
        np.testing.assert_array_equal(once.layer(layer, rows), resumed.layer(layer, rows))
    np.testing.assert_array_equal(once.labels, resumed.labels)
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [
        "manifest.json",
        *(f"part-{i:05d}.safetensors" for i in range(3)),
    ]


def test_a_folder_of_something_else_is_refused(
    policy: Policy, episodes: EpisodeDataset, tmp_path: Path
) -> None:
    reader, some = StreamingReader(policy), first(episodes, 1)
    found = record_activations(reader, some, tmp_path, policy="one")
    with pytest.raises(UsageError, match="another policy"):
        record_activations(reader, some, tmp_path, policy="another")
    with pytest.raises(UsageError, match="other episodes"):
        record_activations(reader, first(episodes, 2), tmp_path, policy="one")
    found.parts[0].write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="not readable"):
        record_activations(reader, some, tmp_path, policy="one")
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(UsageError, match="something else"):
        record_activations(reader, some, tmp_path, policy="one")
    with pytest.raises(UsageError, match="no episodes"):
        record_activations(reader, first(episodes, 0), tmp_path / "none")


@pytest.fixture(scope="module")
def frames_policy() -> Any:
    from bcannot_core.policy.frames.config import EncoderConfig, FramesConfig
    from bcannot_core.policy.frames.net import FramesNet
    from bcannot_core.policy.frames.policy import FramesPolicy

    torch.manual_seed(0)
    encoder = EncoderConfig(channels=(4, 8, 8), blocks=(0, 0, 1))
    config = FramesConfig(
        encoder=encoder, width=16, layers=2, heads=2, context=6, tokens_hw=(2, 2), features=8
    )
    return FramesPolicy(FramesNet(config), device="cpu")


def test_the_tap_agrees_with_the_stream_of_a_whole_window(
    frames_policy: Any, episodes: EpisodeDataset
) -> None:
    steps = list(Replay(episodes[0]))[:6]
    frames = torch.from_numpy(np.stack([step.frame for step in steps]))[None]
    clicks = torch.tensor([[(step.click.x, step.click.y) for step in steps]])
    with torch.inference_mode():
        whole = frames_policy.net.cls_stream(frames, clicks)[0]
    heard, labels = next(StreamingReader(frames_policy).read(0, [episodes[0]]))
    assert len(heard) == len(labels) == len(episodes[0])
    assert heard.shape[1:] == whole.shape[1:] == (3, 16)
    # bfloat16 in streaming
    np.testing.assert_allclose(heard[:6], whole.float().numpy(), atol=0.05)


@pytest.mark.parametrize("rows", [1, 3])
def test_sessions_in_lockstep_are_read_as_one_by_one(
    frames_policy: Any, episodes: EpisodeDataset, rows: int
) -> None:
    some = episodes[:5]
    reader = open_reader(frames_policy, rows)
    assert isinstance(reader, LockstepReader)
    together = list(reader.read(7, some))
    alone = list(StreamingReader(frames_policy).read(7, some))
    assert len(together) == len(alone) == 5
    for (heard, labels), (expected, said) in zip(together, alone, strict=True):
        np.testing.assert_array_equal(labels, said)
        np.testing.assert_allclose(heard.astype(np.float32), expected.astype(np.float32), atol=0.05)


@pytest.mark.parametrize("family", ["glance", "frames"])
def test_a_watcher_scores_clicks_and_leaves_the_policy_alone(
    policy: Policy, frames_policy: Any, episodes: EpisodeDataset, family: str
) -> None:
    from bcannot_core.probes.asked import Finding
    from bcannot_core.probes.directions import MistakeProbe
    from bcannot_core.probes.linear import Direction
    from bcannot_core.probes.live import MistakeWatcher

    acting: Any = policy if family == "glance" else frames_policy
    with ClsTap(acting) as tap:
        layers, width = tap.layers, tap.width
    weight = np.random.default_rng(0).normal(size=width).astype(np.float32)
    probe = MistakeProbe(Finding(Direction(1, weight, 0.0), 0.3, None), layers)
    steps = list(Replay(episodes[0]))[:5]
    heard, _ = next(StreamingReader(acting).read(0, [episodes[0]]))
    expected = [probe.score(stream) for stream in heard[1:5]]

    acting.reset()
    acting.observe(steps[0].frame, (9, 9))
    heat = acting.heatmap()
    watcher = MistakeWatcher(acting, probe)
    scores = [
        watcher.saw(step.frame, (step.click.x, step.click.y), following.frame)
        for step, following in pairwise(steps)
    ]
    np.testing.assert_allclose(np.array(scores, float), expected, atol=1e-6)
    np.testing.assert_array_equal(acting.heatmap(), heat)
    assert watcher.saw(steps[0].frame, (9, 9)) is None
    assert [watcher.alarming(score) for score in expected] == [
        probe.likely(stream) for stream in heard[1:5]
    ]
    watcher.reset()
    again = watcher.saw(steps[0].frame, (steps[0].click.x, steps[0].click.y), steps[1].frame)
    assert again == pytest.approx(expected[0], abs=1e-6)


def test_a_tap_hears_its_own_thread(policy: Policy, episodes: EpisodeDataset) -> None:
    from threading import Thread

    frame = next(iter(Replay(episodes[0]))).frame
    policy.reset()
    with ClsTap(policy) as tap:
        other = Thread(target=policy.propose, args=(frame,))
        other.start()
        other.join()
        with pytest.raises(UsageError, match="not looked"):
            _ = tap.latest


def test_episodes_are_drawn_task_by_task(episodes: EpisodeDataset) -> None:
    drawn = chosen_episodes(episodes, 4, seed=1)
    assert len(drawn) == 4 and len(chosen_episodes(episodes)) == len(episodes) == 10
    assert [e.seed for e in drawn[:]] == [e.seed for e in chosen_episodes(episodes, 4, seed=1)[:]]
    assert [e.seed for e in drawn[:]] != [e.seed for e in chosen_episodes(episodes, 4, seed=2)[:]]


def test_the_command_probes_and_saves(
    cli: Any, sessions: Path, random_policy: Path, tmp_path: Path
) -> None:
    from bcannot_core.probes.directions import MistakeProbe

    report, out = tmp_path / "r.json", tmp_path / "directions"
    argv = ("probe", random_policy, "--data", sessions, "--json", report, "--out", out)
    code, said, err = cli(*argv)
    assert (code, err) == (0, "")
    assert "mistaken_placement" in said and f"saved   {out}" in said
    found = json.loads(report.read_text())
    assert found["tasks"]["neuron_tracing"]["episodes"] == 10 and found["width"] == 32
    assert len(found["layers"]["mistake"]) == 2
    assert 0 <= found["mistake"]["pooled"]["auc"] <= 1
    assert (
        MistakeProbe.load(random_policy, folder=out).finding.auc
        == found["mistake"]["pooled"]["auc"]
    )
    assert EXAMPLE.startswith("bcannot probe")
    report.unlink()
    code, _, err = cli(*argv[:-1], next(sessions.iterdir()))  # a file
    assert code == 1 and err.count("\n") == 1
    assert json.loads(report.read_text()) == found  # the figures are not lost
    code, _, err = cli("probe", random_policy, "--data", tmp_path / "nowhere")
    assert code == 1 and "no dataset" in err
