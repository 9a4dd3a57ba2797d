"""GPU tensors: the reference, chunked. Correct, but far from what a GPU can do; it says so once."""

import functools
import logging

from jaxtyping import Float
from torch import Tensor

from nullsplat.splat.kernels.integrate import ref

_log = logging.getLogger(__name__)


@functools.cache
def _announce() -> None:
    _log.warning(
        "integrate runs as plain torch on the GPU: results are exact, speed is not that of a fused kernel"
    )


def integrate(
    means2d: Float[Tensor, "v n 2"],
    conics: Float[Tensor, "v n 3"],
    weights: Float[Tensor, "v n"],
    size: tuple[int, int],
    cutoff: float,
) -> Float[Tensor, "v rows columns"]:
    """See `kernels.integrate.integrate`."""
    _announce()
    return ref.integrate(means2d, conics, weights, size, cutoff)
