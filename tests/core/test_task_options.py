"""The options of tasks as data."""

from dataclasses import dataclass, fields
from typing import Any

import pytest

from bcannot_core.errors import OptionError, UsageError
from bcannot_core.tasks import options as module
from bcannot_core.tasks.base import TaskBase, check_choice, check_range
from bcannot_core.tasks.options import OptionSpec, option_specs
from bcannot_core.tasks.registry import list_tasks, task_class

CASES = [(task_id, spec) for task_id in list_tasks() for spec in option_specs(task_id)]


def config(task_id: str, **options: Any) -> Any:
    return module._config_class(task_class(task_id))(**options)


def refusal(task_id: str, **options: Any) -> str:
    """Return the option that a configuration is refused for, empty where that is another reason."""
    try:
        config(task_id, **options)
    except OptionError as error:
        return error.name
    except UsageError:
        pass
    return ""


@pytest.mark.parametrize("task_id", list_tasks())
def test_every_field_is_an_option_with_a_description(task_id: str) -> None:
    specs = option_specs(task_id)
    named = [field.name for field in fields(config(task_id))]
    assert [spec.name for spec in specs] == [name for name in named if name != "variant"]
    assert len({spec.label for spec in specs}) == len(specs)
    for spec in specs:
        assert spec.help.endswith("."), spec
        assert "`" not in spec.help
        assert getattr(config(task_id), spec.name) == spec.default


@pytest.mark.parametrize(("task_id", "spec"), CASES, ids=lambda case: getattr(case, "name", case))
def test_limits_and_choices_are_those_that_the_task_keeps(task_id: str, spec: OptionSpec) -> None:
    for choice in spec.choices:
        assert refusal(task_id, **{spec.name: choice}) == ""
    if spec.choices:
        assert spec.default in spec.choices
        assert refusal(task_id, **{spec.name: "no such"}) == spec.name
    if spec.low is not None:
        beyond = spec.low - (1 if spec.kind == "whole" else 1e-3)
        if not spec.drawn or spec.low > 1:
            assert refusal(task_id, **{spec.name: beyond}) == spec.name
    if spec.low:  # a size has to be above zero
        assert refusal(task_id, **{spec.name: spec.low}) == ""
    if spec.high is not None:
        assert refusal(task_id, **{spec.name: spec.high + 1}) == spec.name


def test_the_greatest_value_is_the_one_that_other_options_allow() -> None:
    specs = {spec.name: spec for spec in option_specs("shape_matching")}
    assert specs["matches"].high == 40
    assert config("shape_matching", objects=40, matches=40).matches == 40


def test_kinds_and_labels() -> None:
    dots = {spec.name: spec for spec in option_specs("colored_dot_tracking")}
    assert (dots["dots"].kind, dots["dots"].low, dots["dots"].high) == ("whole", 2, 40)
    assert (dots["spacing_px"].kind, dots["spacing_px"].label) == ("number", "Spacing (px)")
    assert (dots["folder"].kind, dots["folder"].default) == ("folder", "")
    assert dots["curve"].choices[:2] == ("any", "character")
    assert dots["noise"].help == dots["background"].help
    assert not dots["spread"].drawn
    neurons = {spec.name: spec for spec in option_specs("neuron_tracking")}["neurons"]
    assert neurons.drawn
    assert neurons.default is None
    tracing = {spec.name: spec for spec in option_specs("neuron_tracing")}
    assert tracing["nm_per_px"].label == "nm per px"
    assert tracing["direction"].choices == (1, -1)
    assert (tracing["sections"].low, tracing["sections"].high) == (1, None)


def test_unknown_tasks_are_refused_and_tasks_without_a_configuration_have_no_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="did you mean"):
        option_specs("colored_dots_tracking")

    class Bare(TaskBase):
        def __init__(self, world: "Nowhere", config: "Nothing") -> None:  # type: ignore[name-defined]  # noqa: F821
            """Names what only a type checker would see."""

    @dataclass
    class Plain:
        size: int = 3
        name: str = "x"
        """Neither checked nor described."""

    class Simple(TaskBase):
        def __init__(self, config: Plain) -> None:
            """Take a plain configuration."""

    Simple.__init__.__annotations__["config"] = Plain
    found = {"bare": Bare, "simple": Simple}
    monkeypatch.setattr(module, "task_class", found.__getitem__)
    assert option_specs("bare") == ()
    assert [(spec.name, spec.kind, spec.low) for spec in option_specs("simple")] == [
        ("size", "whole", None),
        ("name", "text", None),
    ]
    module.option_specs.cache_clear()


def test_a_refusal_says_which_option_and_what_there_is() -> None:
    with pytest.raises(OptionError, match="size is 9: give a value from 1 to 4") as caught:
        check_range("size", 9, 1, 4)
    assert (caught.value.name, caught.value.low, caught.value.high) == ("size", 1, 4)
    with pytest.raises(OptionError, match="kind is 'cat': choose one of dog, cow") as caught:
        check_choice("kind", "cat", ("dog", "cow"))
    assert caught.value.choices == ("dog", "cow")
    check_choice("kind", "cow", ("dog", "cow"))
    check_range("size", 3, 1, 4)


def test_a_refusal_crosses_processes() -> None:
    import pickle

    error = OptionError("size is 9", "size", low=1, high=4)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.name, again.low, again.high) == ("size is 9", "size", 1, 4)
