"""What an evaluation leaves behind: results.json, tables, plots, and a page for the documentation."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.case import Record
from nullsplat.evaluation.comparison.plots import save_plots
from nullsplat.evaluation.comparison.run import PICTURES, Campaign
from nullsplat.evaluation.comparison.store import read_json, write_json
from nullsplat.evaluation.comparison.summary import summarise
from nullsplat.evaluation.comparison.tables import csv_table, mean_tables, volume_tables
from nullsplat.evaluation.machine import describe_machine
from nullsplat.evaluation.metrics.scores import CLIP_HU
from nullsplat.evaluation.provenance import describe_software

FORMAT = "nullsplat-evaluation-1"
RESULTS = "results.json"

Results = dict[str, Any]

BEGIN = "<!-- written by `nullsplat eval --page` from here on; do not edit by hand -->"
_HOW = f"""\
Every truth is clipped to [{CLIP_HU[0]:g}, {CLIP_HU[1]:g}] HU and degraded by code that shares nothing with the engine:
`isoN` is a Gaussian of FWHM = N voxels along all axes, sampled at block centres; `thickN` is the mean of N slices, as of a
sequential scan; `bellN` weights slices as measured on a helical scanner (docs/slice-profile.md), FWHM N slices;
`isothickN` and `isobellN` do the same along all axes; `+15HU` adds Gaussian noise of that standard deviation. PSNR and
SSIM (3D) are taken over that range, scaled to [0, 1]. RMSE is in HU inside the body and in lung, soft tissue and bone,
segmented by the HU of the truth before clipping. LR-consistency is the RMSE in HU between the result, degraded again, and
the measured volume. "Slice to slice" is the power of the differences between neighbouring slices relative to the
truth's: 1 is right, less is too smooth, more is too rough. Intervals are 95 % bootstrap intervals over volumes;
differences are paired, volume by volume. Time and memory are those of the method, without degrading and scoring.
"""


def write_report(campaign: Campaign, records: Sequence[Record]) -> Results:
    """Write results.json, table.md, table.csv and the plots into the campaign's folder.

    Raises:
        StorageError: the folder cannot be written.
    """
    results = _results(campaign, records)
    write_json(campaign.folder / RESULTS, results)
    write_text(campaign.folder / "table.csv", csv_table(records))
    write_text(campaign.folder / "table.md", _tables(records, campaign.seed))
    save_plots(records, campaign.folder / PICTURES)
    return results


def write_page(results_file: Path, page: Path) -> None:
    """Render a page of documentation from a results.json; what people wrote above the tables stays.

    Raises:
        UnreadableFile: there is no such file, or it is none of an evaluation.
        StorageError: the page cannot be written.
    """
    results = read_json(results_file)
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise UnreadableFile(f"{results_file} must be a results.json of `nullsplat eval`, it is not")
    above, marked, _ = page.read_text().partition(BEGIN) if page.is_file() else ("", "", "")
    write_text(page, (above if marked else "# Results\n\n") + _page(results))


def _results(campaign: Campaign, records: Sequence[Record]) -> Results:
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": describe_software(),
        "machine": describe_machine().summary,
        "settings": {
            "protocols": [how.name for how in campaign.protocols],
            "methods": [method.name for method in campaign.methods],
            "blind": campaign.blind,
            "seed": campaign.seed,
            "device": campaign.device.type,
        },
        "volumes": [
            {
                "name": subject.name,
                "remark": subject.remark,
                "sha256": subject.sha256,
                "shape": list(subject.volume.geometry.shape),
                "spacing_mm": list(subject.volume.geometry.spacing),
            }
            for subject in campaign.subjects
        ],
        "summary": [row.as_dict() for row in summarise(records, campaign.seed)],
        "cases": list(records),
    }


def _tables(records: Sequence[Record], seed: int) -> str:
    means = mean_tables(summarise(records, seed))
    return f"## Means over volumes\n\n{means}\n## Each volume\n\n{volume_tables(records)}"


def _page(results: Results) -> str:
    software, machine, settings = results["software"], results["machine"], results["settings"]
    told = "the factor alone" if settings["blind"] else "factor and slice profile"
    volumes = [
        f"- **{volume['name']}**, {' x '.join(map(str, volume['shape']))} voxels of "
        f"{' x '.join(f'{mm:.2f}' for mm in volume['spacing_mm'])} mm (z, y, x)"
        f"{': ' + volume['remark'] if volume['remark'] else ''}"
        for volume in results["volumes"]
    ]
    parts = [
        f"{BEGIN}\n",
        _HOW,
        f"The engine was told {told}; it always estimates the noise itself. Seed {settings['seed']}.\n",
        "## Volumes\n",
        *volumes,
        "",
        _tables(results["cases"], settings["seed"]),
        "## Made with\n",
        (
            f"NullSplat {software['version']} (code {software['code_sha256'][:12]}, prior "
            f"{software['model_sha256'][:12]}) on {machine['processor']}, {machine['threads']} threads, "
            f"GPU: {machine['gpu']}, torch {machine['torch']}, {results['created']}."
        ),
        "",
    ]
    return "\n".join(parts)
