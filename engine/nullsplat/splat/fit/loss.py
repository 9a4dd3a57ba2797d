"""The loss of the fit (arXiv 2508.15151, Eq. 5), on scales that make it free of units."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

_WINDOW = 1.5
_RADIUS = 5
_C1, _C2 = 0.01**2, 0.03**2


def window(n: int, like: Tensor) -> Float[Tensor, "n n"]:
    """Band matrix that applies SSIM's window, a Gaussian of sigma 1.5 over 11 pixels, along an axis of n pixels.

    Values beyond the border count as zero. As a product of small matrices it is several times faster on a CPU
    than a convolution, forward and backward.
    """
    pixel = torch.arange(n, device=like.device)
    distance = (pixel[:, None] - pixel).abs()
    taps = torch.exp(-0.5 * (distance / _WINDOW) ** 2) * (distance <= _RADIUS)
    total = sum(math.exp(-0.5 * (k / _WINDOW) ** 2) for k in range(-_RADIUS, _RADIUS + 1))
    return (taps / total).to(like.dtype)


class StructuralSimilarity:
    """SSIM between images and fixed truths in [0, 1]; what depends on the truths alone is computed once.

    Source: Wang, Bovik et al., IEEE Trans. Image Processing 13(4), 2004, with its constants.
    """

    def __init__(self, truths: Float[Tensor, "v z u"]) -> None:
        """Prepare the truths."""
        self._down, self._across = window(truths.shape[1], truths), window(truths.shape[2], truths)
        self._truths = truths
        self._means = self._blur(truths)
        self._variances = self._blur(truths.square()) - self._means.square()

    def __call__(self, images: Float[Tensor, "b z u"], views: Tensor) -> Float[Tensor, "b z u"]:
        """SSIM at every pixel of images that should equal the truths of `views`."""
        truths, mean_t, variance_t = self._truths[views], self._means[views], self._variances[views]
        mean, square, product = self._blur(torch.stack([images, images.square(), images * truths]))
        variance, covariance = square - mean.square(), product - mean * mean_t
        luminance = (2 * mean * mean_t + _C1) / (mean.square() + mean_t.square() + _C1)
        structure = (2 * covariance + _C2) / (variance + variance_t + _C2)
        similarity: Tensor = luminance * structure
        return similarity

    def _blur(self, images: Tensor) -> Tensor:
        return self._down @ (images @ self._across)


def half_ramp(n: int, spacing: float, like: Tensor) -> Float[Tensor, "n n"]:
    """Matrix that filters n detector columns with the root of the ramp, sqrt|f|, f in cycles per mm.

    Its use: the squared error of a slice is the integral over views of the squared error of its projections
    after this filter (Parseval and the central slice theorem), so filtered projections are compared as their
    volumes would be, instead of letting the lowest frequencies decide.

    Args:
        n: columns.
        spacing: of the columns in mm.
        like: gives dtype and device.
    """
    frequency = torch.fft.rfftfreq(2 * n, spacing, dtype=torch.float64)
    kernel = torch.fft.irfft(frequency.sqrt(), 2 * n)
    pixel = torch.arange(n)
    matrix: Tensor = kernel[(pixel[:, None] - pixel).abs()]
    return matrix.to(like.device, like.dtype)


def total_variation(volume: Float[Tensor, "z y x"], spacing: tuple[float, float, float]) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbours per smallest voxel spacing, averaged over the axes."""
    finest = min(spacing)
    terms = [
        volume.diff(dim=axis).abs().mean() * (finest / spacing[axis])
        for axis in range(3)
        if volume.shape[axis] > 1
    ]
    return torch.stack(terms).mean() if terms else volume.new_zeros(())
