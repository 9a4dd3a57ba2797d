"""Put your own prior into stage 1: anything that takes a base volume and returns what it thinks the patient looks like.

python examples/your_own_prior.py scans/chest sharpened.nii.gz

The prior here is not a network but unsharp masking, which exaggerates. The result still agrees with the measurement:
stage 1 keeps of a proposal only what the measurement allows. To train a network of the packaged kind on your own CTs, run
`nullsplat train-slab-prior` and name its folder: SuperResolver.from_preset(prior="slabs/prior").
"""

import argparse

import torch
from torch.nn.functional import avg_pool3d

import nullsplat as ns
from nullsplat.core.progress import Progress, silent
from nullsplat.physics.consistency import residual
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.refine import refine
from nullsplat.prior.slab_sampling import SlabSampling
from nullsplat.prior.task import Refinement, Task


class UnsharpMask:
    """Fulfils `pipeline.slab_stage.VolumePrior`."""

    def refine_volume(
        self,
        base_hu: torch.Tensor,
        cubic_hu: torch.Tensor,
        task: Task,
        config: SlabSampling,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Refinement:
        """The base plus what smoothing takes away from it."""
        smooth = avg_pool3d(base_hu[None], kernel_size=3, stride=1, padding=1, count_include_pad=False)[0]
        progress(1.0)
        return Refinement(base_hu + 0.7 * (base_hu - smooth))


def main() -> None:
    """Refine a volume with the mask and say how well the proposal and the result agree with the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse_args()

    config, prior = configure(scale=4), UnsharpMask()
    problem = pose(ns.read(options.source), config)
    base_hu = base_volume(problem, config)
    proposal = prior.refine_volume(base_hu, base_hu, problem.task, config.slabs).hu
    refined_hu = refine(problem, base_hu, prior, config).hu
    assert refined_hu is not None  # noqa: S101 - a prior of volumes makes one

    for name, hu in (("proposal", proposal), ("result", refined_hu)):
        rmse = residual(hu, problem.lr_hu, problem.model.volume_op).square().mean().sqrt()
        print(f"{name}: degraded again, {rmse:.1f} HU from the measurement (noise {problem.noise_hu:.1f} HU)")
    ns.write(ns.Volume(refined_hu.cpu().numpy(), problem.model.hr), options.target)


if __name__ == "__main__":
    main()
