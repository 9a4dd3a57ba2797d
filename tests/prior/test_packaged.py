"""The priors in the package are the ones that their manifests and their cards name."""

import pytest
import torch

from nullsplat.prior import weights
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.load import load_prior
from nullsplat.prior.model_card import CARD

RADIOGRAPHS = {"NIH ChestX-ray14", "Kermany"}
CTS = {"QIN LUNG CT", "CMB-CRC", "ACRIN-NSCLC", "ACRIN-FLT", "TCGA-LIHC"}
THIN_CTS = {"RIDER Lung CT", "RIDER Pilot", "Visible Human", "Lung-Fused-CT-Pathology", "Lung-PET-CT-Dx"}
SOURCES = {weights.XRAY: RADIOGRAPHS | CTS, weights.BLOCK: CTS | THIN_CTS}


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
