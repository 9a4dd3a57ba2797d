"""Fields on disk: .safetensors for ourselves, .ply for viewers as well; both come back as they were."""

from pathlib import Path

import safetensors
import safetensors.torch as safetensors_torch
import torch

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import replacing
from nullsplat.splat.field.gaussians import WIDTHS, SignedGaussians
from nullsplat.splat.field.header import describe, understand
from nullsplat.splat.field.placement import PlacedField
from nullsplat.splat.field.ply import decode_ply, encode_ply

SUFFIXES = (".safetensors", ".ply")
_ABOUT = "nullsplat"


def check_suffix(path: Path) -> None:
    """Refuse a name that does not say which kind of file it is.

    Raises:
        UnreadableFile: it ends neither in .safetensors nor in .ply.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UnreadableFile(f"a field's file must end in {' or '.join(SUFFIXES)}, got {path.name}")


def save_field(placed: PlacedField, path: Path) -> None:
    """Write a field; the name appears only when the file is complete.

    Raises:
        UnreadableFile: the name ends neither in .safetensors nor in .ply.
        StorageError: the file cannot be written.
    """
    check_suffix(path)
    content = encode_ply(placed) if path.suffix.lower() == ".ply" else encode_safetensors(placed)
    with replacing(path) as partial:
        partial.write_bytes(content)


def load_field(path: Path) -> PlacedField:
    """Read what `save_field` wrote.

    Raises:
        UnreadableFile: there is no such file, or it holds something else.
        ConfigurationError: an activation that this version does not know.
        GeometryError: the numbers in it are no field.
    """
    check_suffix(path)
    try:
        if path.suffix.lower() == ".ply":
            return decode_ply(path.read_bytes(), path.name)
        return _decode_safetensors(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise UnreadableFile(f"{path} must be a {path.suffix} file of signed Gaussians: {error}") from error


def encode_safetensors(placed: PlacedField) -> bytes:
    """The whole file; tensors keep their type."""
    field = placed.gaussians
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in field.tensors.items()}
    about = describe(placed.grid, field.activation, float(field.slope.detach()))
    return safetensors_torch.save(tensors, metadata={_ABOUT: about})


def _decode_safetensors(path: Path) -> PlacedField:
    with safetensors.safe_open(path, framework="pt") as file:
        grid, chosen, _ = understand((file.metadata() or {}).get(_ABOUT), path.name)
        tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in (*WIDTHS, "slope")}
    return PlacedField(SignedGaussians(**tensors, activation=chosen), grid)
