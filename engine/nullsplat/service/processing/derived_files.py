"""Writes the DICOM objects of a finished run: the series and its companions."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydicom.uid import CTImageStorage, EnhancedSRStorage

from nullsplat.core.volume import Volume
from nullsplat.dicom.provenance import Provenance, of_the_sample
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.write.derived_series import (
    SAMPLE,
    DerivedOptions,
    DerivedSeries,
    FurtherImage,
    write_derived,
)
from nullsplat.dicom.write.key_image import write_key_image
from nullsplat.dicom.write.parametric_map import DEVIATION, INTERVAL, MapKind, write_map
from nullsplat.dicom.write.quality_report import write_quality_report
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.service.processing.protocol import Derived
from nullsplat.service.settings import Settings


@dataclass(frozen=True)
class Output:
    """Which objects are written of a result, and how.

    Attributes:
        maps: write a map of the intervals, and with several samples one of their standard deviation.
        report: write the run's figures as a structured report.
        key_image: write a key image.
        options: of all series.
    """

    maps: bool = True
    report: bool = True
    key_image: bool = False
    options: DerivedOptions = field(default_factory=DerivedOptions)

    @classmethod
    def of(cls, settings: Settings) -> "Output":
        """What the settings ask for."""
        options = DerivedOptions(syntax=settings.transfer_syntax)
        return cls(settings.parametric_maps == "auto", settings.quality_report, settings.key_image, options)


def write_all(
    source: SourceSeries, checkpoints: Checkpoints, provenance: Provenance, target: Path, output: Output
) -> Derived:
    """Write the objects into a folder.

    Raises:
        UnreadableFile: the run is not finished.
        ConfigurationError: there is no encoder for the transfer syntax.
        StorageError: the folder cannot be written.
    """
    options = output.options
    series = write_derived(source, checkpoints.result, provenance, target, options)
    if (drawn := checkpoints.sample) is not None:
        of_sample = of_the_sample(provenance, checkpoints.report)
        series = replace(series, sample=write_derived(source, drawn, of_sample, target, options, SAMPLE))
    series = replace(series, further=tuple(_further(source, checkpoints, provenance, target, output)))
    further = {one.series_instance_uid: {one.sop_instance_uid: one.path.name} for one in series.further}
    classes = {one.series_instance_uid: one.sop_class_uid for one in series.further}
    if series.sample is not None:
        further[series.sample.series_instance_uid] = _files(series.sample)
        classes[series.sample.series_instance_uid] = CTImageStorage
    if output.report:
        report = write_quality_report(source, series, checkpoints.report, provenance, target, options)
        further[report.series_instance_uid] = {report.sop_instance_uid: report.path.name}
        classes[report.series_instance_uid] = EnhancedSRStorage
    return Derived(series.series_instance_uid, _files(series), further, classes)


def _files(series: DerivedSeries) -> dict[str, str]:
    pairs = zip(series.sop_instance_uids, series.paths, strict=True)
    return {str(uid): path.name for uid, path in pairs}


def _further(
    source: SourceSeries, checkpoints: Checkpoints, provenance: Provenance, target: Path, output: Output
) -> Iterator[FurtherImage]:
    for kind, values in _maps(checkpoints) if output.maps else ():
        yield write_map(kind, source, values, provenance, target, output.options)
    if output.key_image:
        shown = checkpoints.result, checkpoints.interval
        yield write_key_image(source, *shown, provenance, target, output.options)


def _maps(checkpoints: Checkpoints) -> Iterator[tuple[MapKind, Volume]]:
    """One after the other, to hold only one in memory."""
    if (interval := checkpoints.interval) is not None:
        yield INTERVAL, interval
    if (deviation := checkpoints.deviation) is not None:
        yield DEVIATION, deviation
