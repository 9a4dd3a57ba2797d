"""The model card beside trained weights: what they are, what they learned from, how, and what that gave.

Source: FDA, draft guidance "Artificial Intelligence-Enabled Device Software Functions", January 2025, Appendix E (example of a model card).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np

from nullsplat.prior import weights
from nullsplat.prior.calibration import Calibration, calibration_of
from nullsplat.prior.series_figures import FIGURES, Figure
from nullsplat.prior.training_range import TrainingRange, training_range_of

CARD = "MODEL_CARD.md"
LOSS_FIGURE = "loss.png"
SAMPLES_FIGURE = "samples.png"

_LOSS_ROWS = 12

Known = tuple[Calibration | None, TrainingRange | None]
"""What was measured of the weights since, where somebody did."""

_BEGIN = """In the form of the example in Appendix E of the FDA's draft guidance on AI-enabled device software functions (January 2025), as far as it can
be filled in for research software. Written from the manifest of the weights by the program that trained them."""

_DESCRIPTION = """## Regulatory status

None. It is not a medical device and not for diagnosis; no authority has reviewed or authorised it.

## Description

- **Intended users.** Researchers in CT imaging, with somebody who can judge a result against its source.
- **Intended use.** Research on CT super-resolution, inside NullSplat.
- **Indications for use.** None.
- **Instructions for use.** "Reading a super-resolved series" and "Certainty" in NullSplat's documentation.
- **Clinical benefits.** None were shown.
- **Place in the clinical workflow.** After reconstruction: a further series beside the source, which stays what is read.
- **Inputs.** {inputs}.
- **Outputs.** {outputs}. NullSplat makes a volume of it that agrees with the measurement to within its noise.
- **Degree of automation.** A node can process every series that a site's rules choose, without a person. It detects, measures and
  decides nothing. Today viewers interpolate instead."""

_RISKS = """## Risk management

- **Potential risks.** A small structure is missing, displaced, of the wrong density, or invented; noise that is low is taken for dose;
  added detail is taken for measured.
- **What is done about it.** Every result is marked as research and, in part, synthetic; the source stays beside it; its agreement with the measurement
  is stated in HU, and so are, where they are known, intervals for each voxel and warnings of series unlike the training; rules can
  hold results back by these figures.
- **Over the life cycle.** Other scanners, kernels and protocols than those of the training change how good results are; a node's metrics, and
  `nullsplat eval` on a site's own CTs, show it.
- **Interactions, deployment, updates.** Nothing is learned in use. Other weights have another SHA-256, and their results other UIDs, another Device UID
  and another hash in the headers; a job never mixes two."""


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
        inputs: what one evaluation is given.
        outputs: what it answers.
        loss_judges: what the loss says, and what it does not.
        counts: keys of the manifest's data with their names.
        data: how the data are used.
        loss: what the figures in the table are.
        pictures: what the second figure shows.
    """

    what: str
    inputs: str
    outputs: str
    loss_judges: str
    counts: Mapping[str, str]
    data: str
    loss: str
    pictures: str


def write_card(folder: Path, origin: Origin, wording: Wording, parameters: int) -> Path:
    """Write the card and its loss curve; the picture of samples must be there.

    Raises:
        WeightsError: there is no readable manifest in `folder`.
    """
    manifest = weights.manifest(folder)
    _plot_loss(manifest["history"], folder / LOSS_FIGURE)
    card = folder / CARD
    known = calibration_of(str(folder)), training_range_of(str(folder))
    card.write_text(card_text(manifest, origin, wording, parameters, known))
    return card


