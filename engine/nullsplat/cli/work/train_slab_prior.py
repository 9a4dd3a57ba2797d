"""The work of `nullsplat train-slab-prior`: read the CTs, make pairs beside the training, write the model card."""

import math
import os
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accelerate import PartialState
from rich.console import Console

from nullsplat.cli.inputs.ct_volumes import read_ct
from nullsplat.cli.training_options import settings_words
from nullsplat.core.console import StageDisplay
from nullsplat.core.errors import InputError
from nullsplat.core.progress import Progress
from nullsplat.core.volume import Volume
from nullsplat.prior.block.model_card import write_block_card
from nullsplat.prior.block.objective import BlockObjective
from nullsplat.prior.block.pipeline import BlockPipeline
from nullsplat.prior.block.pool import PairPool
from nullsplat.prior.block.stream import Source, check_size, pairs_ahead
from nullsplat.prior.load import network_of
from nullsplat.prior.model_card import Origin
from nullsplat.prior.training import PriorTraining, TrainingConfig
from nullsplat.prior.weights import locate
from nullsplat.prior.xray.pool import held_out

VALIDATION_SHARE = 0.1
_STEPS_PER_PAIR = 12
_MAKERS = max(1, min(12, (os.cpu_count() or 2) // 2))


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat train-slab-prior --help`."""

    ct: tuple[Path, ...]
    validation_ct: tuple[Path, ...]
    licences: tuple[str, ...]
    out: Path
    initial: str | None
    pairs: tuple[int, int]
    steps: int
    batch: int
    learning_rate: float
    size: str
    mixed_precision: str
    seed: int

    @property
    def command(self) -> str:
        """The command line with file names only: where they lie is nobody else's business."""
        words = ["nullsplat", "train-slab-prior"]
        words += [word for path in self.ct for word in ("--ct", path.name)]
        words += [word for path in self.validation_ct for word in ("--validation-ct", path.name)]
        words += ["--out", "DIR", "--pairs", str(self.pairs[0]), "--validation-pairs", str(self.pairs[1])]
        words += settings_words(self)
        return shlex.join(words)


def run(request: Request) -> None:
    """Run the command and say where the result is.

    Raises:
        InputError: data or settings cannot be used.
        StorageError: the disk is full.
    """
    console = Console(highlight=False)
    with StageDisplay(console) as display:
        learned, validated = _sides(request, partial(display, "CT volumes"))
        train = PairPool(request.out / "pairs" / "train", "train", request.pairs[0], _STEPS_PER_PAIR)
        validation = PairPool(request.out / "pairs" / "validation", "validation", request.pairs[1])
        with PartialState().main_process_first():  # the others find the pairs made
            _make_all(
                Source(validated, read_truth, request.seed), validation, partial(display, "validation pairs")
            )
        volumes = len(set(learned)), len(set(validated))
        objective = BlockObjective(train, validation, request.size, volumes)
        training = PriorTraining(
            _config(request), objective, request.out, network_of(request.initial, BlockPipeline)
        )
        if training.step:
            console.print(f"resuming after step {training.step}")

        def report(step: int, loss: float, validated: float) -> None:
            gain = -10 * math.log10(max(validated, 1e-12))
            console.print(
                f"step {step}: loss {loss:.4f}, validation {validated:.4f} ({gain:+.2f} dB on the base)"
            )

        initial = None if request.initial is None else locate(request.initial)
        source = Source(learned, read_truth, request.seed, request.out / "prior", initial)
        with pairs_ahead(source, train, training.step, _MAKERS):
            training.run(report, partial(display, "training"))
    if not training.accelerator.is_main_process:
        return
    card = write_block_card(request.out / "prior", Origin(request.command, request.licences), validation)
    print(f"wrote {card.parent}: the prior, its manifest and its model card")


def read_truth(path: Path) -> Volume:
    """One CT to learn from.

    Raises:
        UnreadableFile: neither a NIfTI file nor a folder.
        IneligibleSeries: the DICOM series in the folder cannot be used.
    """
    return read_ct(path).volume


def _make_all(source: Source, pool: PairPool, progress: Progress) -> None:
    for number in range(pool.window):
        source.make(pool.folder, number)
        progress((number + 1) / pool.window, f"{number + 1} of {pool.window}")


def _sides(request: Request, progress: Progress) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Volumes to learn from and to validate on; no patient is on both sides.

    Raises:
        InputError: a side is empty, or a volume is too small.
        UnreadableFile: a volume cannot be read.
    """
    paths = [*request.ct, *request.validation_ct]
    patients = []
    for i, path in enumerate(paths, start=1):
        found = read_ct(path)
        check_size(found.volume)
        patients.append(found.patient)
        progress(i / len(paths), f"{i} of {len(paths)} volumes")
    if request.validation_ct:
        aside = set(patients[len(request.ct) :])
    else:
        aside = held_out(set(patients), VALIDATION_SHARE)
    sides = [
        [p for p, who in zip(paths, patients, strict=True) if (who in aside) is wanted]
        for wanted in (False, True)
    ]
    if not all(sides):
        raise InputError("the slab prior needs CT volumes of at least two patients, one to validate on")
    return tuple(sides[0]), tuple(sides[1])


def _config(request: Request) -> TrainingConfig:
    return TrainingConfig(
        steps=request.steps,
        batch=request.batch,
        learning_rate=request.learning_rate,
        mixed_precision=request.mixed_precision,
        checkpoint_every=100,
        seed=request.seed,
    )
