"""What a training run learns: the seam between the loop, which is one, and the priors, which differ."""

from typing import Any, Protocol, runtime_checkable

from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor


@runtime_checkable
class Objective(Protocol):
    """A network, its noise schedule, and a loss on data of its own."""

    @property
    def name(self) -> str:
        """What the exported prior is called."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the loss, as JSON; a run is resumed with the same only."""

    @property
    def data(self) -> dict[str, dict[str, int]]:
        """How much there is to train and to validate on, for the manifest."""

    def build_unet(self) -> UNet2DModel:
        """A fresh network."""

    def build_scheduler(self) -> DDIMScheduler:
        """The noise levels that it learns."""

    def draw(self, batch: int, seed: int) -> Any:
        """`batch` training examples, on the CPU; the same seed gives the same ones. May run beside `loss`."""

    def loss(self, unet: UNet2DModel, examples: Any, seed: int) -> Tensor:
        """Mean loss of what `draw` gave; the same seed gives the same noise."""

    def validation_losses(self, unet: UNet2DModel) -> Tensor:
        """Losses on examples that are always the same."""
