"""Networks compute in bfloat16 where the hardware has it, in float32 elsewhere."""

import pytest
import torch

from bcannot_core.policy.precision import autocast, has_bfloat16
from bcannot_core.training.frames.recipe import FramesRecipe

CPU = torch.device("cpu")


@pytest.fixture
def processor(monkeypatch):
    """Let the processor have the instructions that are named; None: a PyTorch that cannot tell."""

    def has(*names):
        has_bfloat16.cache_clear()
        if names == (None,):
            monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        else:
            able = dict.fromkeys(names, True) | {"avx2": True}
            monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)

    yield has
    has_bfloat16.cache_clear()


def product_kind(context):
    with context:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("instructions", "kind"),
    [
        (("avx512_bf16",), torch.bfloat16),
        (("amx_bf16", "avx512_bf16"), torch.bfloat16),
        (("avx512_f",), torch.float32),
        ((None,), torch.float32),
    ],
)
def test_a_processor_computes_in_what_it_has_instructions_for(processor, instructions, kind):
    processor(*instructions)
    assert product_kind(autocast(CPU)) is kind


def test_what_is_asked_for_holds_whatever_the_processor_has(processor):
    processor("avx512_bf16")
    assert product_kind(autocast(CPU, low=False)) is torch.float32
    processor("avx2")
    assert product_kind(autocast(CPU, low=True)) is torch.bfloat16


@pytest.mark.parametrize(("capability", "able"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_cards_have_it_from_ampere_on(monkeypatch, capability, able):
    has_bfloat16.cache_clear()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bfloat16(torch.device("cuda")) is able
    has_bfloat16.cache_clear()


@pytest.mark.parametrize(("precision", "low"), [("auto", None), ("bf16", True), ("fp32", False)])
def test_a_recipe_names_a_precision_or_leaves_it_to_the_device(precision, low):
    assert FramesRecipe(precision=precision).low_precision is low
