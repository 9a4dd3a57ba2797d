"""What the slab prior learns: the base itself is 1, the truth is 0, and a run ends as a prior that can be used."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.slab.conftest import TINY
from torch import Tensor
from torch.nn.functional import pixel_unshuffle

from nullsplat.core.errors import Cancelled, ConfigurationError
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.slab.network import FOLD, build_slab_unet, is_slab_unet
from nullsplat.prior.slab.objective import SlabObjective
from nullsplat.prior.slab.pipeline import SlabPipeline
from nullsplat.prior.slab.pool import SlabPool
from nullsplat.prior.slab.sampling import SlabSampling
from nullsplat.prior.slab.store import StoredPair
from nullsplat.prior.training import PriorTraining, TrainingConfig
from nullsplat.prior.xray.objective import Objective

CONFIG = TrainingConfig(steps=2, batch=2, warmup=1, checkpoint_every=1)


@pytest.fixture(scope="module")
def objective(stored: tuple[StoredPair, ...]) -> SlabObjective:
    pools = (SlabPool(stored[:3], "train", (16, 16)), SlabPool(stored[3:], "validation", (16, 16)))
    return SlabObjective(*pools)


class Oracle(UNet2DModel):
    """A network that was told the answers to the questions it will be asked."""

    def __init__(self, answers: list[Tensor]) -> None:
        super().__init__(**TINY)
        self.answers = iter(answers)
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, folded: Tensor, timesteps: Tensor, class_labels: Tensor) -> SimpleNamespace:
        self.asked.append((folded, timesteps))
        return SimpleNamespace(sample=pixel_unshuffle(next(self.answers)[:, None], FOLD))


def validation_answers(objective: SlabObjective, factor: float) -> list[Tensor]:
    return [factor * objective.validation.draw(8, seed=i).residual for i in range(8)]


def test_it_is_an_objective(objective: SlabObjective) -> None:
    assert isinstance(objective, Objective)
    assert objective.name == "slab-small"
    assert objective.data == {"train": {"pairs": 3}, "validation": {"pairs": 3}}
    assert is_slab_unet(objective.build_unet())


@pytest.mark.parametrize(("factor", "loss"), [(0.0, 1.0), (1.0, 0.0), (0.5, 0.25), (2.0, 1.0)])
def test_the_validation_loss_is_relative_to_what_the_base_leaves(
    objective: SlabObjective, factor: float, loss: float
) -> None:
    """Whoever says 0 gets 1, an oracle gets 0, half of the answer leaves a quarter of the squared error."""
    oracle = Oracle(validation_answers(objective, factor))
    losses = objective.validation_losses(oracle)
    torch.testing.assert_close(losses, torch.full((8,), loss), atol=1e-6, rtol=1e-6)
    for folded, timesteps in oracle.asked:
        assert (timesteps == 999).all()
        assert (folded[:, : FOLD**2] == 0).all()


def test_a_fresh_network_is_as_good_as_the_base(objective: SlabObjective) -> None:
    with torch.no_grad():
        losses = objective.validation_losses(build_slab_unet("small"))
    torch.testing.assert_close(losses, torch.ones(8), atol=1e-6, rtol=1e-6)


def test_an_oracle_has_no_training_loss_and_the_same_seed_draws_the_same_noise(
    objective: SlabObjective,
) -> None:
    examples = objective.draw(32, seed=1)
    oracles = [Oracle([examples.residual]) for _ in range(3)]
    losses = [objective.loss(o, examples, seed) for o, seed in zip(oracles, (5, 5, 6), strict=True)]
    assert all(float(loss) < 1e-10 for loss in losses)
    (first, first_t), (again, again_t), (other, _) = (oracle.asked[0] for oracle in oracles)
    assert torch.equal(first, again)
    assert torch.equal(first_t, again_t)
    assert not torch.equal(first, other)


def test_at_the_last_level_the_copy_is_empty_and_elsewhere_it_is_not(objective: SlabObjective) -> None:
    examples = objective.draw(64, seed=1)
    oracle = Oracle([examples.residual])
    objective.loss(oracle, examples, seed=5)
    folded, timesteps = oracle.asked[0]
    empty = (folded[:, : FOLD**2] == 0).flatten(1).all(1)
    assert (timesteps[empty] == 999).all()
    assert float(empty.float().mean()) == pytest.approx(objective.mean_share, abs=0.2)
    assert len(set(timesteps[~empty].tolist())) > 5


def test_a_run_is_resumed_and_ends_as_a_prior_that_refines(objective: SlabObjective, tmp_path: Path) -> None:
    def stop_in_step_two(fraction: float, note: str = "") -> None:
        if fraction == 1.0:
            raise Cancelled("stopped after the first checkpoint")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        patch.setattr("nullsplat.prior.slab.objective.build_slab_unet", lambda _: UNet2DModel(**TINY))
        whole = PriorTraining(CONFIG, objective, tmp_path / "whole")
        whole.run(lambda *_: None)
        with pytest.raises(Cancelled):
            PriorTraining(CONFIG, objective, tmp_path / "part").run(lambda *_: None, stop_in_step_two)
        resumed = PriorTraining(CONFIG, objective, tmp_path / "part")
        assert resumed.step == 1
        resumed.run(lambda *_: None)
        other = SlabObjective(objective.train, objective.validation, mean_share=0.5)
        with pytest.raises(ConfigurationError, match=r"mean_share was 0\.65 and is 0\.5"):
            PriorTraining(CONFIG, other, tmp_path / "part")
    assert resumed.history == whole.history
    folders = [tmp_path / run / "prior" for run in ("whole", "part")]
    assert weights.model_hash(folders[0]) == weights.model_hash(folders[1])
    manifest = weights.manifest(folders[0])
    assert manifest["name"] == "slab-small"
    assert manifest["data"] == objective.data
    prior = load_prior(str(folders[0]), torch.device("cpu"))
    assert isinstance(prior, SlabPipeline)
    base = 100 * torch.randn(4, 8, 8)
    assert prior.refine_volume(base, 0.9 * base, SlabSampling()).isfinite().all()
