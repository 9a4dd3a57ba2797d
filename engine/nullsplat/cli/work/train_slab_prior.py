"""The work of `nullsplat train-slab-prior`: read the CTs, make pairs, train, write the model card."""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path

from accelerate import PartialState
from rich.console import Console

from nullsplat.cli.inputs.ct_volumes import LabelledVolume, read_ct
from nullsplat.cli.training_options import settings_words
from nullsplat.core.console import StageDisplay
from nullsplat.core.progress import Progress
from nullsplat.prior.model_card import Origin
from nullsplat.prior.slab.dataset import Counts, slab_pools
from nullsplat.prior.slab.model_card import write_slab_card
from nullsplat.prior.slab.objective import SlabObjective
from nullsplat.prior.training import PriorTraining, TrainingConfig
from nullsplat.prior.xray.pool import held_out

WARMUP = 200
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat train-slab-prior --help`."""

    ct: tuple[Path, ...]
    validation_ct: tuple[Path, ...]
    licences: tuple[str, ...]
    out: Path
    counts: tuple[int, int]
    steps: int
    batch: int
    size: str
    mixed_precision: str
    seed: int

    @property
    def command(self) -> str:
        """The command line with file names only: where they lie is nobody else's business."""
        words = ["nullsplat", "train-slab-prior"]
        words += [word for path in self.ct for word in ("--ct", path.name)]
        words += [word for path in self.validation_ct for word in ("--validation-ct", path.name)]
        words += ["--out", "DIR", "--pairs", str(self.counts[0]), "--validation-pairs", str(self.counts[1])]
        words += settings_words(self)
        return shlex.join(words)


def run(request: Request) -> None:
    """Do what was asked and say where the result is.

    Raises:
        InputError: data or settings cannot be used.
        StorageError: the disk is full.
    """
    console = Console(highlight=False)
    with StageDisplay(console) as display:
        learned, validated = _sides(request, _named(display, "CT volumes"))
        with PartialState().main_process_first():  # the others find the pairs made
            train, validation = slab_pools(
                [item.volume for item in learned],
                [item.volume for item in validated],
                request.out / "pairs",
                Counts(*request.counts),
                request.seed,
                _named(display, "training pairs"),
            )
        objective = SlabObjective(train, validation, request.size)
        training = PriorTraining(_config(request), objective, request.out)
        if training.step:
            console.print(f"resuming after step {training.step}")

        def report(step: int, loss: float, validated: float) -> None:
            gain = -10 * math.log10(max(validated, 1e-12))
            console.print(
                f"step {step}: loss {loss:.4f}, validation {validated:.4f} ({gain:+.2f} dB on the base)"
            )

        training.run(report, _named(display, "training"))
    if not training.accelerator.is_main_process:
        return
    card = write_slab_card(request.out / "prior", Origin(request.command, request.licences), validation)
    print(f"wrote {card.parent}: the prior, its manifest and its model card")


def _named(display: StageDisplay, stage: str) -> Progress:
    def report(fraction: float, note: str = "") -> None:
        display(stage, fraction, note)

    return report


def _sides(request: Request, progress: Progress) -> tuple[list[LabelledVolume], list[LabelledVolume]]:
    """Volumes to learn from and to validate on; no patient is on both sides."""
    paths = [*request.ct, *request.validation_ct]
    volumes = []
    for i, path in enumerate(paths, start=1):
        volumes.append(read_ct(path))
        progress(i / len(paths), f"{i} of {len(paths)} volumes")
    if request.validation_ct:
        aside = {item.patient for item in volumes[len(request.ct) :]}
    else:
        aside = held_out({item.patient for item in volumes}, VALIDATION_SHARE)
    return [v for v in volumes if v.patient not in aside], [v for v in volumes if v.patient in aside]


def _config(request: Request) -> TrainingConfig:
    return TrainingConfig(
        steps=request.steps,
        batch=request.batch,
        warmup=WARMUP,
        mixed_precision=request.mixed_precision,
        seed=request.seed,
    )
