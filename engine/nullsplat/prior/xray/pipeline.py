"""The projection-domain sampler: DDNM and DDNM+ around an unconditional X-ray prior, as a diffusers pipeline."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet2DModel
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from nullsplat.core.errors import GeometryError
from nullsplat.core.moments import Moments
from nullsplat.core.progress import Progress, silent
from nullsplat.physics.degradation import Separable
from nullsplat.physics.null_space import ddnm_plus, ddnm_plus_noise, null_space_part
from nullsplat.prior.precision import fast_bfloat16
from nullsplat.prior.xray.sampling import SamplingConfig, view_noise, visited_timesteps


@dataclass(frozen=True)
class Measurement:
    """What was measured, in network range.

    Attributes:
        y: measured projections, [view, low-resolution z, low-resolution u].
        op: the degradation A that made them from the wanted projections.
        sigma_y: standard deviation of their noise.
    """

    y: Float[Tensor, "v m n"]
    op: Separable
    sigma_y: float


@dataclass(frozen=True)
class SampledProjections:
    """What the prior made of a measurement, in network range.

    Attributes:
        mean: mean of the samples.
        deviation: their standard deviation per pixel; zero for a single sample.
    """

    mean: Float[Tensor, "v z u"]
    deviation: Float[Tensor, "v z u"]


@dataclass(frozen=True)
class _Step:
    """Coefficients of one reverse step from timestep t to the next noise level."""

    t: int
    alpha_bar: float
    next_alpha_bar: float
    eta: float

    @property
    def a_next(self) -> float:
        return float(self.next_alpha_bar**0.5)

    @property
    def sigma_next(self) -> float:
        """Fresh noise of this step: DDNM's c1 = eta sqrt(1 - alpha_bar_next)."""
        return float(self.eta * (1 - self.next_alpha_bar) ** 0.5)

    @property
    def kept(self) -> float:
        """Predicted noise that is kept: DDNM's c2."""
        return float((1 - self.eta**2) ** 0.5 * (1 - self.next_alpha_bar) ** 0.5)

    @property
    def level(self) -> float:
        """Noise relative to signal at timestep t."""
        return float(((1 - self.alpha_bar) / self.alpha_bar) ** 0.5)


class ProjectionDDNMPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Samples projections that the prior finds likely and the measurement allows.

    Where the network has several image channels, each is sampled like a view of its own, held to the same measurement
    but with its own noise, as in the network's training, and their mean is the sample.

    `save_pretrained` and `from_pretrained` are those of diffusers.
    """

    def __init__(self, unet: UNet2DModel, scheduler: DDIMScheduler) -> None:
        """Take a network and the schedule it was trained with, which also tells what it predicts."""
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        measurement: Measurement,
        config: SamplingConfig | None = None,
        start: Float[Tensor, "v z u"] | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> SampledProjections:
        """Draw `config.samples` samples for every view.

        Args:
            measurement: what was measured.
            config: how to sample; without it, one sample as in the paper.
            start: initial estimate in network range; needed when `config.start_sigma` is given.
            seed: of all noise; the same seed gives the same samples.
            progress: called after every batch of views.

        Raises:
            GeometryError: the measurement or the initial estimate does not fit the operator.
        """
        config = config or SamplingConfig()
        if config.sigma_y is not None:
            measurement = replace(measurement, sigma_y=config.sigma_y)
        self._check(measurement, config, start)
        moments = Moments()
        for k in range(config.samples):

            def report(fraction: float, note: str = "", k: int = k) -> None:
                progress((k + fraction) / config.samples, f"sample {k + 1} of {config.samples}, {note}")

            moments.add(self._sample(measurement, config, start, (seed, k), report))
        return SampledProjections(moments.mean, moments.deviation)

    def _sample(
        self,
        measurement: Measurement,
        config: SamplingConfig,
        start: Tensor | None,
        seed: tuple[int, int],
        progress: Progress,
    ) -> Float[Tensor, "v z u"]:
        """One sample of every view, batch by batch; on the CPU."""
        steps = self._steps(config)
        views, (rows, columns) = len(measurement.y), measurement.op.hr_shape
        out = torch.empty(views, rows, columns)
        for first in range(0, views, config.batch):
            part = range(views)[first : first + config.batch]

            def noise(step: int, part: range = part) -> Tensor:
                return self._noise(part, (rows, columns), config.shared_views, seed, step)

            chosen = slice(part.start, part.stop)
            local = replace(measurement, y=self._for_channels(measurement.y[chosen]))
            guess = None if start is None else self._for_channels(start[chosen])
            if guess is not None and config.relaxation is not None:
                if config.samples > 1:
                    guess = guess + steps[0].level * null_space_part(noise(0), local.op)
                sampled = self._ascend(local, steps, guess, config.relaxation)
            else:
                sampled = self._reverse(local, steps, guess, noise)
            out[chosen] = sampled.reshape(-1, self._channels, rows, columns).mean(1).cpu()
            progress(part.stop / views, f"view {part.stop} of {views}")
        return out

    def _noise(
        self, part: range, size: tuple[int, int], shared_views: int, seed: tuple[int, int], step: int
    ) -> Float[Tensor, "b z u"]:
        """Standard normal noise for every channel of some of the views; the first is that of a grey network."""
        own = [(step, *(("channel", c) if c else ())) for c in range(self._channels)]
        drawn = [
            view_noise(part, size, shared_views, seed[0], "stage1", seed[1], *purpose) for purpose in own
        ]
        return torch.stack(drawn, dim=1).flatten(0, 1).to(self.device)

    def _reverse(
        self,
        measurement: Measurement,
        steps: list[_Step],
        start: Tensor | None,
        noise: Callable[[int], Tensor],
    ) -> Float[Tensor, "b z u"]:
        """The reverse diffusion of one batch of views; `noise(i)` is drawn for the i-th noise level."""
        x = noise(0)
        if start is not None:
            x = steps[0].alpha_bar ** 0.5 * start + (1 - steps[0].alpha_bar) ** 0.5 * x
        for i, step in enumerate(steps[:-1], start=1):
            x0, eps = self._estimate(x, step)
            constraint = (measurement.op, measurement.sigma_y, step.a_next, step.sigma_next)
            x0 = ddnm_plus(x0, measurement.y, *constraint)
            x = step.a_next * x0 + step.kept * eps + ddnm_plus_noise(noise(i), *constraint)
        x0, _ = self._estimate(x, steps[-1])
        return _settle(x0, measurement, steps[-1].level)

    def _ascend(
        self, measurement: Measurement, steps: list[_Step], x: Float[Tensor, "b z u"], relaxation: float
    ) -> Float[Tensor, "b z u"]:
        """Go uphill in the prior's density, smoothed less and less, without leaving the measurement.

        By Tweedie's formula the prior's clean estimate minus its input is sigma_t^2 times the gradient of the
        log density at noise level sigma_t, so every step is one of gradient ascent.
        Source: Efron 2011, "Tweedie's formula and selection bias"; Kadkhodaie and Simoncelli 2021
        (arXiv 2007.13640) for the ascent under linear constraints.
        """
        for step in steps:
            x0, _ = self._estimate(step.alpha_bar**0.5 * x, step)
            x = x + relaxation * (_settle(x0, measurement, step.level) - x)
        return x

    def _estimate(
        self, x: Float[Tensor, "b z u"], step: _Step
    ) -> tuple[Float[Tensor, "b z u"], Float[Tensor, "b z u"]]:
        """The clean image and the noise that the prior sees in `x`."""
        predicted = self._predict(x, step.t)
        signal, noise = step.alpha_bar**0.5, (1 - step.alpha_bar) ** 0.5
        if self.scheduler.config.prediction_type == "v_prediction":
            return signal * x - noise * predicted, signal * predicted + noise * x
        return (x - noise * predicted) / signal, predicted

    def _predict(self, x: Float[Tensor, "b z u"], t: int) -> Float[Tensor, "b z u"]:
        """Run the network on images of any size, padded to what its down-sampling needs."""
        multiple = 2 ** (len(self.unet.config.block_out_channels) - 1)
        height, width = x.shape[1:]
        bottom, right = -height % multiple, -width % multiple
        padded = pad(x.reshape(-1, self._channels, height, width), (0, right, 0, bottom), mode="replicate")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=fast_bfloat16(self.device)):
            predicted: Tensor = self.unet(padded, t).sample
        return predicted[:, :, :height, :width].flatten(0, 1).float()

    @property
    def _channels(self) -> int:
        """Image channels of the network, 1 or the 3 of a network for colour images that saw grey ones."""
        return int(self.unet.config.in_channels)

    def _for_channels(self, views: Float[Tensor, "v ..."]) -> Float[Tensor, "b ..."]:
        """Each view once for every channel of the network, one after the other, on the network's device."""
        return views.to(self.device).repeat_interleave(self._channels, dim=0)

    def _steps(self, config: SamplingConfig) -> list[_Step]:
        alphas = self.scheduler.alphas_cumprod
        visited = visited_timesteps(alphas, config)
        following: list[Any] = [*visited[1:], None]
        return [
            _Step(t, float(alphas[t]), 1.0 if later is None else float(alphas[later]), config.eta)
            for t, later in zip(visited, following, strict=True)
        ]

    @staticmethod
    def _check(measurement: Measurement, config: SamplingConfig, start: Tensor | None) -> None:
        if tuple(measurement.y.shape[1:]) != measurement.op.lr_shape:
            raise GeometryError(
                f"measured views must have shape {measurement.op.lr_shape} to fit {measurement.op}, "
                f"got {tuple(measurement.y.shape[1:])}"
            )
        wanted = (len(measurement.y), *measurement.op.hr_shape)
        if config.start_sigma is not None and start is None:
            raise GeometryError(
                "start_sigma was given without an initial estimate; pass start, or start_sigma=None"
            )
        if start is not None and tuple(start.shape) != wanted:
            raise GeometryError(f"the initial estimate must have shape {wanted}, got {tuple(start.shape)}")


def _settle(x0: Float[Tensor, "v z u"], measurement: Measurement, level: float) -> Float[Tensor, "v z u"]:
    """Hold the last estimate to the measurement, as far as the measurement is the more certain of the two.

    DDNM+ has nothing to say when no noise is left to add. The estimate is then about as uncertain as the
    noise that was just removed (`level`), the measurement as sigma_y / s; the gain is the Wiener one.
    """
    trust = (measurement.sigma_y / level) ** 2
    return x0 + measurement.op.filtered_pinv(
        measurement.y - measurement.op.forward(x0), lambda s: s**2 / (s**2 + trust)
    )
