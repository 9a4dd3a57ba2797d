"""The work of `nullsplat train-prior`: read the data, train, write the model card."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from accelerate import PartialState
from rich.console import Console

from nullsplat.cli.archive_options import ArchiveRequest
from nullsplat.cli.inputs.archived_radiographs import fetch
from nullsplat.cli.inputs.ct_volumes import read_ct
from nullsplat.cli.training_options import settings_words
from nullsplat.core.console import StageDisplay
from nullsplat.prior.load import network_of
from nullsplat.prior.model_card import Origin
from nullsplat.prior.training import PriorTraining, TrainingConfig
from nullsplat.prior.xray.augmentation import Augmentation
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph, project, read_radiographs
from nullsplat.prior.xray.model_card import HELD, write_model_card
from nullsplat.prior.xray.objective import VelocityObjective
from nullsplat.prior.xray.pipeline import ProjectionDDNMPipeline
from nullsplat.prior.xray.pool import split

VIEWS = 48
"""Views per CT: neighbours that are closer look too much alike to teach more."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; see `nullsplat train-prior --help`."""

    data: tuple[Path, ...]
    ct: tuple[Path, ...]
    licences: tuple[str, ...]
    out: Path
    initial: str | None
    steps: int
    batch: int
    learning_rate: float
    size: str
    mixed_precision: str
    seed: int
    archive: ArchiveRequest | None = None

    @property
    def command(self) -> str:
        """The command line with file names only: where they lie is nobody else's business."""
        words = ["nullsplat", "train-prior"]
        words += [word for path in self.data for word in ("--data", path.name)]
        words += [word for path in self.ct for word in ("--ct", path.name)]
        words += self.archive.words if self.archive is not None else []
        words += ["--out", "DIR"]
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
        radiographs = list(_radiographs(request.data, display))
        volumes = list(_volumes(request.ct, display))
        sources = request.licences
        if request.archive is not None:
            with PartialState().main_process_first():  # the others find the images fetched
                archived = fetch(request.archive, request.out, console, display)
            radiographs, volumes = archived.with_radiographs(radiographs), archived.same_patients(volumes)
            sources = (*sources, archived.source)
        train, validation = split(radiographs, volumes, Augmentation())
        objective = VelocityObjective(train, validation, request.size)
        training = PriorTraining(
            _config(request), objective, request.out, network_of(request.initial, ProjectionDDNMPipeline)
        )
        if training.step:
            console.print(f"resuming after step {training.step}")

        def report(step: int, loss: float, validated: float) -> None:
            console.print(f"step {step}: loss {loss:.4f}, validation {validated:.4f}")

        training.run(report, partial(display, "training"))
    if not training.accelerator.is_main_process:
        return
    shown = objective.validation.draw(HELD, seed=0)
    card = write_model_card(request.out / "prior", Origin(request.command, sources), shown)
    print(f"wrote {card.parent}: the prior, its manifest and its model card")


def _config(request: Request) -> TrainingConfig:
    return TrainingConfig(
        steps=request.steps,
        batch=request.batch,
        learning_rate=request.learning_rate,
        mixed_precision=request.mixed_precision,
        seed=request.seed,
    )


def _radiographs(sources: tuple[Path, ...], display: StageDisplay) -> Iterator[Radiograph]:
    count = 0
    for done, source in enumerate(sources, start=1):
        for radiograph in read_radiographs(source):
            count += 1
            yield radiograph
        display("radiographs", done / len(sources), f"{count} images")


def _volumes(sources: tuple[Path, ...], display: StageDisplay) -> Iterator[ProjectedVolume]:
    for done, source in enumerate(sources, start=1):
        found = read_ct(source)
        yield project(found.volume, found.name, VIEWS, found.patient)
        display("CT views", done / len(sources), f"{done} of {len(sources)} volumes")
