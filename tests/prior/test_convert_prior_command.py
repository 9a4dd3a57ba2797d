"""`nullsplat convert-prior`, from a checkpoint to sampled projections."""

import json
from pathlib import Path

import pytest
import torch
from tests.prior.openai_reference import OpenAIUNet, randomised
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.core.errors import StorageError, WeightsError
from nullsplat.physics.degradation import degradation_for
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.openai import conversion
from nullsplat.prior.openai.layout import OpenAILayout
from nullsplat.prior.xray.pipeline import Measurement, ProjectionDDNMPipeline
from nullsplat.prior.xray.sampling import SamplingConfig

LAYOUT = {
    "image_size": 16,
    "num_channels": 32,
    "channel_mult": (1.0, 2.0),
    "attention_resolutions": (8,),
    "num_head_channels": 16,
    "num_res_blocks": 1,
}
OPTIONS = [
    word
    for name, value in LAYOUT.items()
    for word in (
        f"--{name.replace('_', '-')}",
        ",".join(map(str, value)) if isinstance(value, tuple) else str(value),
    )
]


@pytest.fixture
def reference() -> OpenAIUNet:
    return randomised(OpenAIUNet(**LAYOUT))


@pytest.fixture
def checkpoint(reference: OpenAIUNet, tmp_path: Path) -> Path:
    torch.save(reference.state_dict(), tmp_path / "ema_0.9999_000100.pt")
    return tmp_path / "ema_0.9999_000100.pt"


def convert(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["convert-prior", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_a_checkpoint_becomes_a_prior_that_is_verified_and_loaded(
    checkpoint: Path, reference: OpenAIUNet, tmp_path: Path, grey: bool
) -> None:
    prior = tmp_path / "prior"
    code, output = convert(checkpoint, "--out", prior, *OPTIONS, *(["--grey"] if grey else []))
    assert code == 0, output
    unet, scheduler = weights.load(prior)
    assert weights.model_hash(prior) in output
    betas = torch.linspace(1e-4, 0.02, 1000)
    torch.testing.assert_close(scheduler.alphas_cumprod, (1 - betas).cumprod(0))
    assert (scheduler.config.prediction_type, scheduler.config.clip_sample) == ("epsilon", False)
    x, t = torch.randn(2, 1, 16, 16).expand(-1, 3, -1, -1), torch.tensor([3, 700])
    expected = reference(x, t).mean(1)
    got = unet(x[:, :1] if grey else x, t).sample.mean(1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_the_manifest_says_what_was_converted_and_how(checkpoint: Path, tmp_path: Path) -> None:
    convert(checkpoint, "--out", tmp_path / "prior", *OPTIONS)
    manifest = weights.manifest(tmp_path / "prior")
    assert manifest["name"] == "converted-ema_0.9999_000100"
    assert manifest["source"] == {"file": checkpoint.name, "sha256": weights.checksum(checkpoint)}
    stated = {name: manifest["layout"][name] for name in LAYOUT}
    assert stated == json.loads(json.dumps(LAYOUT))
    assert manifest["layout"]["widths"] == [32, 64]
    assert manifest["grey"] is False


def test_a_converted_prior_that_was_changed_is_not_loaded(checkpoint: Path, tmp_path: Path) -> None:
    convert(checkpoint, "--out", tmp_path / "prior", *OPTIONS)
    file = tmp_path / "prior" / weights.UNET_FILE
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(WeightsError, match="SHA-256"):
        weights.load(tmp_path / "prior")


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_stage_1_samples_a_converted_prior_and_keeps_the_measurement(
    checkpoint: Path, tmp_path: Path, grey: bool
) -> None:
    convert(checkpoint, "--out", tmp_path / "prior", *OPTIONS, *(["--grey"] if grey else []))
    op = degradation_for((4, 5), (4, 3))
    truth = op.pinv(torch.randn(3, 4, 5)).clamp(-1, 1)
    measurement = Measurement(op.forward(truth), op, 0.0)
    config = SamplingConfig(steps=3, start_sigma=0.1, batch=2)
    pipeline = load_prior(str(tmp_path / "prior"), torch.device("cpu"))
    assert isinstance(pipeline, ProjectionDDNMPipeline)
    sampled = pipeline(measurement, config, truth).mean
    assert sampled.shape == truth.shape
    assert float((op.forward(sampled) - measurement.y).abs().max()) < 1e-4
    assert float((sampled - truth).abs().max()) > 1e-3


def test_a_folder_in_use_is_left_alone(checkpoint: Path, tmp_path: Path) -> None:
    code, output = convert(checkpoint, "--out", tmp_path, *OPTIONS)
    assert (code, "new or empty" in output) == (2, True)
    assert list(tmp_path.iterdir()) == [checkpoint]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            (),
            "must be those of OpenAILayout(image_size=512",
        ),  # the authors' layout, which this checkpoint is not of
        ((*OPTIONS, "--num-head-channels", "24"), "num_head_channels=24"),
        ((*OPTIONS, "--channel-mult", "1;2"), "--channel-mult must be numbers"),
        ((*OPTIONS, "--attention-resolutions", "8,x"), "--attention-resolutions must be numbers"),
    ],
)
def test_a_layout_that_does_not_fit_ends_with_code_2_and_its_reason(
    options: tuple[str, ...], message: str, checkpoint: Path, tmp_path: Path
) -> None:
    code, output = convert(checkpoint, "--out", tmp_path / "prior", *options)
    assert code == 2
    assert message in output
    assert not (tmp_path / "prior").exists()


def test_a_disk_that_cannot_be_written_is_an_error_of_storage(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    asked = conversion.Conversion(checkpoint, OpenAILayout(**LAYOUT))
    with pytest.raises(StorageError, match="make room"):
        conversion.convert_prior(asked, tmp_path / "file" / "prior")
