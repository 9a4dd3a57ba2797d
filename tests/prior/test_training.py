"""Training can be stopped anywhere, and what it exports can be loaded, checked and described."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from nullsplat.core.errors import Cancelled, ConfigurationError, UnreadableFile, WeightsError
from nullsplat.physics.degradation import degradation_for
from nullsplat.prior import weights
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.load import Prior, network_of
from nullsplat.prior.model_card import CARD, LOSS_FIGURE, SAMPLES_FIGURE, Origin
from nullsplat.prior.training import PriorTraining, TrainingConfig
from nullsplat.prior.xray import model_card
from nullsplat.prior.xray.augmentation import Augmentation
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph
from nullsplat.prior.xray.model_card import held_samples, write_model_card
from nullsplat.prior.xray.objective import VelocityObjective
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline
from nullsplat.prior.xray.pool import ImagePool, split

CONFIG = TrainingConfig(steps=4, batch=2, warmup=2, checkpoint_every=2)
TRUTHS = torch.linspace(-1, 1, 2 * 16 * 16).reshape(2, 1, 16, 16)


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu() -> None:
    """Bit-for-bit equality is promised on the CPU alone."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ACCELERATE_USE_CPU", "true")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def pools() -> tuple[ImagePool, ImagePool]:
    generator = np.random.default_rng(0)
    images = [Radiograph(f"r{i}", generator.integers(0, 255, (20, 24)).astype(np.uint8)) for i in range(6)]
    volumes = [ProjectedVolume("ct", torch.rand(3, 18, 20))]
    return split(images, volumes, Augmentation(size=(16, 16)))


