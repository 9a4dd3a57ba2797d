"""Networks, operators and images small enough to run in milliseconds."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from jaxtyping import Float
from torch import Tensor

from nullsplat.prior.network import build_scheduler
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline

TINY = {
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D",) * 2,
    "up_block_types": ("UpBlock2D",) * 2,
    "add_attention": False,
    "norm_num_groups": 4,
}


class KnowsOneImage(UNet2DModel):
    """A prior that has seen a single image: whatever it is shown, it says what is noise beside that image."""

    def __init__(self, prediction_type: str) -> None:
        super().__init__(**TINY)
        self.image, self.schedule = torch.zeros(1, 1), build_scheduler(prediction_type)

    def forward(self, x: Float[Tensor, "b 1 z u"], t: int) -> SimpleNamespace:
        alpha = self.schedule.alphas_cumprod[t]
        noise = (x - alpha.sqrt() * self.image) / (1 - alpha).sqrt()
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * self.image
        return SimpleNamespace(
            sample=noise if self.schedule.config.prediction_type == "epsilon" else velocity
        )


@pytest.fixture(scope="session")
def random_unet() -> UNet2DModel:
    """A network that was never trained; its answers are as good as any for what must hold for all priors."""
    torch.manual_seed(1)
    unet = UNet2DModel(**TINY)
    return unet.eval().requires_grad_(False)


@pytest.fixture
def pipeline(random_unet: UNet2DModel) -> ProjectionDDNMPipeline:
    return ProjectionDDNMPipeline(random_unet, build_scheduler())


@pytest.fixture(params=["epsilon", "v_prediction"])
def knows_one_image(request: pytest.FixtureRequest) -> KnowsOneImage:
    return KnowsOneImage(request.param)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose more than they win by sharing their work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
