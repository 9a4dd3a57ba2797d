"""What an evaluation by tasks leaves behind: tasks.json, tasks.md, and a page for the documentation."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nullsplat.core.files import write_text
from nullsplat.evaluation.comparison.case import Record
from nullsplat.evaluation.comparison.store import write_json
from nullsplat.evaluation.data.subject import Subject
from nullsplat.evaluation.machine import describe_machine
from nullsplat.evaluation.provenance import describe_software
from nullsplat.evaluation.tasks.run import TaskCampaign
from nullsplat.evaluation.tasks.tables import tables

BEGIN = "<!-- written by `nullsplat eval --task --page` from here on; do not edit by hand -->"

_HOW = """\
Spheres of 3, 5, 7 and 10 mm are inserted into truths before they are degraded: 20, 40 and 60 HU above or below soft tissue, 100 to 300 HU
above lung (ground glass). Half of a volume's quiet places have one in a first series and the other half in a second, with the same noise,
so that each place is seen with its lesion and without.

- **Shown**: the result has at least half of the lesion's contrast at its place; else it is missed. **Invented**: it has that much at a
  place without a lesion, beyond what the truth has there; noise can do that too.
- **Contrast kept**: the slope of the contrast shown over the contrast inserted.
- **AUC**: how often the place with its lesion has more contrast than one without, whatever the threshold. 0.5 is chance.
- **d'**: detectability for a channelised Hotelling observer with five Laguerre-Gauss channels in three dimensions, which knows place and
  size and is trained on all other places; in standard deviations of its response to places without a lesion. It forgives blur as far as a
  trained reader can.
- **f50**: the frequency at which half of a lesion's contrast is passed on (task transfer function), in cycles per mm. "beyond": never, as
  far as 0.5 per mm.
- **Noise**: standard deviation, and centre of the noise power spectrum within slices, within 5 mm of quiet places; it includes tissue
  texture.
- **Dice**: overlap of simple segmentations with those of the truth: lungs by thresholds, and vessels as what lies inside them and is
  denser than -500 HU.

"as measured" is the measurement itself, with each slice (or voxel) repeated.
"""


def write_tasks(campaign: TaskCampaign, records: Sequence[Record], page: Path | None) -> None:
    """Write everything into the campaign's folder, and the page where one is wanted; what people wrote above its figures stays.

    Raises:
        StorageError: a file cannot be written.
    """
    about = {"software": describe_software(), "machine": describe_machine().summary}
    write_json(campaign.folder / "tasks.json", {**about, "cases": list(records)})
    content = tables(records)
    write_text(campaign.folder / "tasks.md", f"{content}\n")
    if page is not None:
        above, marked, _ = page.read_text().partition(BEGIN) if page.is_file() else ("", "", "")
        write_text(page, (above if marked else "# Tasks\n\n") + _page(campaign, content))


def _page(campaign: TaskCampaign, content: str) -> str:
    software = describe_software()
    made = f"NullSplat {software['version']} (code {software['code_sha256'][:12]}, prior {software['model_sha256'][:12]})"
    asked = f"{campaign.rounds} round(s), seed {campaign.seed}"
    when = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        f"{BEGIN}\n",
        _HOW,
        "## Volumes\n",
        *(_described(subject) for subject in campaign.subjects),
        "\n## Figures\n",
        content,
        f"\n## Made with\n\n{made}, {asked}, {when}.\n",
    ]
    return "\n".join(lines)


def _described(subject: Subject) -> str:
    shape = " x ".join(map(str, subject.volume.geometry.shape))
    spacing = " x ".join(f"{mm:.2f}" for mm in subject.volume.geometry.spacing)
    remark = f": {subject.remark}" if subject.remark else ""
    return f"- **{subject.name}**, {shape} voxels of {spacing} mm (z, y, x){remark}"
