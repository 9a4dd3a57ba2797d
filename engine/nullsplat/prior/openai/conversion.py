"""A checkpoint of the method's authors as a prior that `prior.weights` loads."""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from diffusers import UNet2DModel
from safetensors import SafetensorError

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.prior.network import build_scheduler
from nullsplat.prior.openai.grey import fold_to_grey
from nullsplat.prior.openai.layout import OpenAILayout
from nullsplat.prior.openai.unet import convert_checkpoint
from nullsplat.prior.weights import MANIFEST, UNET_FILE, checksum


@dataclass(frozen=True)
class Conversion:
    """What is converted, and how.

    Attributes:
        checkpoint: the PyTorch file.
        layout: what it was trained with.
        grey: fold the image channels into one, see `fold_to_grey`. Cheaper by a little, but not how the network
            was trained: the noise of its channels was independent, and is then the same in all.
    """

    checkpoint: Path
    layout: OpenAILayout
    grey: bool = False


def convert_prior(conversion: Conversion, folder: Path) -> None:
    """Write network, noise schedule and manifest; the manifest last, so that an interrupted run leaves no prior.

    Args:
        conversion: what is converted.
        folder: new or empty.

    Raises:
        UnreadableFile: the checkpoint is damaged or does not fit the layout.
        ConfigurationError: `folder` is in use, or diffusers cannot hold a network of this layout.
        StorageError: the disk is full or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"the prior needs a new or empty folder, {folder} is in use; name another")
    unet = convert_checkpoint(conversion.checkpoint, conversion.layout)
    if conversion.grey:
        unet = fold_to_grey(unet)
    try:
        _write(unet, conversion, folder)
    except (OSError, RuntimeError, SafetensorError) as error:  # a full disk is any of the three
        raise StorageError(
            f"the prior cannot be written to {folder} ({error}); make room, empty the folder and start again"
        ) from error


def _write(unet: UNet2DModel, conversion: Conversion, folder: Path) -> None:
    unet.save_pretrained(folder / "unet", max_shard_size="1TB")  # one file, which is what the checksum is of
    (folder / UNET_FILE).chmod(0o644)  # safetensors writes files for its owner alone
    build_scheduler().save_pretrained(folder / "scheduler")
    manifest = {
        "name": f"converted-{conversion.checkpoint.stem}",
        "sha256": checksum(folder / UNET_FILE),
        "converted": time.strftime("%Y-%m-%d", time.gmtime()),
        "source": {"file": conversion.checkpoint.name, "sha256": checksum(conversion.checkpoint)},
        "layout": _stated(conversion.layout),
        "grey": conversion.grey,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _stated(layout: OpenAILayout) -> dict[str, object]:
    """The layout as it was stated, and the channels that follow from it."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(layout).items()}
