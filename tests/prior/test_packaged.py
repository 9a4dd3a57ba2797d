"""The priors in the package are the ones that their manifests and their cards name."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from nullsplat.physics.degradation import degradation_for
from nullsplat.physics.point_spread import BELL, GAUSSIAN
from nullsplat.prior import weights
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.calibration import calibration_of
from nullsplat.prior.load import load_prior
from nullsplat.prior.model_card import CARD
from nullsplat.prior.series_figures import FIGURES, series_figures
from nullsplat.prior.task import Task
from nullsplat.prior.training_range import training_range_of

RADIOGRAPHS = {"NIH ChestX-ray14", "Kermany"}
CTS = {"QIN LUNG CT", "CMB-CRC", "ACRIN-NSCLC", "ACRIN-FLT", "TCGA-LIHC"}
THIN_CTS = {"RIDER Lung CT", "RIDER Pilot", "Visible Human", "Lung-Fused-CT-Pathology", "Lung-PET-CT-Dx"}
SOURCES = {
    weights.XRAY: RADIOGRAPHS | CTS | THIN_CTS - {"Lung-Fused-CT-Pathology"},
    weights.BLOCK: CTS | THIN_CTS,
}


@pytest.mark.parametrize("name", weights.PACKAGED)
def test_the_packaged_weights_are_intact(name: str) -> None:
    folder = weights.locate(name)
    weights.verify(folder)
    assert weights.manifest(folder)["name"] == name


@pytest.mark.parametrize("name", weights.PACKAGED)
def test_the_card_names_the_weights_and_every_source_and_no_other(name: str) -> None:
    folder = weights.locate(name)
    card = (folder / CARD).read_text()
    assert weights.model_hash(folder) in card
    assert {source for source in RADIOGRAPHS | CTS | THIN_CTS if source in card} == SOURCES[name]


def test_the_card_states_what_calibration_and_training_range_say() -> None:
    folder = weights.locate(weights.BLOCK)
    card = (folder / CARD).read_text()
    calibration, training = calibration_of(weights.BLOCK), training_range_of(weights.BLOCK)
    assert calibration is not None
    assert training is not None
    held = calibration.facts["held_when_left_out"]
    assert all(name in card for name in held)
    assert f"held to {100 * min(held.values()):.0f} to {100 * max(held.values()):.0f} %" in card
    assert f"the noise: up to {training.spans['noise_hu'][1]:.3g} HU" in card


def test_the_packaged_prior_of_xrays_recognises_noise_on_smooth_images() -> None:
    unet, scheduler = weights.load(weights.locate(weights.XRAY))
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(-0.5, 0.5, 64).expand(1, 1, 64, 64)
    noise = torch.randn(ramp.shape, generator=generator)
    t = torch.tensor([100])
    with torch.no_grad():
        predicted = unet(scheduler.add_noise(ramp, noise, t), t).sample
    assert torch.nn.functional.mse_loss(predicted, noise) < 0.3  # answering zero gets 1


def test_the_packaged_prior_of_slabs_was_better_than_its_base_on_other_patients() -> None:
    assert weights.manifest(weights.locate(weights.BLOCK))["history"][-1]["validation"] < 0.95
    assert isinstance(load_prior(weights.BLOCK, torch.device("cpu")), BlockPipeline)


def strange(slice_mm: float, pixel_mm: float, noise_hu: float = 15.0, metal: bool = False) -> tuple[str, ...]:
    """What the packaged prior's range says of a body of noise, refined four times across slices."""
    hu = np.random.default_rng(0).normal(40, noise_hu, (8, 48, 48)).astype(np.float32)
    hu = ndimage.gaussian_filter(hu, (0, 0.6, 0.6))
    hu[:, 20:24, 20:24] = 3071 if metal else 900
    op = degradation_for(hu.shape, (4.0, 1.0, 1.0), (BELL, GAUSSIAN, GAUSSIAN))
    found = training_range_of(weights.BLOCK)
    assert found is not None
    figures = series_figures(hu, Task(op, (slice_mm / 4, pixel_mm, pixel_mm), noise_hu))
    return tuple(words.partition(" is ")[0] for words in found.outside(figures))


@pytest.mark.parametrize(
    ("slice_mm", "pixel_mm", "noise_hu"), [(5, 0.7, 15), (3, 0.98, 30), (2.5, 0.57, 5), (5, 0.45, 1)]
)
def test_usual_chests_and_heads_are_familiar(slice_mm: float, pixel_mm: float, noise_hu: float) -> None:
    assert strange(slice_mm, pixel_mm, noise_hu) == ()


def test_teeth_micro_ct_metal_and_too_much_noise_are_not_familiar() -> None:
    slices, pixels = FIGURES["wanted_slice_mm"].title, FIGURES["wanted_pixel_mm"].title
    assert strange(0.3, 0.3) == (slices,)
    assert strange(0.05, 0.05) == (slices, pixels)
    assert strange(5, 0.7, metal=True) == (FIGURES["metal_share"].title,)
    assert strange(5, 0.7, noise_hu=120) == (FIGURES["noise_hu"].title,)


def test_the_range_names_the_cts_of_the_card() -> None:
    found = training_range_of(weights.BLOCK)
    assert found is not None
    card = (weights.locate(weights.BLOCK) / CARD).read_text()
    assert len(found.facts["volumes"]) == 16  # 14 to train on, 2 to validate
    assert [one["name"] for one in found.facts["volumes"] if f"{one['name']}.nii.gz" not in card] == []
