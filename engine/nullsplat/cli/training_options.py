"""What the training of either prior can be told: options, and how a command line says them again."""

from enum import StrEnum
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
    words = ["--steps", str(settings.steps), "--batch", str(settings.batch), "--size", settings.size]
    return [*words, "--mixed-precision", settings.mixed_precision, "--seed", str(settings.seed)]
