"""`nullsplat convert-prior`: options and help of the command; `prior.openai.conversion` does the work."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from nullsplat.cli.failures import readable_failures
from nullsplat.cli.options import Debug
from nullsplat.core.errors import ConfigurationError

Number = TypeVar("Number", int, float)


def convert_prior(  # noqa: PLR0913, PLR0917 - options are parameters
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT.pt", help="A state dict that guided-diffusion saved.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the prior goes; new or empty.")],
    image_size: Annotated[int, typer.Option(min=1, help="Side of the training images in pixels.")] = 512,
    num_channels: Annotated[int, typer.Option(min=1, help="Base width.")] = 256,
    num_res_blocks: Annotated[int, typer.Option(min=1, help="Residual blocks per level.")] = 2,
    channel_mult: Annotated[
        str, typer.Option(metavar="M,M,...", help="Width of each level; empty: as usual for the image size.")
    ] = "",
    attention_resolutions: Annotated[
        str, typer.Option(metavar="N,N,...", help="Sides in pixels at which the network attends.")
    ] = "32,16,8",
    num_head_channels: Annotated[int, typer.Option(min=1, help="Width of an attention head.")] = 64,
    new_attention_order: Annotated[
        bool, typer.Option("--new-attention-order", help="It was trained with use_new_attention_order.")
    ] = False,
    grey: Annotated[
        bool,
        typer.Option("--grey", help="Fold the three image channels into one; see the command's help."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Convert a checkpoint of OpenAI's guided-diffusion, as the method's authors use it, to a prior.

    The checkpoint does not say how the network was built: state what it was trained with. The defaults are the
    authors'. It must have been trained with use_scale_shift_norm and resblock_updown, without learn_sigma, on 1000
    steps of the linear noise schedule.

    The network keeps its three image channels: stage 1 then samples each with noise of its own, as in training, and
    takes their mean. With --grey it becomes a network of one channel that answers as if all three held the same.

    Example: `nullsplat convert-prior ema_0.9999_500000.pt --out prior`
    """
    with readable_failures(debug=debug):
        from nullsplat.prior.openai.conversion import Conversion, convert_prior  # noqa: PLC0415 - --help without torch
        from nullsplat.prior.openai.layout import OpenAILayout  # noqa: PLC0415
        from nullsplat.prior.weights import model_hash  # noqa: PLC0415

        layout = OpenAILayout(
            image_size=image_size,
            num_channels=num_channels,
            num_res_blocks=num_res_blocks,
            channel_mult=_numbers("--channel-mult", channel_mult, float),
            attention_resolutions=_numbers("--attention-resolutions", attention_resolutions, int),
            num_head_channels=num_head_channels,
            new_attention_order=new_attention_order,
        )
        convert_prior(Conversion(checkpoint, layout, grey), out)
        print(f"wrote {out}: the prior and its manifest, weights {model_hash(out)}")


def _numbers(option: str, text: str, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    try:
        return tuple(kind(part) for part in text.split(",") if text)
    except ValueError as error:
        raise ConfigurationError(f"{option} must be numbers with commas between, got {text!r}") from error
