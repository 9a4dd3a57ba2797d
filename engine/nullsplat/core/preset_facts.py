"""What each preset is for, costs and gives: the one place that commands and documents take it from.

Light on purpose: the command line reads it before anything heavy is imported. The figures are those of docs/ablations.md
and docs/paper.md, and `tests/contract/test_preset_facts.py` compares them.
"""

from dataclasses import dataclass

VOLUME = "the public chest CT at half resolution, 128 x 256 x 256 voxels, refined 4x along all axes"
MACHINE = "one CPU thread"


@dataclass(frozen=True)
class PresetFacts:
    """One preset.

    Attributes:
        purpose: when to take it.
        prior: what stage 1 refines.
        evaluations: of the network, by slab or projection, for one sample.
        seconds: of one run on `VOLUME` with `MACHINE`.
        psnr: in dB, without noise; cubic interpolation reaches `CUBIC`.
        psnr_noisy: in dB, with 15 HU of noise.
    """

    purpose: str
    prior: str
    evaluations: int
    seconds: float
    psnr: float
    psnr_noisy: float


CUBIC = (32.78, 32.71)
"""PSNR in dB of cubic interpolation, without noise and with 15 HU."""

DEFAULT = "preview"

PRESET_FACTS: dict[str, PresetFacts] = {
    "preview": PresetFacts(
        purpose="The one to take: the default, and the one that the published figures are of.",
        prior="slabs",
        evaluations=1,
        seconds=21.3,
        psnr=36.69,
        psnr_noisy=35.91,
    ),
    "standard": PresetFacts(
        purpose="Every slab in four mirror images: for a tenth of a decibel more.",
        prior="slabs",
        evaluations=4,
        seconds=53.8,
        psnr=36.78,
        psnr_noisy=36.04,
    ),
    "sharp": PresetFacts(
        purpose="The result of preview, and beside it a sample: as sharp and as noisy as a scan, with details drawn at random. Figures of the sample.",
        prior="slabs",
        evaluations=10,
        seconds=68.7,
        psnr=36.16,
        psnr_noisy=35.27,
    ),
    "paper": PresetFacts(
        purpose="The method as published (arXiv 2508.15151) but for two corrections, to compare with; not for use.",
        prior="X-ray projections",
        evaluations=50,
        seconds=1069.8,
        psnr=33.9,
        psnr_noisy=33.42,
    ),
}

HELP = "preview (default), standard, sharp or paper; `nullsplat presets` shows what each costs and gives."
"""Of an option that takes a preset."""
