"""A field as the .ply that viewers of Gaussian splats open, without losing what they do not know.

gsplat's exporter writes the properties that all viewers expect: x, y, z, f_dc_*, opacity, scale_*, rot_*. They hold
no negative density, so two properties of our own follow, which viewers skip: `signed_density` (1/mm) for other
programs and `pre_activation` (z), which is what is read again. Grid, activation and slope are in a comment.

What a viewer sees: every Gaussian at its place, in mm from the volume's centre, with its true size and direction;
orange where it adds density, blue where it takes some away, the more opaque the stronger. A viewer composes what
is in front over what is behind, so this is a picture of where the field is at work, not a projection of it.
"""

import numpy as np
import torch
from gsplat import export_splats
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from nullsplat.core.errors import GeometryError, UnreadableFile
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.header import describe, understand
from nullsplat.splat.field.placement import PlacedField

_COMMENT = "comment nullsplat "
_END = b"end_header\n"
_OWN = ("signed_density", "pre_activation")
_COLUMNS = {
    "means": ("x", "y", "z"),
    "log_scales": ("scale_0", "scale_1", "scale_2"),
    "quats": ("rot_0", "rot_1", "rot_2", "rot_3"),
    "z": ("pre_activation",),
}
_ADDS, _TAKES = (1.0, 0.45, 0.1), (0.1, 0.45, 1.0)
_SH0 = 0.28209479177387814
"""The constant spherical harmonic, sqrt(1 / (4 pi)): colour = 1/2 + _SH0 f_dc."""
_STRONG = 0.99
"""Quantile of |density| that is drawn as opaque as anything."""
_OPACITY = (0.01, 0.95)


def encode_ply(placed: PlacedField) -> bytes:
    """The whole file; tensors as float32.

    Raises:
        GeometryError: there is no Gaussian, which gsplat cannot export.
    """
    field = placed.gaussians.detached().to(torch.device("cpu"))
    if len(field) == 0:
        raise GeometryError("a .ply needs at least one Gaussian, the field has none; save it as .safetensors")
    head, body = _standard(field).split(_END, 1)
    rows = np.frombuffer(body, "<f4").reshape(len(field), -1)
    own = torch.stack([field.density, field.z], -1).numpy().astype("<f4")
    about = describe(placed.grid, field.activation, float(field.slope))
    lines = head.decode("ascii").splitlines()
    lines.insert(2, _COMMENT + about)  # after "ply" and the format
    lines += [f"property float {name}" for name in _OWN]
    return "\n".join(lines).encode("ascii") + b"\n" + _END + np.hstack([rows, own]).tobytes()


def decode_ply(content: bytes, where: str) -> PlacedField:
    """What `encode_ply` wrote, also with further properties.

    Args:
        content: of the file.
        where: its name, for errors.
    Raises:
        UnreadableFile: no .ply of a field, or it is truncated.
        GeometryError: numbers that are no field.
    """
    head, end, body = content.partition(_END)
    lines = head.decode("ascii", errors="replace").splitlines()
    if not end or lines[:2] != ["ply", "format binary_little_endian 1.0"]:
        raise UnreadableFile(f"{where} must be a .ply in binary_little_endian 1.0, it is not")
    about = next((line.removeprefix(_COMMENT) for line in lines if line.startswith(_COMMENT)), None)
    grid, chosen, slope = understand(about, where)
    found = _properties(lines, body, where)
    tensors = {
        name: torch.from_numpy(np.stack([found[column] for column in columns], -1))
        for name, columns in _COLUMNS.items()
    }
    tensors["z"] = tensors["z"][:, 0]
    return PlacedField(SignedGaussians(**tensors, slope=torch.tensor(slope), activation=chosen), grid)


def _standard(field: SignedGaussians) -> bytes:
    """What gsplat makes of the field."""
    density = field.density
    colour = torch.where(density[:, None] >= 0, density.new_tensor(_ADDS), density.new_tensor(_TAKES))
    exported: bytes = export_splats(
        means=field.means,
        scales=field.log_scales,
        quats=field.quats,
        opacities=_opacities(density),
        sh0=((colour - 0.5) / _SH0)[:, None],
        shN=density.new_zeros(len(field), 0, 3),
    )
    return exported


def _opacities(density: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Logits, as viewers expect them, of the strength of each Gaussian among all."""
    strength = density.abs()
    strong = float(np.quantile(strength.numpy(), _STRONG)) or 1.0
    return (strength / strong).clamp(*_OPACITY).logit()


def _properties(lines: list[str], body: bytes, where: str) -> dict[str, Float[ndarray, " n"]]:
    """What the vertices hold, by name."""
    elements = [line.split() for line in lines if line.startswith("element ")]
    names = [line.split()[-1] for line in lines if line.startswith("property ")]
    wanted = {name for columns in _COLUMNS.values() for name in columns}
    if (
        [words[1] for words in elements] != ["vertex"]
        or not wanted <= set(names)
        or not all(line.startswith("property float ") for line in lines if line.startswith("property "))
    ):
        raise UnreadableFile(
            f"{where} must hold vertices with the float properties {', '.join(sorted(wanted))}, its header names "
            f"{', '.join(names)}; export the field again"
        )
    kind, count = np.dtype([(name, "<f4") for name in names]), int(elements[0][2])
    if len(body) != count * kind.itemsize:
        raise UnreadableFile(
            f"{where} must hold {count} Gaussians of {kind.itemsize} bytes, it holds {len(body)} bytes; it is "
            "truncated or damaged"
        )
    rows = np.frombuffer(body, kind)
    return {name: rows[name].astype(np.float32) for name in names}
