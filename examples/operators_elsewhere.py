"""Use NullSplat's operators inside another library's solver: here SciPy's LSQR, which reconstructs from few views.

Every operator has A(x), A.T(y), A.domain_shape and A.range_shape, which is all that solvers ask for.
"""

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator as ScipyOperator
from scipy.sparse.linalg import lsqr

from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.linear import LinearOperator
from nullsplat.physics.projection.beam import beam_for
from nullsplat.physics.projection.projector import Projector

SHAPE, SPACING = (4, 32, 32), (2.0, 1.0, 1.0)


def for_scipy(A: LinearOperator) -> ScipyOperator:
    """The operator on flat NumPy arrays."""

    def apply(operator: LinearOperator, flat: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(flat).reshape(operator.domain_shape))
        return operator(x).numpy().ravel()

    return ScipyOperator(
        shape=(int(np.prod(A.range_shape)), int(np.prod(A.domain_shape))),
        matvec=lambda x: apply(A, x),
        rmatvec=lambda y: apply(A.T, y),
        dtype=np.float64,
    )


def phantom() -> np.ndarray:
    """A cylinder of water with a hole, as attenuation in 1/mm."""
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    return 0.0192 * ((y**2 + x**2 < 0.7) & (y**2 + (x - 0.3) ** 2 > 0.1))


def main() -> None:
    """Reconstruct the phantom from 60 views, then slices four times thinner from thick ones."""
    truth = phantom()
    P = for_scipy(Projector(beam_for(SHAPE, SPACING, views=60), SHAPE, SPACING))
    found = lsqr(P, P @ truth.ravel(), iter_lim=60)[0].reshape(SHAPE)
    print(f"60 views: relative error {np.linalg.norm(found - truth) / np.linalg.norm(truth):.3f}")

    D = degradation_for((3, 8), (4.0, 1.0))
    y = D(torch.rand(D.domain_shape, dtype=torch.float64))
    solved = lsqr(for_scipy(D), y.numpy().ravel(), atol=1e-14, btol=1e-14)[0].reshape(D.domain_shape)
    print(f"LSQR and the exact pseudo-inverse differ by {np.abs(solved - D.pinv(y).numpy()).max():.1e}")


if __name__ == "__main__":
    main()
