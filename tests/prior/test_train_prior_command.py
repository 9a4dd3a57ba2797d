"""`nullsplat train-prior`, from its options to the card."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support.dicom.series import Spec, make_series, save
from typer.testing import CliRunner

from nullsplat.cli.main import app
from nullsplat.cli.work import train_prior
from nullsplat.core.volume import Geometry, Volume
from nullsplat.io.nifti import write_nifti
from nullsplat.prior import weights
from nullsplat.prior.xray import model_card
from nullsplat.prior.xray.augmentation import Augmentation


@pytest.fixture
def small_and_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr(train_prior, "Augmentation", lambda: Augmentation(size=(16, 16)))
    monkeypatch.setattr(model_card, "STEPS", 2)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "xrays"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(generator.integers(0, 255, (20, 30)).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    y, x = np.mgrid[:40, :40] - 19.5
    hu = np.where(x**2 + y**2 < 100, 0, -1000)
    volume = Volume(
        np.broadcast_to(hu, (6, 40, 40)).astype(np.float32), Geometry((6, 40, 40), (1.0, 1.0, 1.0))
    )
    write_nifti(volume, tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


@pytest.fixture
def dicom_folders(tmp_path: Path) -> list[Path]:
    """Two series of one patient."""
    return [save(make_series(Spec(uid=name)), tmp_path / name) for name in ("first", "second")]


def train(*options: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["train-prior", *map(str, options), "--batch", "1"])
    return done.exit_code, done.output


@pytest.mark.usefixtures("small_and_on_the_cpu")
def test_a_prior_is_trained_resumed_and_described(images: Path, ct: Path, tmp_path: Path) -> None:
    options = ("--data", images, "--ct", ct, "--out", tmp_path / "run", "--licence", "xrays: mine, CC0")
    code, output = train(*options, "--steps", "1")
    assert code == 0, output
    assert "step 1: loss" in output
    code, output = train(*options, "--steps", "2")
    assert code == 0, output
    assert "resuming after step 1" in output
    prior = tmp_path / "run" / "prior"
    weights.load(prior)
    assert json.loads((prior / weights.MANIFEST).read_text())["steps"] == 2
    card = (prior / "MODEL_CARD.md").read_text()
    assert "xrays: mine, CC0" in card
    assert "nullsplat train-prior --data xrays --ct ct.nii.gz --out DIR --steps 2" in card
    assert str(tmp_path) not in card


@pytest.mark.usefixtures("small_and_on_the_cpu")
def test_dicom_series_of_one_patient_stay_on_one_side(
    images: Path, dicom_folders: list[Path], tmp_path: Path
) -> None:
    series = [word for folder in dicom_folders for word in ("--ct", folder)]
    code, output = train(*series, "--out", tmp_path / "run", "--steps", "1")
    assert code == 2
    assert "at least 2 patients" in output
    code, output = train(*series, "--data", images, "--out", tmp_path / "run", "--steps", "1")
    assert code == 0, output
    sides = weights.manifest(tmp_path / "run" / "prior")["data"].values()
    assert sorted(side["ct_volumes"] for side in sides) == [0, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "neither was given"),
        (("--data", "nowhere.zip"), "nowhere.zip is neither"),
        (("--ct", "ct.raw"), "ct.raw does not exist"),
        (("--size", "huge"), "huge"),
        (("--steps", "0"), "--steps"),
    ],
)
def test_bad_input_ends_with_code_2_and_its_reason(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    code, output = train(*options, "--out", tmp_path / "run")
    assert code == 2
    assert message in output
    assert not (tmp_path / "run").exists()
