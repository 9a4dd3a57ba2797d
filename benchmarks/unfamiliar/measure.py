"""What a prior's training range says of series that it was not trained on, and of ordinary ones.

    python benchmarks/unfamiliar/measure.py --chest lungfcp_0001.nii.gz --head nlm_head_female_1mm.nii.gz [SERIES ...]

Chest and head are CTs that the model card names, from which strange series are simulated; SERIES are ordinary ones of thick
slices. The public chests are fetched. Prints a table in Markdown: docs/certainty.md. Minutes on one core.
"""

import argparse
from pathlib import Path

import torch
from series import Series, all_series

from nullsplat.pipeline.base_volume import base_volume
from nullsplat.pipeline.config import configure
from nullsplat.pipeline.problem import pose
from nullsplat.pipeline.slab_stage import SlabStage, VolumePrior
from nullsplat.prior import weights
from nullsplat.prior.load import load_prior
from nullsplat.prior.series_figures import CONTRADICTED, Figures, series_figures
from nullsplat.prior.training_range import training_range_of

CPU = torch.device("cpu")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ordinary", type=Path, nargs="*", metavar="SERIES")
    parser.add_argument("--chest", type=Path, required=True)
    parser.add_argument("--head", type=Path, required=True)
    parser.add_argument("--prior", default=weights.BLOCK)
    parser.add_argument("--only", default="", help="only series whose name holds this")
    asked = parser.parse_args()
    prior, known = load_prior(asked.prior, CPU), training_range_of(asked.prior)
    if known is None or not isinstance(prior, VolumePrior):
        parser.error(f"a prior of slabs with a training range was needed, {asked.prior} is none")
    print("| series | warning | noise | kernel | metal | contradicted |\n|---|---|---:|---:|---:|---:|")
    for series in all_series(asked.chest, asked.head, asked.ordinary):
        if asked.only in series.name:
            found = figures_of(series, prior)
            warned = "; ".join(known.outside(found)) or "nothing"
            print(f"| {series.name} | {warned} | {_told(found)} |", flush=True)


def figures_of(series: Series, prior: VolumePrior) -> Figures:
    """As stage 1 of a run measures them."""
    config = configure(series.scale, resolution=series.resolution)
    problem = pose(series.volume, config, CPU)
    answer = SlabStage(problem, base_volume(problem, config), config).answer(prior)
    return series_figures(problem.lr_hu.numpy(), problem.task, answer.contradicted_share)


def _told(found: Figures) -> str:
    shares = (f"{100 * found[name]:.3g} %" for name in ("kernel_sharpness", "metal_share", CONTRADICTED))
    return " | ".join((f"{found['noise_hu']:.0f} HU", *shares))


if __name__ == "__main__":
    main()
