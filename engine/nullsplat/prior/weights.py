"""Priors on disk: those that come with the package, whether they are intact, how they are loaded."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import DDIMScheduler, UNet2DModel
from safetensors import SafetensorError

from nullsplat.core.errors import WeightsError
from nullsplat.core.suggestion import did_you_mean

Content = TypeVar("Content")

FOLDER = Path(__file__).parent / "weights"

XRAY = "xray-small"
"""The unconditional prior of X-ray projections that comes with the package."""

BLOCK = "block-small"
"""The prior of blocks of slabs that comes with the package, conditioned on what physics alone can give."""

PACKAGED = (BLOCK, XRAY)

NONE = "none"
"""Instead of a prior's name: physics alone."""
MANIFEST = "nullsplat.json"
UNET_FILE = "unet/diffusion_pytorch_model.safetensors"

_NOT_A_MODEL = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
"""What diffusers raises for files that are missing, no JSON, no safetensors, or of another architecture."""


def locate(prior: str) -> Path:
    """The folder of a prior.

    Args:
        prior: the name of a packaged one, or a folder that `train-prior` or `convert-prior` wrote.

    Raises:
        WeightsError: neither.
    """
    if prior in PACKAGED:
        return FOLDER / prior
    if (Path(prior) / MANIFEST).is_file():
        return Path(prior)
    raise WeightsError(
        f"a prior must be {NONE}, {', '.join(PACKAGED)} or a folder with a {MANIFEST}, got {prior!r}"
        + did_you_mean(prior, (NONE, *PACKAGED))
    )


def prior_hash(prior: str) -> str:
    """What a result says of its prior: `model_hash` of a name or folder; zeros for `NONE`.

    Raises:
        WeightsError: there is no such prior.
    """
    return "0" * 64 if prior == NONE else model_hash(locate(prior))


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a prior: its name, the checksum of its weights, what it was trained on.

    Raises:
        WeightsError: there is no readable manifest.
    """
    path = folder / MANIFEST
    advice = "reinstall nullsplat, or train a prior with `nullsplat train-prior`"
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"a prior needs a readable {path}, it is not ({error}); {advice}") from error
    if not isinstance(content, dict) or not isinstance(content.get("sha256"), str):
        raise WeightsError(f"{path} must state the sha256 of the weights, it does not; {advice}")
    return content


def model_hash(folder: Path) -> str:
    """SHA-256 of the weights as the manifest states it, 64 hexadecimal digits.

    Raises:
        WeightsError: there is no readable manifest.
    """
    return str(manifest(folder)["sha256"])


def verify(folder: Path) -> None:
    """Compare the weights with the manifest's checksum.

    Raises:
        WeightsError: the weights are missing or are not the ones the manifest names.
    """
    expected = model_hash(folder)
    try:
        got = checksum(folder / UNET_FILE)
    except OSError as error:
        raise WeightsError(f"the prior's weights cannot be read: {error}; reinstall nullsplat") from error
    if got != expected:
        raise WeightsError(
            f"the prior's weights must have SHA-256 {expected}, {folder / UNET_FILE} has {got}; reinstall nullsplat"
        )


def checksum(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(folder: Path) -> tuple[UNet2DModel, DDIMScheduler]:
    """Network and schedule of a prior, on the CPU, in evaluation mode.

    Every call reads and verifies the files anew: the caller owns what it gets and may move or cast it.

    Raises:
        WeightsError: the weights are missing, damaged or of another architecture.
    """
    verify(folder)
    try:
        unet = UNet2DModel.from_pretrained(folder / "unet", local_files_only=True, torch_dtype=torch.float32)
        scheduler = DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    except _NOT_A_MODEL as error:
        raise WeightsError(f"the prior in {folder} cannot be loaded: {error}") from error
    unet.eval().requires_grad_(False)
    return unet, scheduler


@dataclass(frozen=True)
class Companion:
    """A JSON file in a prior's folder; it states the checksum of the weights that it belongs to as `model_sha256`.

    Attributes:
        file: its name.
        holds: what it must state, in words.
        command: that makes one.
    """

    file: str
    holds: str
    command: str

    def of(self, prior: str, read: Callable[[dict[str, Any]], Content]) -> Content | None:
        """What the file says; None where there is none.

        Args:
            prior: a packaged name or a folder, see `locate`.
            read: takes its content; what it raises for content that it cannot use becomes a WeightsError.

        Raises:
            WeightsError: there is no such prior, or the file is damaged or belongs to other weights.
        """
        if prior == NONE or not (path := locate(prior) / self.file).exists():
            return None
        advice = f"make it anew with `nullsplat {self.command}`, or delete it"
        try:
            content = json.loads(path.read_text())
            found, made_for = read(content), content["model_sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(
                f"{path} must state {self.holds}, it does not ({error!r}); {advice}"
            ) from error
        if made_for != prior_hash(prior):
            raise WeightsError(f"{path} is for the weights {made_for[:12]}, the prior has others; {advice}")
        return found

    def hash(self, prior: str) -> str:
        """SHA-256 of the file, 64 hexadecimal digits; zeros where there is none.

        Raises:
            WeightsError: there is no such prior.
        """
        if prior == NONE or not (path := locate(prior) / self.file).exists():
            return "0" * 64
        return checksum(path)
