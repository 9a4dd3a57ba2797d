"""What the slab prior learns: the base itself is 1, the truth is 0, and a run ends as a prior that can be used."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel
from tests.prior.block.conftest import TINY, Answers, task

from nullsplat.core.errors import Cancelled, ConfigurationError
from nullsplat.prior import weights
from nullsplat.prior.block import objective as objective_module
from nullsplat.prior.block.network import Prediction, build_block_unet, is_block_unet
from nullsplat.prior.block.objective import BlockObjective, Shares
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.pool import PairPool
from nullsplat.prior.load import load_prior
from nullsplat.prior.objective import Objective
from nullsplat.prior.training import PriorTraining, TrainingConfig

CONFIG = TrainingConfig(steps=2, batch=2, warmup=1, checkpoint_every=1)
ORACLE = {"base_gained": 1.0, "gained": -1.0}
"""What such a network answers is all that the predictable pairs lack, in both rounds."""


@pytest.fixture(autouse=True)
def few_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective_module, "_VALIDATION_BATCHES", 2)
    monkeypatch.setattr(objective_module, "_VALIDATION_CROPS", 2)


@pytest.fixture
def objective(stored: Path) -> BlockObjective:
    return BlockObjective(PairPool(stored, "train", 6), PairPool(stored, "validation", 6))


def test_it_is_an_objective(objective: BlockObjective) -> None:
    assert isinstance(objective, Objective)
    assert objective.name == "block-small"
    assert objective.data == {"train": {"ct_volumes": 1}, "validation": {"ct_volumes": 1, "pairs": 6}}
    assert is_block_unet(objective.build_unet())


@pytest.mark.parametrize(("share", "loss"), [(0.0, 1.0), (1.0, 0.0), (0.5, 1 / 4), (2.0, 1.0)])
def test_the_validation_loss_is_what_the_mean_of_two_passes_leaves_relative_to_the_base(
    objective: BlockObjective, share: float, loss: float
) -> None:
    """The mean of two halves of the answer leaves half of the error, and so a quarter of its square."""
    oracle = Answers(**{name: share * part for name, part in ORACLE.items()})
    losses = objective.validation_losses(oracle)
    assert float(losses.mean()) == pytest.approx(loss, abs=1e-4)
    assert (torch.cat(oracle.timesteps) == 999).all()


def test_a_fresh_network_is_as_good_as_the_base(objective: BlockObjective) -> None:
    with torch.no_grad():
        losses = objective.validation_losses(build_block_unet("small"))
    assert float(losses.mean()) == pytest.approx(1, abs=1e-6)


def test_an_oracle_loses_only_by_its_bounds_and_the_same_seed_draws_the_same_noise(
    objective: BlockObjective, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective, "shares", Shares(bounds_weight=0.0))
    examples = objective.draw(24, seed=1)
    with torch.no_grad():
        assert float(objective.loss(Answers(**ORACLE), examples, 5)) < 1e-8
        first, again, other = (float(objective.loss(Answers(noisy=1.0), examples, s)) for s in (5, 5, 6))
    assert first == again != other


def test_at_the_last_level_the_copy_is_empty_and_elsewhere_it_is_not(objective: BlockObjective) -> None:
    network = Answers(noisy=1.0)
    with torch.no_grad():
        objective.loss(network, objective.draw(64, seed=1), seed=5)
    timesteps = torch.cat(network.timesteps)
    assert len(set(timesteps[timesteps != 999].tolist())) > 5
    assert float((timesteps == 999).float().mean()) == pytest.approx(objective.shares.mean_share, abs=0.15)


def test_bounds_cost_least_where_a_twentieth_of_the_truths_lies_beyond_each() -> None:
    truth = torch.randn(1, 1, 400, 500)
    costs = {}
    for width in (1.3, 1.645, 2.0):
        bounds = Prediction(
            torch.zeros_like(truth), torch.full_like(truth, -width), torch.full_like(truth, width)
        )
        costs[width] = float(objective_module._pinball(truth, bounds).mean())
    assert costs[1.645] == min(costs.values())


def test_a_run_is_resumed_and_ends_as_a_prior_that_refines(objective: BlockObjective, tmp_path: Path) -> None:
    def stop_in_step_two(fraction: float, note: str = "") -> None:
        if fraction == 1.0:
            raise Cancelled("stopped after the first checkpoint")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_USE_CPU", "true")
        patch.setattr("nullsplat.prior.block.objective.build_block_unet", lambda _: UNet2DModel(**TINY))
        whole = PriorTraining(CONFIG, objective, tmp_path / "whole")
        whole.run(lambda *_: None)
        with pytest.raises(Cancelled):
            PriorTraining(CONFIG, objective, tmp_path / "part").run(lambda *_: None, stop_in_step_two)
        resumed = PriorTraining(CONFIG, objective, tmp_path / "part")
        assert resumed.step == 1
        resumed.run(lambda *_: None)
        other = BlockObjective(objective.train, objective.validation, shares=Shares(mean_share=0.5))
        with pytest.raises(ConfigurationError, match=r"mean_share was 0\.75 and is 0\.5"):
            PriorTraining(CONFIG, other, tmp_path / "part")
        finished, _ = weights.load(tmp_path / "whole" / "prior")
        tuned = PriorTraining(CONFIG, objective, tmp_path / "tuned", finished)
        assert all(
            torch.equal(a, b)
            for a, b in zip(tuned.unet.state_dict().values(), finished.state_dict().values(), strict=True)
        )
    assert resumed.history == whole.history
    folders = [tmp_path / run / "prior" for run in ("whole", "part")]
    assert weights.model_hash(folders[0]) == weights.model_hash(folders[1])
    manifest = weights.manifest(folders[0])
    assert manifest["name"] == "block-small"
    assert manifest["data"] == objective.data
    prior = load_prior(str(folders[0]), torch.device("cpu"))
    assert isinstance(prior, BlockPipeline)
    base = 100 * torch.randn(4, 8, 8)
    assert prior(base, 0.9 * base, task((4, 8, 8))).hu.isfinite().all()
