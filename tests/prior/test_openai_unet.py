"""A converted checkpoint of OpenAI's UNet computes what the network computes that was saved."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.openai_reference import OpenAIUNet, randomised
from torch import Tensor

from nullsplat.core.errors import ConfigurationError, UnreadableFile
from nullsplat.prior.openai.grey import fold_to_grey
from nullsplat.prior.openai.keys import moves
from nullsplat.prior.openai.layout import OpenAILayout
from nullsplat.prior.openai.unet import convert_checkpoint, convert_state

SMALL: dict[str, Any] = {
    "image_size": 32,
    "num_channels": 32,
    "channel_mult": (1, 2, 2),
    "attention_resolutions": (16, 8),
    "num_head_channels": 16,
}
OTHER_ORDER = SMALL | {"new_attention_order": True}
DEEP = SMALL | {
    "channel_mult": (1, 1, 2, 3),
    "attention_resolutions": (16, 4),
    "num_head_channels": 32,
    "num_res_blocks": 1,
}
HALF_WIDTH: dict[str, Any] = {  # as the authors': the first level is half as wide as the time embedding
    "image_size": 16,
    "num_channels": 256,
    "channel_mult": (0.5, 1),
    "attention_resolutions": (8,),
    "num_head_channels": 64,
    "num_res_blocks": 1,
}
AUTHORS: dict[str, Any] = {
    "image_size": 512,
    "num_channels": 256,
    "channel_mult": (0.5, 1, 1, 2, 2, 4, 4),
    "attention_resolutions": (32, 16, 8),
    "num_head_channels": 64,
}
TIMESTEPS = torch.tensor([0, 1, 37, 500, 999])


def pair(options: dict[str, Any], **more: Any) -> tuple[OpenAIUNet, UNet2DModel]:
    reference = randomised(OpenAIUNet(**options, **more))
    return reference, convert_state(reference.state_dict(), OpenAILayout(**options))


def images(*size: int) -> Tensor:
    return torch.randn(len(TIMESTEPS), *size)


def assert_same(got: Tensor, expected: Tensor, tolerance: float) -> None:
    assert float((got - expected).abs().max()) < tolerance * float(expected.abs().max())


@pytest.mark.parametrize("size", [(16, 16), (8, 24)], ids=["square", "oblong"])
@pytest.mark.parametrize(
    "options", [SMALL, OTHER_ORDER, DEEP, HALF_WIDTH], ids=["legacy", "new-order", "deep", "half-width"]
)
def test_the_converted_network_gives_the_same_answer(options: dict[str, Any], size: tuple[int, int]) -> None:
    reference, unet = pair(options)
    x = images(3, *size)
    assert_same(unet(x, TIMESTEPS).sample, reference(x, TIMESTEPS), 1e-5)  # rounding of float32


@pytest.mark.parametrize("options", [SMALL, OTHER_ORDER, DEEP], ids=["legacy", "new-order", "deep"])
def test_the_answer_is_the_same_to_double_precision(options: dict[str, Any]) -> None:
    reference, unet = pair(options)
    x = images(3, 8, 16).double()
    assert_same(unet.double()(x, TIMESTEPS).sample, reference.double()(x, TIMESTEPS), 1e-13)


def test_a_time_table_is_as_exact_as_its_numbers() -> None:
    reference, unet = pair(HALF_WIDTH, exact_time=True)
    x = images(3, 8, 8).double()
    # Table and layer are kept in float32, 6e-8 each.
    assert_same(unet.double()(x, TIMESTEPS).sample, reference.double()(x, TIMESTEPS), 1e-6)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [(SMALL, {"new_attention_order": True}), (SMALL, {"num_head_channels": 32})],
    ids=["order", "heads"],
)
def test_an_order_of_attention_that_fits_but_is_wrong_would_be_noticed(
    options: dict[str, Any], wrong: dict[str, Any]
) -> None:
    reference, _ = pair(options)
    unet = convert_state(reference.state_dict(), OpenAILayout(**options | wrong))
    x = images(3, 8, 8)
    assert float((unet(x, TIMESTEPS).sample - reference(x, TIMESTEPS)).abs().max()) > 1e-2


def test_every_parameter_of_the_authors_layout_has_its_place() -> None:
    with torch.device("meta"):
        state = OpenAIUNet(**AUTHORS).state_dict()
    layout = OpenAILayout()
    unet = convert_state(state, layout)
    names = set(unet.state_dict())
    used = [move for move in moves(layout) if move.targets[0] in names]
    assert sorted(move.source for move in used) == sorted(state)
    filled = [target for move in used for target in move.targets]
    assert sorted([*filled, "time_proj.weight"]) == sorted(names)
    # The paper counts 559 million for 512 pixels: with 1000 classes of 1024 numbers, and with three more channels
    # out, each of 3 x 3 x 128 weights and a bias.
    count = sum(parameter.numel() for parameter in state.values())
    assert round((count + 1000 * 1024 + 3 * 1153) / 1e6) == 559


def test_the_authors_layout_is_the_usual_one_for_its_size() -> None:
    assert OpenAILayout(**AUTHORS).unet_config(1000) == OpenAILayout().unet_config(1000)
    assert OpenAILayout().widths == (128, 256, 256, 512, 512, 1024, 1024)
    assert OpenAILayout().attention == (False, False, False, False, True, True, True)


def test_a_grey_image_needs_one_channel_only() -> None:
    reference, unet = pair(SMALL)
    grey = fold_to_grey(unet)
    x = images(1, 16, 8)
    assert (grey.config.in_channels, grey.config.out_channels) == (1, 1)
    expected = reference(x.expand(-1, 3, -1, -1), TIMESTEPS).mean(1, keepdim=True)
    assert_same(grey(x, TIMESTEPS).sample, expected, 1e-5)
    in_double = reference.double()(x.double().expand(-1, 3, -1, -1), TIMESTEPS).mean(1, keepdim=True)
    assert_same(grey.double()(x.double(), TIMESTEPS).sample, in_double, 1e-6)  # folded in float32


def test_folding_leaves_the_network_that_was_folded_as_it_was() -> None:
    _, unet = pair(SMALL)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    fold_to_grey(unet)
    assert unet.config.in_channels == 3
    assert all(torch.equal(value, before[name]) for name, value in unet.state_dict().items())


def test_only_networks_with_as_many_channels_out_as_in_can_be_folded() -> None:
    with pytest.raises(ConfigurationError, match="takes 3 and predicts 6"):
        fold_to_grey(UNet2DModel(in_channels=3, out_channels=6, block_out_channels=(32,) * 4))


@pytest.mark.parametrize("options", [SMALL, HALF_WIDTH], ids=["sinusoids", "time-table"])
def test_a_converted_network_survives_saving(options: dict[str, Any], tmp_path: Path) -> None:
    _, unet = pair(options)
    x = images(3, 8, 8)
    for name, network in (("colour", unet), ("grey", fold_to_grey(unet))):
        network.save_pretrained(tmp_path / name)
        loaded = UNet2DModel.from_pretrained(tmp_path / name, local_files_only=True)
        seen = x[:, : network.config.in_channels]
        kept = loaded.state_dict()
        assert all(torch.equal(value, kept[key]) for key, value in network.state_dict().items())
        loaded.requires_grad_(False)  # with gradients torch may take kernels that add in another order
        assert_same(loaded(seen, TIMESTEPS).sample, network(seen, TIMESTEPS).sample, 1e-6)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_in_half_precision_is_read_as_its_numbers_are(tmp_path: Path, zipped: bool) -> None:
    reference, _ = pair(SMALL)
    halved = {name: value.half() for name, value in reference.state_dict().items()}
    torch.save(halved, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    unet = convert_checkpoint(tmp_path / "model.pt", OpenAILayout(**SMALL))
    (tmp_path / "model.pt").write_bytes(b"")  # nothing may still lean on the file
    reference.load_state_dict({name: value.float() for name, value in halved.items()})
    x = images(3, 8, 8)
    assert {parameter.dtype for parameter in unet.parameters()} == {torch.float32}
    assert_same(unet(x, TIMESTEPS).sample, reference(x, TIMESTEPS), 1e-5)


def changed(state: dict[str, Tensor], change: str) -> dict[str, Any]:
    weight = state["out.2.weight"]
    return {
        "missing": {name: value for name, value in state.items() if name != "middle_block.1.qkv.bias"},
        "unexpected": state | {"input_blocks.1.1.norm.weight": torch.ones(32)},
        "shape": state | {"time_embed.2.bias": torch.zeros(64)},
        "variance": state | {"out.2.weight": torch.cat([weight, weight]), "out.2.bias": torch.zeros(6)},
        "classes": state | {"label_emb.weight": torch.zeros(10, 128)},
        "diverged": state | {"out.2.bias": torch.full((3,), torch.nan)},
        "optimizer": {"state": {0: torch.zeros(1)}, "param_groups": [{"lr": 1e-4}]},
    }[change]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"1 missing \(middle_block.1.qkv.bias\)"),
        ("unexpected", r"1 not expected \(input_blocks.1.1.norm.weight\)"),
        ("shape", r"time_embed.2.bias must have shape \(128,\).*got \(64,\)"),
        ("variance", "learn_sigma"),
        ("classes", "class_cond"),
        ("diverged", "out.2.bias does not"),
        ("optimizer", "it holds state, param_groups"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused_with_a_reason(
    change: str, message: str, tmp_path: Path
) -> None:
    reference, _ = pair(SMALL)
    torch.save(changed(reference.state_dict(), change), tmp_path / "model.pt")
    with pytest.raises(UnreadableFile, match=message) as refused:
        convert_checkpoint(tmp_path / "model.pt", OpenAILayout(**SMALL))
    assert "model.pt" in str(refused.value)


class Harmful:
    """Would create a file when a pickle with it is loaded carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"weights": Harmful(tmp_path / "harmed")}, tmp_path / "model.pt")
    with pytest.raises(UnreadableFile, match="tensors only"):
        convert_checkpoint(tmp_path / "model.pt", OpenAILayout())
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "absent", "folder"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(1000)}, path)
    if damage == "absent":
        path.unlink()
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-500], "empty": b"", "text": b"404: Not Found"}[damage])
    with pytest.raises(UnreadableFile, match=r"model\.pt (must be|cannot be read)"):
        convert_checkpoint(path, OpenAILayout())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 300}, "state channel_mult"),
        ({"image_size": 100, "channel_mult": (1, 1, 1, 1)}, "halve 3 times"),
        ({"num_channels": 96}, r"multiple of 32.*\[48\]"),
        ({"attention_resolutions": (32, 4)}, r"got \[4\]"),
        ({"num_head_channels": 96}, "num_head_channels=96"),
        ({"num_res_blocks": 0}, "at least 1"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OpenAILayout(**options)


def test_a_time_embedding_that_does_not_fit_its_table_is_refused() -> None:
    narrow = HALF_WIDTH | {"num_channels": 64}  # 64 sinusoids span 50 columns, 32 are there
    with pytest.raises(ConfigurationError, match="64 sinusoids must fit into the 32 channels"):
        pair(narrow)
