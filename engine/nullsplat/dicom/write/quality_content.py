"""What the quality report says, as the content tree of a Measurement Report.

Source: PS3.16 TID 1500 (Measurement Report), TID 1501 (Measurement Group), TID 300 (Measurement), TID 1600 (Image
Library), TID 4019 (Algorithm Identification).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.eligibility import PRODUCT_NAME
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write import algorithm
from nullsplat.dicom.write import codes as concepts

RESEARCH_USE = (
    "For research use only, not for diagnosis. Fine detail of the derived series is partly synthesised by a model. "
    "The consistency figures say how well the result agrees with the source, not whether added detail is true."
)
UNFAMILIAR = "How far such a result can be wrong is not known; intervals need not hold."
_CONTAINS = sr.RelationshipTypeValues.CONTAINS
_CONTEXT = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT
_HU = codes.UCUM.HounsfieldUnit
_RMS = codes.cid7464.RootMeanSquare
_SOURCE = Code("260753009", "SCT", "Source")
_DRAWN = concepts.SAMPLE_SERIES
_CT, _OTHER = codes.DCM.ComputedTomography, codes.DCM.OtherModality


@dataclass(frozen=True)
class ShownImages:
    """What a report refers to; identifiers are enough.

    Attributes:
        source: the source's images, of one series.
        derived: the derived images likewise.
        sample: those of a sample of the prior; none where there is none.
        further: what each map or picture of the result shows, and its identifiers.
    """

    source: Sequence[Dataset]
    derived: Sequence[Dataset]
    sample: Sequence[Dataset] = ()
    further: Sequence[tuple[Code, Dataset]] = ()


def measurement_report(
    images: ShownImages, figures: Mapping[str, Any], provenance: Provenance
) -> sr.MeasurementReport:
    """The whole tree.

    Args:
        images: what it refers to.
        figures: of the run, see `pipeline.stages.run_consistency`; what is not there is left out.
        provenance: of the run.
    """
    report = sr.MeasurementReport(
        observation_context=_observed_by(provenance),
        procedure_reported=codes.SCT.ComputedTomography,
        imaging_measurements=[_measurements(figures, provenance)],
    )
    content = report[0].ContentSequence
    position = next(i for i, item in enumerate(content) if item.name == codes.DCM.ImagingMeasurements)
    # Rows 6 and 7 of TID 1500, in this order.
    content.insert(position, _image_library(images))
    return report


def _observed_by(provenance: Provenance) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=algorithm.device_uid(provenance),
        name=PRODUCT_NAME,
        manufacturer_name=PRODUCT_NAME,
        model_name=f"{PRODUCT_NAME} {provenance.software_version}",
        serial_number=provenance.model_hash[:12],
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )


def _image_library(images: ShownImages) -> sr.ContainerContentItem:
    library = sr.ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=_CONTAINS)
    library.ContentSequence = sr.ContentSequence(
        [
            _group(images.source, _CT, codes.DCM.SourceSeriesForImageProcessingOperation, _SOURCE),
            _group(images.derived, _CT, concepts.DERIVED_SERIES, concepts.DERIVED_SERIES),
            *([_group(images.sample, _CT, _DRAWN, _DRAWN)] if images.sample else []),
            *(_group([image], _OTHER, shows, shows) for shows, image in images.further),
        ]
    )
    return library


def _group(
    images: Sequence[Dataset], modality: Code, role: Code, image_name: Code
) -> sr.ContainerContentItem:
    """One series: what it is to the report, and each of its images."""
    group = sr.ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=_CONTAINS)
    shared = [
        sr.CodeContentItem(name=codes.DCM.Modality, value=modality, relationship_type=_CONTEXT),
        sr.CodeContentItem(name=concepts.SERIES_ROLE, value=role, relationship_type=_CONTEXT),
        sr.UIDRefContentItem(
            name=codes.DCM.SeriesInstanceUID,
            value=str(images[0].SeriesInstanceUID),
            relationship_type=_CONTEXT,
        ),
    ]
    group.ContentSequence = sr.ContentSequence([*shared, *(_image(image, image_name) for image in images)])
    return group


def _image(image: Dataset, name: Code) -> sr.ImageContentItem:
    return sr.ImageContentItem(
        name=name,
        referenced_sop_class_uid=str(image.SOPClassUID),
        referenced_sop_instance_uid=str(image.SOPInstanceUID),
        relationship_type=_CONTAINS,
    )


def _measurements(
    figures: Mapping[str, Any], provenance: Provenance
) -> sr.MeasurementsAndQualitativeEvaluations:
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=derive_uid(provenance, "quality tracking"), identifier="Super-resolution quality"
        ),
        finding_type=codes.DCM.ImageQuality,
        algorithm_id=_algorithm(provenance),
        measurements=[*_in_hu(figures), *_high_frequencies(figures), *_durations(figures)],
    )
    for words in _comments(figures):
        comment = sr.TextContentItem(name=codes.DCM.Comment, value=words, relationship_type=_CONTAINS)
        group[0].ContentSequence.append(comment)  # TID 1501 may be extended
    return group


def _comments(figures: Mapping[str, Any]) -> Iterator[str]:
    if outside := figures.get("outside_training"):
        yield f"Warning: the source lies outside what the model was trained on: {outside}. {UNFAMILIAR}"
    if coverage := figures.get("interval_coverage"):
        yield f"Intervals were {coverage}. They say nothing of a single voxel or finding."
    yield RESEARCH_USE


def _algorithm(provenance: Provenance) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=algorithm.NAME, version=provenance.software_version, parameters=algorithm.parameters(provenance)
    )


def _in_hu(figures: Mapping[str, Any]) -> Iterator[sr.Measurement]:
    for key, concept, how in (
        ("lr_consistency_rmse_hu", concepts.CONSISTENCY, _RMS),
        ("lr_consistency_max_hu", concepts.CONSISTENCY, codes.cid7464.Maximum),
        ("noise_hu", concepts.SOURCE_NOISE, codes.cid7464.StandardDeviation),
        ("null_space_rms_hu", concepts.NULL_SPACE_CHANGE, _RMS),
    ):
        if key in figures:
            yield sr.Measurement(name=concept, value=figures[key], unit=_HU, derivation=how)
    for key, concept in (
        ("null_space_rms_hu_by_tissue", concepts.NULL_SPACE_CHANGE),
        ("deviation_rms_hu_by_tissue", concepts.SAMPLE_DEVIATION),
        ("interval_rms_hu_by_tissue", concepts.HALF_WIDTH),
    ):
        for tissue, value in figures.get(key, {}).items():
            site = sr.FindingSite(concepts.TISSUES[tissue])
            yield sr.Measurement(name=concept, value=value, unit=_HU, derivation=_RMS, finding_sites=[site])


def _high_frequencies(figures: Mapping[str, Any]) -> Iterator[sr.Measurement]:
    if "high_frequency_gain" in figures:
        yield sr.Measurement(
            name=concepts.HIGH_FREQUENCY_GAIN, value=figures["high_frequency_gain"], unit=codes.UCUM.NoUnits
        )


def _durations(figures: Mapping[str, Any]) -> Iterator[sr.Measurement]:
    stages = figures.get("stages", {})
    for stage, concept in concepts.STAGE_DURATIONS.items():
        if stage in stages:
            yield sr.Measurement(name=concept, value=stages[stage]["seconds"], unit=codes.UCUM.Second)
