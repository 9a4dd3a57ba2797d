"""What the training of either prior can be told: options, and how a command line says them again."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import typer


class Size(StrEnum):
    """Sizes of the network."""

    small = "small"
    base = "base"


class MixedPrecision(StrEnum):
    """What the network computes in."""

    no = "no"
    bf16 = "bf16"
    fp16 = "fp16"


Licences = Annotated[
    list[str] | None,
    typer.Option(
        "--licence", metavar="TEXT", help="A data source with its licence, for the card. Repeat for more."
    ),
]
Initial = Annotated[
    str | None,
    typer.Option(
        "--initial",
        metavar="NAME|DIR",
        help="A prior of the same kind and size to continue from, such as a packaged one; without it, training starts afresh.",
    ),
]
LearningRate = Annotated[
    float, typer.Option(min=1e-6, max=1e-2, help="Peak learning rate; take a lower one with --initial.")
]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps in all; a resumed run counts on.")]
Batch = Annotated[int, typer.Option(min=1, help="Crops per step.")]
Precision = Annotated[MixedPrecision, typer.Option(help="bf16 is faster where the processor has it.")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]


@runtime_checkable
class Settings(Protocol):
    """The settings that both kinds of training have."""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""

    @property
    def initial(self) -> str | None:
        """Prior that training continues from."""

    @property
    def learning_rate(self) -> float:
        """At its peak."""

    @property
    def batch(self) -> int:
        """Crops per step."""

    @property
    def size(self) -> str:
        """Of the network."""

    @property
    def mixed_precision(self) -> str:
        """What it computes in."""

    @property
    def seed(self) -> int:
        """Random seed."""


def settings_words(settings: Settings) -> list[str]:
    """The settings as words of a command line."""
    words = ["--initial", Path(settings.initial).name] if settings.initial else []
    words += ["--steps", str(settings.steps), "--batch", str(settings.batch)]
    words += ["--learning-rate", f"{settings.learning_rate:g}", "--size", settings.size]
    return [*words, "--mixed-precision", settings.mixed_precision, "--seed", str(settings.seed)]
