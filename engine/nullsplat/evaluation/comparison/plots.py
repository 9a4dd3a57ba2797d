"""Plots over methods: where in the spectrum they are wrong, and how they differ over volumes."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot

from nullsplat.evaluation.comparison.case import DONE, Record
from nullsplat.evaluation.comparison.summary import figures_of, protocol_name
from nullsplat.evaluation.metrics.spectrum import BANDS

_SIZE, _DPI = (8.0, 5.0), 120


def save_plots(records: Sequence[Record], folder: Path) -> list[Path]:
    """Draw the error spectra of every degradation, and box plots where there is more than one volume.

    Args:
        records: of all cases; those that failed are left out.
        folder: for the PNG files.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = [record for record in records if record["status"] == DONE]
    paths = []
    for name in dict.fromkeys(protocol_name(record) for record in done):
        chosen = [record for record in done if protocol_name(record) == name]
        paths.append(folder / f"spectrum-{name}.png")
        save_spectra(chosen, f"{name}, mean over volumes", paths[-1])
        if len({record["volume"] for record in chosen}) > 1:
            paths.append(folder / f"volumes-{name}.png")
            save_boxes(chosen, name, paths[-1])
    return paths


def save_spectra(records: Sequence[Record], title: str, path: Path) -> None:
    """Error power of every method by frequency, and the truth's power; records of one degradation."""
    figure, axes = pyplot.subplots(figsize=_SIZE, layout="constrained")
    centres = (np.arange(BANDS) + 0.5) / BANDS
    try:
        for method, chosen in _by_method(records).items():
            power = np.mean([record["spectrum"]["error"][:BANDS] for record in chosen], axis=0)
            axes.semilogy(centres, power, marker=".", label=method)
        truth = {record["volume"]: record["spectrum"]["truth"][:BANDS] for record in records}
        axes.semilogy(centres, np.mean(list(truth.values()), axis=0), "k--", label="the truth itself")
        axes.set(xlabel="spatial frequency / Nyquist", ylabel="power in HU²", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(path, dpi=_DPI)
    finally:
        pyplot.close(figure)


def save_boxes(records: Sequence[Record], title: str, path: Path) -> None:
    """PSNR and SSIM of every method over volumes, with a point for each volume; records of one degradation."""
    methods = _by_method(records)
    figure, both = pyplot.subplots(1, 2, figsize=(2 * _SIZE[0], _SIZE[1]), layout="constrained")
    try:
        for axes, (name, label) in zip(both, (("psnr", "PSNR in dB"), ("ssim", "SSIM")), strict=True):
            values = [[figures_of(record)[name] for record in chosen] for chosen in methods.values()]
            axes.boxplot(values, tick_labels=list(methods), showfliers=False)
            for place, column in enumerate(values, start=1):
                axes.plot([place] * len(column), column, "o", color="tab:blue", alpha=0.6)
            axes.set(ylabel=label, title=title)
            axes.tick_params(axis="x", rotation=30)
            axes.grid(axis="y", alpha=0.3)
        figure.savefig(path, dpi=_DPI)
    finally:
        pyplot.close(figure)


def _by_method(records: Sequence[Record]) -> dict[str, list[Record]]:
    names = dict.fromkeys(record["method"] for record in records)
    return {name: [record for record in records if record["method"] == name] for name in names}
