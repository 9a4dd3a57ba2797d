"""The model card beside trained weights: what they are, what they learned from, how, and what that gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nullsplat.prior import weights
from nullsplat.prior.card_figures import draw_samples, plot_loss, plot_samples

CARD = "MODEL_CARD.md"
LOSS_FIGURE = "loss.png"
SAMPLES_FIGURE = "samples.png"

_LOSS_ROWS = 12


@dataclass(frozen=True)
class Origin:
    """What the manifest does not know about a training run.

    Attributes:
        command: the command line that trained it.
        sources: one line for each source of data, with its licence.
        remark: what the command does not say of how the weights were made.
    """

    command: str
    sources: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True)
class Wording:
    """What differs between the cards of the kinds of priors.

    Attributes:
        what: what the model is, its size as `{parameters:.2f}` million.
        loss_judges: what the loss says, and what it does not.
        counts: keys of the manifest's data with their names.
        data: how the data are used.
        loss: what the figures in the table are.
        pictures: what the second figure shows.
    """

    what: str
    loss_judges: str
    counts: Mapping[str, str]
    data: str
    loss: str
    pictures: str


XRAY = Wording(
    what="""An unconditional diffusion model (DDPM, noise prediction, linear beta schedule) of two-dimensional X-ray projections,
{parameters:.2f} million parameters. NullSplat's stage 1 samples it under the constraint of measured projections (DDNM,
DDNM+): it may add what the measurement cannot see, and must keep what was measured.""",
    loss_judges="how well noise is\nrecognised",
    counts={
        "radiographs": "radiographs",
        "radiograph_patients": "patients with radiographs",
        "ct_volumes": "CT volumes, projected",
    },
    data="""Radiographs are taken as line integrals after log and display processing; CT volumes are
projected with a parallel beam about the long axis. Both are scaled to [-1, 1].""",
    loss="""Mean squared error of the predicted noise (1 is what always answering zero gets). Training: mean since the row before
in the manifest, weights as they were. Validation: averaged weights, the same crops and noise each time.""",
    pictures="""Drawn from pure noise, without any measurement; all that were drawn are shown. With a low noise power above 1 the
network trained little at the high noise levels that they start from: NullSplat enters at low ones, with an initial estimate.""",
)


def write_model_card(folder: Path, origin: Origin) -> Path:
    """Write the card of an X-ray prior and its two figures beside the weights.

    Args:
        folder: a prior as `PriorTraining` exports it.
        origin: what the manifest does not know.

    Returns:
        The card.

    Raises:
        WeightsError: the prior in `folder` is incomplete or damaged.
    """
    manifest = weights.manifest(folder)
    unet, scheduler = weights.load(folder)
    size = tuple(manifest["config"]["augmentation"]["size"])
    plot_samples(draw_samples(unet, scheduler, size), folder / SAMPLES_FIGURE)
    return write_card(folder, origin, XRAY, sum(p.numel() for p in unet.parameters()))


def write_card(folder: Path, origin: Origin, wording: Wording, parameters: int) -> Path:
    """Write the card and its loss curve; the picture of samples must be there.

    Raises:
        WeightsError: there is no readable manifest in `folder`.
    """
    manifest = weights.manifest(folder)
    plot_loss(manifest["history"], folder / LOSS_FIGURE)
    card = folder / CARD
    card.write_text(card_text(manifest, origin, wording, parameters))
    return card


def card_text(manifest: dict[str, Any], origin: Origin, wording: Wording, parameters: int) -> str:
    """The card as Markdown."""
    sections = [
        _purpose(manifest, wording, parameters),
        _data(manifest["data"], wording, origin.sources),
        _training(manifest, origin),
        _losses(manifest["history"], wording),
        f"## Samples\n\n{wording.pictures}\n\n![Samples]({SAMPLES_FIGURE})",
    ]
    return "\n\n".join(sections) + "\n"


def _purpose(manifest: dict[str, Any], wording: Wording, parameters: int) -> str:
    return f"""# Model card: {manifest["name"]}

{wording.what.format(parameters=parameters / 1e6)}

- Weights: `{weights.UNET_FILE}`
- SHA-256: `{manifest["sha256"]}`; NullSplat checks it before each use
- Trained: {manifest["trained"]}

**Intended use.** Research on CT super-resolution, inside NullSplat. Not a medical device, not for diagnosis.

**Limits.** It knows what its training data show and nothing else: other body regions, implants, children or adults that
the data lack, and other scanners are a domain shift. Fine detail that it adds is plausible, not measured; NullSplat's
consistency figures and sample deviation say how much of a result that is. The loss below says {wording.loss_judges}, not how good a super-resolved CT is: that is what `nullsplat eval` measures, on volumes not listed here."""


def _data(counts: dict[str, dict[str, int]], wording: Wording, sources: Sequence[str]) -> str:
    stated = (
        "\n".join(f"- {source}" for source in sources) or "The sources and their licences were not stated."
    )
    train, validation = counts["train"], counts["validation"]
    rows = "\n".join(
        f"| {name} | {train.get(key, '')} | {validation.get(key, '')} |"
        for key, name in wording.counts.items()
    )
    return f"""## Data

{stated}

| | training | validation |
|---|---|---|
{rows}

No patient is on both sides. {wording.data}"""


def _training(manifest: dict[str, Any], origin: Origin) -> str:
    settings = {key: value for key, value in manifest["config"].items() if key != "augmentation"}
    augmentation = manifest["config"].get("augmentation", {})
    settings |= {f"augmentation: {key}": value for key, value in augmentation.items()}
    rows = "\n".join(f"| {key.replace('_', ' ')} | {value} |" for key, value in settings.items())
    remark = f"\n{origin.remark}" if origin.remark else ""
    return f"""## Training

```
{origin.command}
```

{manifest["steps"]} optimiser steps were done. The weights are the exponential moving average.{remark}

| setting | value |
|---|---|
{rows}"""


def _losses(history: list[dict[str, float]], wording: Wording) -> str:
    chosen = sorted({round(i) for i in np.linspace(0, len(history) - 1, min(len(history), _LOSS_ROWS))})
    rows = "\n".join(
        f"| {history[i]['step']:.0f} | {history[i]['train']:.4f} | {history[i]['validation']:.4f} |"
        for i in chosen
    )
    return f"""## Loss

{wording.loss}

| step | training | validation |
|---|---|---|
{rows}

![Training and validation loss]({LOSS_FIGURE})"""
