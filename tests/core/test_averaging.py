"""Averages of policies: weighted means of all weights, of policies that are built alike."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bcannot_core.errors import CheckpointError, UsageError
from bcannot_core.policy.averaging import average_policies, main_recipe
from bcannot_core.policy.checkpoint import load_checkpoint, read_config, save_checkpoint
from bcannot_core.policy.config import GlanceConfig, PolicyConfig
from bcannot_core.policy.network import PolicyNet


def make_policy(folder: Path, value: float, width: int = 16) -> Path:
    glance = GlanceConfig(size=16, channels=(8, 8, 8))
    net = PolicyNet(PolicyConfig(width=width, layers=1, heads=2, patch=8, glance=glance))
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            tensor.fill_(value if tensor.is_floating_point() else len(name))
    save_checkpoint(net, folder, card="", training={"seed": value})
    return folder


def values_of(folder: Path) -> set[float]:
    state = load_checkpoint(folder).state_dict()
    return {round(float(v), 6) for t in state.values() if t.is_floating_point() for v in t.unique()}


@pytest.mark.parametrize(("weights", "mean"), [((1, 1), 2.0), ((3, 1), 1.5), ((0.1, 0.3), 2.5)])
def test_every_weight_is_the_weighted_mean(
    tmp_path: Path, weights: tuple[float, float], mean: float
) -> None:
    a, b = make_policy(tmp_path / "a", 1.0), make_policy(tmp_path / "b", 3.0)
    average_policies([(a, weights[0]), (b, weights[1])], tmp_path / "out")
    assert values_of(tmp_path / "out") == {mean}
    counters = {
        name: int(t)
        for name, t in load_checkpoint(tmp_path / "out").state_dict().items()
        if not t.is_floating_point()
    }
    assert counters
    assert counters == {name: len(name) for name in counters}


def test_the_card_and_the_configuration_say_what_it_was_made_of(tmp_path: Path) -> None:
    a, b = make_policy(tmp_path / "a", 1.0), make_policy(tmp_path / "run" / "policy", 3.0)
    average_policies([(a, 1), (b, 3)], tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| a | 0.25 |" in card
    assert "| run | 0.75 |" in card
    assert read_config(tmp_path / "out")["training"]["average"] == [
        {"share": 0.25, "training": {"seed": 1.0}},
        {"share": 0.75, "training": {"seed": 3.0}},
    ]


def test_the_recipe_of_an_average_is_that_of_its_largest_share() -> None:
    def made(name: str) -> dict[str, Any]:
        return {"recipe": {"name": name}}

    both = {
        "average": [{"share": 0.3, "training": made("a")}, {"share": 0.7, "training": made("b")}]
    }
    assert main_recipe(made("a")) == {"name": "a"}
    assert main_recipe(both) == {"name": "b"}
    nested = {"average": [{"share": 0.6, "training": both}, {"share": 0.4, "training": made("c")}]}
    assert main_recipe(nested) == {"name": "b"}


@pytest.mark.parametrize(
    "training",
    [
        None,
        [],
        {},
        {"recipe": 3},
        {"average": 3},
        {"average": [3, {}]},
        {"average": [{"share": "1"}]},
    ],
)
def test_what_names_no_recipe_has_none(training: Any) -> None:
    assert main_recipe(training) == {}


def test_policies_built_otherwise_are_refused(tmp_path: Path) -> None:
    a, b = make_policy(tmp_path / "a", 1.0), make_policy(tmp_path / "b", 3.0, width=32)
    with pytest.raises(CheckpointError, match="not built alike"):
        average_policies([(a, 1), (b, 1)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("weights", [(1,), (1, 0), (1, -2), (1, float("inf")), (float("nan"), 1)])
def test_weights_that_make_no_mean_are_refused(tmp_path: Path, weights: tuple[float, ...]) -> None:
    a = make_policy(tmp_path / "a", 1.0)
    with pytest.raises(UsageError):
        average_policies([(a, weight) for weight in weights], tmp_path / "out")


def test_the_command_takes_weights_and_names_with_an_equals_sign(cli: Any, tmp_path: Path) -> None:
    a, b = make_policy(tmp_path / "a", 1.0), make_policy(tmp_path / "rate=x", 3.0)
    code, out, _ = cli("average", f"{a}=3", b, "--out", tmp_path / "out")
    assert code == 0
    assert str(tmp_path / "out") in out
    assert values_of(tmp_path / "out") == {1.5}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["version"] == 2


def test_the_command_says_in_a_line_what_is_wrong(cli: Any, tmp_path: Path) -> None:
    a = make_policy(tmp_path / "a", 1.0)
    for argv, code in (((a,), 2), ((f"{a}=0", a), 2), ((a, tmp_path / "none"), 1)):
        found, _, err = cli("average", *argv, "--out", tmp_path / "out")
        assert (found, err.count("\n")) == (code, 1)
