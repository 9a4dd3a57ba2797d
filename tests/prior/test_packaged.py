"""The prior in the package is the one that its manifest and its card name."""

import torch

from nullsplat.prior import weights


def test_the_packaged_weights_are_intact() -> None:
    weights.verify()


def test_the_card_names_the_weights_and_every_source_with_its_licence() -> None:
    card = (weights.PACKAGED / "MODEL_CARD.md").read_text()
    assert weights.model_hash() in card
    for source in (
        "NIH ChestX-ray14",
        "Kermany",
        "QIN LUNG CT",
        "CMB-CRC",
        "ACRIN-NSCLC",
        "ACRIN-FLT",
        "TCGA-LIHC",
    ):
        assert source in card


def test_the_packaged_prior_recognises_noise_on_smooth_images() -> None:
    unet, scheduler = weights.load()
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(-0.5, 0.5, 64).expand(1, 1, 64, 64)
    noise = torch.randn(ramp.shape, generator=generator)
    t = torch.tensor([100])
    with torch.no_grad():
        predicted = unet(scheduler.add_noise(ramp, noise, t), t).sample
    assert torch.nn.functional.mse_loss(predicted, noise) < 0.3  # answering zero gets 1