def card_text(
    manifest: dict[str, Any], origin: Origin, wording: Wording, parameters: int, known: Known = (None, None)
) -> str:
    """The card as Markdown."""
    sections = [
        f"# Model card: {manifest['name']}\n\n{_BEGIN}",
        _device(manifest, wording, parameters),
        _DESCRIPTION.format(inputs=wording.inputs.capitalize(), outputs=wording.outputs.capitalize()),
        _performance(manifest["history"], wording, known),
        _RISKS,
        _data(manifest["data"], wording, origin.sources),
        _training(manifest, origin),
        f"### Samples\n\n{wording.pictures}\n\n![Samples]({SAMPLES_FIGURE})",
    ]
    return "\n\n".join(sections) + "\n"


def _device(manifest: dict[str, Any], wording: Wording, parameters: int) -> str:
    return f"""## Device information

- **Name.** {manifest["name"]}, a prior of NullSplat
- **Version.** SHA-256 `{manifest["sha256"]}` of `{weights.UNET_FILE}`; NullSplat checks it before each use
- **Created.** {manifest["trained"]}

**Architecture.** {wording.what.format(parameters=parameters / 1e6)}"""


def _performance(history: list[dict[str, float]], wording: Wording, known: Known) -> str:
    calibration, training = known
    return f"""## Performance and limitations

- **Accuracy.** The loss below says {wording.loss_judges}, not how good a super-resolved CT is: that is what `nullsplat eval` measures, on
  volumes not listed here, with what it says of small lesions (`--task`). 95 % confidence intervals are not stated: there are too few volumes.
- **Intervals.** {_intervals(calibration)}
- **Precision.** The same source, settings, seed and weights give the same result on the same kind of processor.
- **Known biases and failure modes.** It knows what its training data show and nothing else: other body regions, implants, children or
  adults that the data lack, and other scanners are a domain shift. Fine detail that it adds is plausible, not measured.
- **Gaps in what is known of the data.** Age, sex, ethnicity and disease of the patients were not evaluated, nor were scanners one by one.
- **Limits of development and evaluation.** It was not trained on real scans that were reconstructed thick and thin; no reader has
  judged results.
- **Inputs unlike the training.** {_unlike(training)}
- **Evidence.** The results in NullSplat's documentation; no clinical trial.

{_losses(history, wording)}"""


def _intervals(calibration: Calibration | None) -> str:
    if calibration is None:
        return "None: the weights were never calibrated (`nullsplat calibrate`)."
    names = ", ".join(one["name"] for one in calibration.facts["volumes"])
    return f"One for each voxel, {calibration.in_words()}.\n  The CTs: {names}."


def _unlike(training: TrainingRange | None) -> str:
    if training is None:
        return "Not told apart: nobody measured what the training has shown it (`nullsplat training-range`)."
    familiar = "".join(
        f"\n  - {FIGURES[name].title}: {_span(FIGURES[name], *span)}"
        for name, span in training.spans.items()
        if name in FIGURES
    )
    return f"A series outside of these is answered with a warning:{familiar}"


def _span(figure: Figure, low: float, high: float) -> str:
    return f"up to {figure.told(high)}" if figure.only_above else f"{figure.told(low)} to {figure.told(high)}"


def _data(counts: dict[str, dict[str, int]], wording: Wording, sources: Sequence[str]) -> str:
    stated = (
        "\n".join(f"- {source}" for source in sources) or "The sources and their licences were not stated."
    )
    train, validation = counts["train"], counts["validation"]
    rows = "\n".join(
        f"| {name} | {train.get(key, '')} | {validation.get(key, '')} |"
        for key, name in wording.counts.items()
    )
    return f"""## Development

### Data

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
    return f"""### Training

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
    return f"""### Loss

{wording.loss}

| step | training | validation |
|---|---|---|
{rows}

![Training and validation loss]({LOSS_FIGURE})"""


def _plot_loss(history: list[dict[str, float]], path: Path) -> None:
    """Write the loss curves, both axes logarithmic."""
    figure = matplotlib.figure.Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = [row["step"] for row in history]
    for name in ("train", "validation"):
        axes.plot(steps, [row[name] for row in history], marker=".", label=name)
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)
