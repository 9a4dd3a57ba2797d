"""The orthonormal discrete cosine transform (types II and III) along all axes."""

from functools import lru_cache

import numpy as np
import scipy.fft
import torch
from jaxtyping import Float
from torch import Tensor

from nullsplat.physics.mode_product import apply_along_axes


def cosine_transform(x: Float[Tensor, "*shape"], overwrite: bool = False) -> Float[Tensor, "*shape"]:
    """Coefficients of `x` in an orthonormal cosine basis; white noise keeps its standard deviation.

    Args:
        x: any field.
        overwrite: whether nobody needs `x` afterwards; on the CPU, nothing is then allocated.
    """
    if x.device.type == "cpu":
        threads = torch.get_num_threads()
        return torch.from_numpy(
            scipy.fft.dctn(x.numpy(), norm="ortho", workers=threads, overwrite_x=overwrite)
        )
    return apply_along_axes(x, [_basis(n).to(x.device, x.dtype) for n in x.shape])


def inverse_cosine_transform(spectrum: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """What `cosine_transform` came from; on the CPU `spectrum` is overwritten."""
    if spectrum.device.type == "cpu":
        threads = torch.get_num_threads()
        return torch.from_numpy(
            scipy.fft.idctn(spectrum.numpy(), norm="ortho", workers=threads, overwrite_x=True)
        )
    return apply_along_axes(
        spectrum, [_basis(n).T.to(spectrum.device, spectrum.dtype) for n in spectrum.shape]
    )


@lru_cache(maxsize=16)
def _basis(n: int) -> Float[Tensor, "n n"]:
    """The transform along one axis as a matrix, for processors that multiply faster than they permute."""
    return torch.from_numpy(scipy.fft.dct(np.eye(n), axis=0, norm="ortho"))
