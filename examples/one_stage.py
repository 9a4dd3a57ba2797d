"""Call stage 1 alone: what physics gives, what the prior adds to it, and how well both agree with the measurement.

python examples/one_stage.py scans/chest refined.nii.gz
"""

import argparse

import nullsplat as ns
from nullsplat.core.device import resolve_device
from nullsplat.physics.consistency import residual
from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.refine import refine
from nullsplat.prior.load import load_prior


def main() -> None:
    """Pose the problem, make the base, refine it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse_args()

    config, device = configure(scale=4), resolve_device("auto")
    problem = pose(ns.read(options.source), config, device)
    base_hu = base_volume(problem, config)
    refined_hu = refine(problem, base_hu, load_prior(config.prior, device), config).hu
    if refined_hu is None:
        raise SystemExit(
            f"a prior of volumes is needed, {config.prior} refines projections; choose another preset"
        )

    print(f"noise of the measurement: {problem.noise_hu:.1f} HU")
    for name, hu in (("base", base_hu), ("stage 1", refined_hu)):
        rmse = residual(hu, problem.lr_hu, problem.model.volume_op).square().mean().sqrt()
        print(f"{name}: degraded again, {rmse:.1f} HU from the measurement")
    ns.write(ns.Volume(refined_hu.cpu().numpy(), problem.model.hr), options.target)


if __name__ == "__main__":
    main()
