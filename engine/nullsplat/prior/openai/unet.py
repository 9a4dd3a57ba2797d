"""Checkpoints of OpenAI's guided-diffusion, which the method's authors use, as diffusers' `UNet2DModel`."""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch import Tensor

from nullsplat.core.errors import UnreadableFile
from nullsplat.prior.network import TRAIN_STEPS
from nullsplat.prior.openai.keys import Move, moves
from nullsplat.prior.openai.layout import OpenAILayout
from nullsplat.prior.openai.time_table import narrow_table, sinusoids

_FIRST_TIME_LAYER = "time_embed.0.weight"
_NOT_A_CHECKPOINT = (EOFError, KeyError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)
"""What torch raises for files that are cut off, no checkpoint, or hold more than tensors."""


def convert_checkpoint(path: Path, layout: OpenAILayout) -> UNet2DModel:
    """Read a checkpoint and build the same network in diffusers.

    Args:
        path: a state dict as guided-diffusion saves it (`model*.pt`, `ema_*.pt`), any floating-point type.
        layout: what it was trained with.

    Returns:
        The network on the CPU in float32, in evaluation mode, with the checkpoint's image channels. It predicts
        noise for the timesteps 0 to 999.

    Raises:
        UnreadableFile: the file is missing or damaged, holds something else, or does not fit the layout.
        ConfigurationError: diffusers cannot hold a network of this layout.
    """
    state = read_state(path)
    try:
        return convert_state(state, layout)
    except UnreadableFile as error:
        raise UnreadableFile(f"the checkpoint {path}: {error}") from error


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a bare state dict, executing nothing that the file may contain.

    Raises:
        UnreadableFile: the file is missing or damaged, or holds anything but named tensors of finite numbers.
    """
    try:
        # Mapped, not read: the authors' network is 2 GB, and is copied once anyway.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise UnreadableFile(f"the checkpoint {path} cannot be read: {error.strerror or error}") from error
    except _NOT_A_CHECKPOINT as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnreadableFile(
            f"the checkpoint {path} must be a PyTorch file that holds tensors only, it is damaged or something else "
            f"({reason}); get it again, or save the network's state_dict() alone"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        held = ", ".join(map(str, list(state)[:5])) if isinstance(state, Mapping) else type(state).__name__
        raise UnreadableFile(
            f"the checkpoint {path} must be a state dict of tensors, it holds {held}; save state_dict() alone"
        )
    broken = [key for key, value in state.items() if not value.isfinite().all()]
    if broken:
        raise UnreadableFile(
            f"the checkpoint {path} must hold finite numbers, {_some(broken)} does not; it is of a run that diverged"
        )
    return dict(state)


def convert_state(state: Mapping[str, Tensor], layout: OpenAILayout) -> UNet2DModel:
    """Build the network of a state dict in diffusers; see `convert_checkpoint`.

    The parameters are copied, on the device where they are.

    Raises:
        UnreadableFile: keys are missing or not expected, or shapes differ.
        ConfigurationError: diffusers cannot hold a network of this layout.
    """
    with torch.device("meta"):
        unet = UNet2DModel(**layout.unet_config(TRAIN_STEPS))
    shapes = {name: tuple(parameter.shape) for name, parameter in unet.state_dict().items()}
    needed = [move for move in moves(layout) if move.targets[0] in shapes]
    _check(state, needed, shapes, layout)
    converted: dict[str, Tensor] = {}
    for move in needed:
        for name, part in move.apply(state[move.source], layout).items():
            # Apart from the file and from each other, which safetensors asks for.
            converted[name] = part.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    if layout.needs_time_table:
        converted.update(_time_table(state[_FIRST_TIME_LAYER], layout))
    unet.load_state_dict(converted, assign=True)
    unet.eval().requires_grad_(False)
    return unet


def _time_table(layer: Tensor, layout: OpenAILayout) -> dict[str, Tensor]:
    """The embedding's table and the first linear layer of a network whose embedding is not as wide as its first level."""
    table, basis = narrow_table(sinusoids(TRAIN_STEPS, layout.num_channels), layout.widths[0])
    narrowed = layer.double() @ basis.to(layer.device)
    return {
        "time_proj.weight": table.float().to(layer.device),
        "time_embedding.linear_1.weight": narrowed.float(),
    }


def _check(
    state: Mapping[str, Tensor],
    needed: Iterable[Move],
    shapes: Mapping[str, tuple[int, ...]],
    layout: OpenAILayout,
) -> None:
    expected = {move.source: move.source_shape(shapes[move.targets[0]]) for move in needed}
    expected[_FIRST_TIME_LAYER] = (4 * layout.num_channels, layout.num_channels)
    if "label_emb.weight" in state:
        raise UnreadableFile(
            "an unconditional network is needed, this one is conditioned on classes (label_emb); train with class_cond False"
        )
    noise = state.get("out.2.weight")
    if noise is not None and noise.ndim > 0 and len(noise) == 2 * layout.image_channels:
        raise UnreadableFile(
            f"the network must predict noise only, {layout.image_channels} channels; this one has {len(noise)}, it also "
            "learned the variance; train with learn_sigma False"
        )
    missing, unexpected = [k for k in expected if k not in state], [k for k in state if k not in expected]
    if missing or unexpected:
        found = [f"{len(missing)} missing ({_some(missing)})"] if missing else []
        found += [f"{len(unexpected)} not expected ({_some(unexpected)})"] if unexpected else []
        raise UnreadableFile(
            f"the parameters must be those of {layout}, but there are {' and '.join(found)}; "
            "state the layout that it was trained with"
        )
    for key, shape in expected.items():
        if tuple(state[key].shape) != shape:
            raise UnreadableFile(
                f"{key} must have shape {shape} for {layout}, got {tuple(state[key].shape)}; "
                "state the layout that it was trained with"
            )


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
