"""GPU tensors: the reference, chunked. Correct, but far from what a GPU can do; it says so once."""

import functools
import logging

from jaxtyping import Float
from torch import Tensor

from nullsplat.splat.kernels.voxelise import ref

_log = logging.getLogger(__name__)


@functools.cache
def _announce() -> None:
    _log.warning(
        "voxelise runs as plain torch on the GPU: results are exact, speed is not that of a fused kernel"
    )


def voxelise(
    means: Float[Tensor, "n 3"],
    precisions: Float[Tensor, "n 6"],
    density: Float[Tensor, " n"],
    shape: tuple[int, int, int],
    cutoff: float,
) -> Float[Tensor, "z y x"]:
    """See `kernels.voxelise.voxelise`."""
    _announce()
    return ref.voxelise(means, precisions, density, shape, cutoff)
