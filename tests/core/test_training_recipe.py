"""Recipes: what is left out keeps its default, what cannot be is refused in one line."""

import json
from dataclasses import replace

import pytest

from bcannot_core.errors import UsageError
from bcannot_core.policy.config import GlanceConfig
from bcannot_core.screen import build_layout, get_variant
from bcannot_core.tasks.neuron_tracing import NeuronTracing
from bcannot_core.training.frames.recipe import load_any_recipe
from bcannot_core.training.recipe import TrainRecipe, load_recipe, presets


def test_recipes_come_back_from_json():
    recipe = TrainRecipe(seed=4, save_every=0.5)
    recipe = replace(recipe, glance=replace(recipe.glance, updates=7, pool=3))
    assert TrainRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_what_is_left_out_keeps_its_default_at_every_depth():
    recipe = TrainRecipe.from_json(
        {
            "policy": {"glance": {"size": 64}},
            "glance": {"augmentation": {"zooms": [1, 2]}},
            "steps": {"optimizer": {"rate": 5e-4}},
        }
    )
    default = TrainRecipe()
    assert recipe.policy.glance == GlanceConfig(size=64)
    assert recipe.policy.width == default.policy.width
    assert recipe.glance.augmentation.zooms == (1.0, 2.0)
    assert recipe.glance.optimizer == default.glance.optimizer
    assert recipe.steps.optimizer == replace(default.steps.optimizer, rate=5e-4)
    assert TrainRecipe.from_json({}) == default


def test_whole_numbers_may_be_written_with_a_point():
    recipe = TrainRecipe.from_json({"seed": 3.0, "save_every": 2})
    assert (recipe.seed, type(recipe.seed)) == (3, int)
    assert (recipe.save_every, type(recipe.save_every)) == (2.0, float)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], "recipe is"),
        ({"speed": 3}, r"does not know 'speed': choose from seed, policy"),
        ({"glance": 3}, r"recipe\.glance is 3"),
        ({"glance": {"optimizer": {"decay": "much"}}}, r"recipe\.glance\.optimizer\.decay"),
        ({"seed": -1}, "not negative"),
        ({"seed": True}, "whole number"),
        ({"seed": None}, "whole number"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": float("inf")}, "whole number"),
        ({"seed": 10**400}, "whole number"),
        ({"seed": [1]}, "whole number"),
        ({"save_every": float("nan")}, "a number"),
        ({"policy": {"frame_wh": 426}}, "list of numbers"),
        ({"policy": {"frame_wh": ["a", "b"]}}, "whole number"),
        ({"policy": {"frame_wh": [426]}}, r"recipe\.policy"),
        ({"policy": {"canvas_xywh": [300, 0, 256, 256]}}, r"recipe\.policy.*canvas"),
        ({"policy": {"coarse": 0}}, r"recipe\.policy.*coarse"),
        ({"policy": {"glance": {"size": 20}}}, r"recipe\.policy.*size"),
        ({"glance": {"lanes": 0}}, r"glance\.lanes"),
        ({"glance": {"pool": 0}}, r"glance\.pool"),
        ({"glance": {"refresh": 0}}, r"glance\.refresh"),
        ({"glance": {"augmentation": {"zooms": [1]}}}, "zooms"),
        ({"glance": {"augmentation": {"zooms": [0, 1]}}}, "zooms"),
        ({"glance": {"augmentation": {"spacings": [0]}}}, "spacings"),
        ({"steps": {"windows": 0}}, r"steps\.windows"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(values, says):
    with pytest.raises(UsageError, match=says) as caught:
        TrainRecipe.from_json(values)
    assert "\n" not in str(caught.value)


def test_recipes_are_loaded_from_files_or_by_name(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"seed": 9}')
    assert load_recipe(path) == load_recipe(str(path)) == TrainRecipe(seed=9)
    for name in presets():
        assert load_any_recipe(name) == load_any_recipe(presets()[name])


@pytest.mark.parametrize("text", ["", "{", '{"seed": }', "[" * 200_000], ids=lambda t: t[:20])
def test_a_file_that_is_not_json_is_refused(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not JSON"):
        load_recipe(path)


def test_a_recipe_that_is_not_there_is_refused_with_the_names_that_are(tmp_path):
    for name in ("no-such-recipe", tmp_path):
        with pytest.raises(UsageError, match=r"give a JSON file or one of .*tracing"):
            load_recipe(name)


def test_the_presets_are_made_for_the_screen():
    recipes = [load_any_recipe(name) for name in presets()]
    for policy in (recipe.policy for recipe in recipes if isinstance(recipe, TrainRecipe)):
        variant = get_variant("original")
        layout = build_layout(NeuronTracing.buttons, variant)
        assert policy.canvas_xywh == tuple(layout.canvas)
        assert policy.frame_wh == tuple(layout.size_wh)