@pytest.fixture(scope="module")
def finished(pools: tuple[ImagePool, ImagePool], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("finished")
    PriorTraining(CONFIG, VelocityObjective(*pools), folder).run(lambda *_: None)
    return folder


@pytest.fixture
def prior(finished: Path, tmp_path: Path) -> Path:
    """A copy of the exported prior, to be spoilt."""
    return shutil.copytree(finished / "prior", tmp_path / "prior")


def state_of(folder: Path) -> dict[str, object]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def assert_same(a: object, b: object) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    finished: Path, pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    def stop_in_step_three(fraction: float, note: str = "") -> None:
        if fraction == 0.75:
            raise Cancelled("stopped between two checkpoints")

    with pytest.raises(Cancelled):
        PriorTraining(CONFIG, VelocityObjective(*pools), tmp_path).run(lambda *_: None, stop_in_step_three)
    torch.manual_seed(12345)  # a new process has another state
    resumed = PriorTraining(CONFIG, VelocityObjective(*pools), tmp_path)
    assert resumed.step == 2
    resumed.run(lambda *_: None)
    assert_same(state_of(tmp_path), state_of(finished))
    assert (tmp_path / "prior" / weights.MANIFEST).read_text() == (
        finished / "prior" / weights.MANIFEST
    ).read_text()


def test_training_reports_every_checkpoint_and_tells_progress_every_step(
    pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    reported: list[int] = []
    told: list[float] = []
    training = PriorTraining(CONFIG, VelocityObjective(*pools), tmp_path)
    before = {name: p.clone() for name, p in training.unet.named_parameters()}
    training.run(lambda step, *_: reported.append(step), lambda fraction, note="": told.append(fraction))
    assert reported == [2, 4]
    assert told == [0.25, 0.5, 0.75, 1.0]
    assert [row["step"] for row in training.history] == [2, 4]
    assert any(not torch.equal(p, before[name]) for name, p in training.unet.named_parameters())


def test_a_finished_run_is_left_alone(
    finished: Path, pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    before = (folder / "checkpoint.pt").stat().st_mtime_ns
    PriorTraining(CONFIG, VelocityObjective(*pools), folder).run(
        lambda *_: pytest.fail("nothing was left to train")
    )
    assert (folder / "checkpoint.pt").stat().st_mtime_ns == before


def test_seeds_decide_the_crops_the_noise_and_the_first_weights(
    finished: Path, pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    one_step = dataclasses.replace(CONFIG, steps=1)
    losses = []
    for name, config in (("a", one_step), ("b", one_step), ("c", dataclasses.replace(one_step, seed=1))):
        training = PriorTraining(config, VelocityObjective(*pools), tmp_path / name)
        training.run(lambda *_: None)
        losses.append(training.history[0]["train"])
    assert losses[0] == losses[1] != losses[2]


def test_other_settings_do_not_resume_a_run(
    finished: Path, pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    with pytest.raises(ConfigurationError, match="seed was 0 and is 1"):
        PriorTraining(dataclasses.replace(CONFIG, seed=1), VelocityObjective(*pools), folder)
    longer = PriorTraining(dataclasses.replace(CONFIG, steps=9), VelocityObjective(*pools), folder)
    assert longer.step == 4


def test_a_run_goes_on_from_a_network_of_the_same_size_alone(
    pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    initial = network_of(weights.XRAY, ProjectionDDNMPipeline)
    training = PriorTraining(CONFIG, VelocityObjective(*pools), tmp_path, initial)
    assert torch.equal(training.unet.conv_in.weight, initial.conv_in.weight)
    with pytest.raises(ConfigurationError, match=r"\(64, 128, 192, 256\); got one of \(32, 48, 64, 96\)"):
        PriorTraining(CONFIG, VelocityObjective(*pools, size="base"), tmp_path / "base", initial)


@pytest.mark.parametrize("kind", [BlockPipeline, ProjectionDDNMPipeline])
def test_a_prior_of_another_kind_is_nothing_to_go_on_from(kind: type[Prior]) -> None:
    other = weights.XRAY if kind is BlockPipeline else weights.BLOCK
    assert network_of(None, kind) is None
    with pytest.raises(ConfigurationError, match=f"'{other}' is a prior of another kind"):
        network_of(other, kind)


def test_a_damaged_checkpoint_is_refused(
    finished: Path, pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    content = (folder / "checkpoint.pt").read_bytes()
    for spoilt in (b"", b"no checkpoint", content[: len(content) // 2]):
        (folder / "checkpoint.pt").write_bytes(spoilt)
        with pytest.raises(UnreadableFile, match="delete it to start again"):
            PriorTraining(CONFIG, VelocityObjective(*pools), folder)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"mixed_precision": "int4"}])
def test_settings_that_mean_nothing_are_refused(
    wrong: dict[str, object], pools: tuple[ImagePool, ImagePool], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError):
        PriorTraining(dataclasses.replace(CONFIG, **wrong), VelocityObjective(*pools), tmp_path)


def test_a_size_that_there_is_not_is_refused(pools: tuple[ImagePool, ImagePool], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="small"):
        PriorTraining(CONFIG, VelocityObjective(*pools, size="huge"), tmp_path)


def test_the_exported_prior_is_the_averaged_network(finished: Path) -> None:
    unet, scheduler = weights.load(finished / "prior")
    averaged = state_of(finished)["ema"]["shadow_params"]
    for loaded, kept in zip(unet.parameters(), averaged, strict=True):
        assert torch.equal(loaded, kept.half().float())
    assert not unet.training
    assert not any(p.requires_grad for p in unet.parameters())
    assert scheduler.config.num_train_timesteps == 1000


def test_the_manifest_says_what_was_done(finished: Path) -> None:
    manifest = weights.manifest(finished / "prior")
    assert set(manifest) == {"name", "sha256", "trained", "config", "steps", "data", "history"}
    assert manifest["name"] == "xray-small"
    assert manifest["steps"] == 4
    assert manifest["config"]["augmentation"] == {"size": [16, 16], "max_shrink": 4.0, "gain": 0.2}
    sides = manifest["data"]["train"], manifest["data"]["validation"]
    assert sum(side["radiographs"] + side["ct_volumes"] for side in sides) == 7
    assert weights.model_hash(finished / "prior") == weights.checksum(finished / "prior" / weights.UNET_FILE)


def test_what_one_caller_does_to_a_prior_does_not_reach_another(finished: Path) -> None:
    mine, _ = weights.load(finished / "prior")
    mine.to(torch.float64).conv_in.weight.zero_()
    yours, _ = weights.load(finished / "prior")
    assert yours.conv_in.weight.dtype == torch.float32
    assert float(yours.conv_in.weight.abs().max()) > 0


def test_one_changed_bit_in_the_weights_is_noticed(prior: Path) -> None:
    content = bytearray((prior / weights.UNET_FILE).read_bytes())
    content[-1] ^= 1
    (prior / weights.UNET_FILE).write_bytes(content)
    for use in (weights.verify, weights.load):
        with pytest.raises(WeightsError, match="must have SHA-256"):
            use(prior)


def test_a_missing_prior_is_noticed(prior: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="train-prior"):
        weights.load(tmp_path / "nowhere")
    (prior / weights.UNET_FILE).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.load(prior)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 5}', "no JSON"])
def test_a_manifest_that_is_none_is_noticed(prior: Path, content: str) -> None:
    (prior / weights.MANIFEST).write_text(content)
    with pytest.raises(WeightsError):
        weights.model_hash(prior)


@pytest.mark.parametrize("spoil", ["missing", "no JSON", "another architecture", "no schedule"])
def test_weights_that_do_not_fit_their_architecture_are_noticed(prior: Path, spoil: str) -> None:
    config = prior / "unet" / "config.json"
    if spoil == "missing":
        config.unlink()
    elif spoil == "no JSON":
        config.write_text("{")
    elif spoil == "another architecture":
        wider = json.loads(config.read_text()) | {"block_out_channels": [32, 48, 64, 128]}
        config.write_text(json.dumps(wider))
    else:
        shutil.rmtree(prior / "scheduler")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        weights.load(prior)


@pytest.fixture
def quick_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_card, "STEPS", 2)


@pytest.mark.usefixtures("quick_samples")
def test_the_card_states_data_checksum_command_and_losses(prior: Path) -> None:
    origin = Origin("nullsplat train-prior --seed 0", ("Radiographs: a source, CC0",))
    text = write_model_card(prior, origin, TRUTHS).read_text()
    manifest = weights.manifest(prior)
    assert weights.model_hash(prior) in text
    assert "- Radiographs: a source, CC0" in text
    assert "nullsplat train-prior --seed 0" in text
    assert (
        f"| 4 | {manifest['history'][-1]['train']:.4f} | {manifest['history'][-1]['validation']:.4f} |"
        in text
    )
    assert "| learning rate | 0.0004 |" in text
    for figure in (LOSS_FIGURE, SAMPLES_FIGURE):
        assert f"({figure})" in text
        assert (prior / figure).read_bytes().startswith(b"\x89PNG")
    assert (prior / CARD).is_file()


@pytest.mark.usefixtures("quick_samples")
def test_the_card_has_the_sections_of_the_fda_s_example_and_admits_what_nobody_measured(prior: Path) -> None:
    text = write_model_card(prior, Origin("x", ()), TRUTHS).read_text()
    sections = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert sections == [
        "Device information", "Regulatory status", "Description", "Performance and limitations", "Risk management",
        "Development",
    ]  # fmt: skip
    assert "None: the weights were never calibrated" in text
    assert "nobody measured what the training has shown it" in text


@pytest.mark.usefixtures("quick_samples")
def test_the_card_admits_that_no_licence_was_stated(prior: Path) -> None:
    assert "were not stated" in write_model_card(prior, Origin("x", ()), TRUTHS).read_text()


@pytest.mark.usefixtures("quick_samples")
def test_the_card_s_samples_of_a_measurement_agree_with_it(prior: Path) -> None:
    measured, sampled, truths = held_samples(*weights.load(prior), TRUTHS[:, 0])
    op = degradation_for((4, 4), (4, 4))
    assert torch.equal(truths, TRUTHS[:, 0])
    torch.testing.assert_close(measured[:, ::4, ::4], op.forward(truths))
    torch.testing.assert_close(op.forward(sampled), op.forward(truths), atol=1e-4, rtol=0)
    assert float((sampled - op.pinv(op.forward(truths))).abs().max()) > 0.01, "a sample has detail of its own"


def test_a_damaged_prior_gets_no_card(prior: Path) -> None:
    (prior / weights.UNET_FILE).write_bytes(b"")
    with pytest.raises(WeightsError):
        write_model_card(prior, Origin("x", ()), TRUTHS)
    assert not (prior / CARD).exists()
