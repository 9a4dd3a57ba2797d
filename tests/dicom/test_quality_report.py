import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from highdicom.sr import EnhancedSR, srread
from highdicom.sr.utils import find_content_items
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedSRStorage, ExplicitVRLittleEndian
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import Spec, edited, make_series
from tests.support.dicom.validation import errors_of, needs_validator, warnings_of

from nullsplat.core.tissue import TISSUE_HU
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write import codes
from nullsplat.dicom.write.derived_series import SAMPLE, DerivedOptions, DerivedSeries, write_derived
from nullsplat.dicom.write.encoding import OutputSyntax
from nullsplat.dicom.write.key_image import write_key_image
from nullsplat.dicom.write.parametric_map import NULL_SPACE, write_map
from nullsplat.dicom.write.quality_content import RESEARCH_USE
from nullsplat.dicom.write.quality_report import QualityReport, write_quality_report

SMALL = Spec(shape=(4, 6, 8))
FIGURES = {
    "lr_consistency_rmse_hu": 3.25,
    "lr_consistency_max_hu": 14.0625,
    "noise_hu": 15.1,
    "null_space_rms_hu": 11.7,
    "null_space_rms_hu_by_tissue": {"lung": 9.5, "soft tissue": 4.25, "bone": 40.0},
    "deviation_rms_hu_by_tissue": {"lung": 6.5},
    "high_frequency_gain": 2.625,
    "stages": {"stage1": {"seconds": 62.5}, "stage2": {"seconds": 31.0}, "consistency": {"seconds": 4.5}},
}


@pytest.fixture
def source() -> SourceSeries:
    return read_datasets(make_series(SMALL))


def write(
    source: SourceSeries, folder: Path, figures: dict[str, object] | None = None, **changes: object
) -> tuple[DerivedSeries, QualityReport]:
    provenance = make_provenance(source, **changes)
    derived = write_derived(source, make_result(source), provenance, folder)
    figures = FIGURES if figures is None else figures
    return derived, write_quality_report(source, derived, figures, provenance, folder)


def read(report: QualityReport) -> EnhancedSR:
    return srread(report.path)


def measured(document: EnhancedSR) -> dict[tuple[str, str, str], tuple[float, str]]:
    """Value and unit of every measurement by concept, derivation and finding site."""
    (group,) = document.content.get_image_measurement_groups()
    found = {}
    for one in group.get_measurements():
        derivation = one.derivation.meaning if one.derivation else ""
        sites = [
            item.value.meaning
            for item in one[0].get("ContentSequence", ())
            if item.name.meaning == "Finding Site"
        ]
        found[one.name.value, derivation, "".join(sites)] = (one.value, one.unit.value)
    return found


def texts(document: EnhancedSR, name: str) -> list[str]:
    items = find_content_items(document, recursive=True)
    return [str(item.TextValue) for item in items if item.name.meaning == name]


def test_every_figure_is_a_measurement(tmp_path: Path, source: SourceSeries) -> None:
    hu, rms = "[hnsf'U]", "Root Mean Square"
    assert measured(read(write(source, tmp_path)[1])) == {
        ("LRCONSISTENCY", rms, ""): (3.25, hu),
        ("LRCONSISTENCY", "Maximum", ""): (14.0625, hu),
        ("SOURCENOISE", "Standard Deviation", ""): (15.1, hu),
        ("NULLSPACE", rms, ""): (11.7, hu),
        ("NULLSPACE", rms, "Lung"): (9.5, hu),
        ("NULLSPACE", rms, "Soft tissue"): (4.25, hu),
        ("NULLSPACE", rms, "Bone"): (40.0, hu),
        ("SAMPLEDEVIATION", rms, "Lung"): (6.5, hu),
        ("HFGAIN", "", ""): (2.625, "1"),
        ("STAGE1TIME", "", ""): (62.5, "s"),
        ("STAGE2TIME", "", ""): (31.0, "s"),
        ("CONSISTENCYTIME", "", ""): (4.5, "s"),
    }


def test_what_a_run_does_not_tell_is_left_out(tmp_path: Path, source: SourceSeries) -> None:
    figures = {"lr_consistency_rmse_hu": 3.25, "stages": {"stage1": {"seconds": 2.0}}}
    found = measured(read(write(source, tmp_path, figures)[1]))
    assert [key[0] for key in found] == ["LRCONSISTENCY", "STAGE1TIME"]


def test_method_and_purpose_are_on_record(tmp_path: Path, source: SourceSeries) -> None:
    document = read(write(source, tmp_path)[1])
    assert texts(document, "Comment") == [RESEARCH_USE]
    assert texts(document, "Algorithm Version") == ["0.1.0"]
    assert set(texts(document, "Algorithm Parameters")) == {
        f"Weights SHA-256: {'a1' * 32}", f"Configuration SHA-256: {'b2' * 32}", "Preset: preview",
        "Scale (z, y, x): 4, 1, 1", "Seed: 7", "Samples: 1", "Steps: 8", "Attempt: 1",
        "Slice profile: bell, FWHM 4 mm (Acquisition Type SPIRAL)",
    }  # fmt: skip
    assert texts(document, "Device Observer Name") == ["NullSplat"]


def test_a_source_unlike_the_training_data_is_a_comment_before_all_others(
    tmp_path: Path, source: SourceSeries
) -> None:
    figures = {"outside_training": "the noise is 90 HU; the sharpness is 80 %"}
    warning, purpose = texts(read(write(source, tmp_path, figures)[1]), "Comment")
    assert warning.startswith("Warning: the source lies outside what the model was trained on: the noise is")
    assert "the sharpness is 80 %. How far such a result can be wrong is not known" in warning
    assert purpose == RESEARCH_USE


def test_how_much_of_the_truth_intervals_held_is_a_sentence(tmp_path: Path, source: SourceSeries) -> None:
    figures = {"interval_coverage": "calibrated on 3 CT(s) to hold 90 % of the truth"}
    coverage, purpose = texts(read(write(source, tmp_path, figures)[1]), "Comment")
    assert coverage.startswith(
        "Intervals were calibrated on 3 CT(s) to hold 90 % of the truth. They say nothing"
    )
    assert purpose == RESEARCH_USE


def test_source_and_result_are_referenced_as_what_they_are(tmp_path: Path, source: SourceSeries) -> None:
    derived, report = write(source, tmp_path)
    document = read(report)
    groups = [
        item
        for item in find_content_items(document, recursive=True)
        if item.name.meaning == "Image Library Group"
    ]
    expected = [
        ("121323", str(source.headers[0].SeriesInstanceUID), [str(h.SOPInstanceUID) for h in source.headers]),
        ("DERIVEDSERIES", derived.series_instance_uid, list(derived.sop_instance_uids)),
    ]
    found = []
    for group in groups:
        by_name = {item.name.meaning: item for item in group.ContentSequence}
        images = [
            item.referenced_sop_instance_uid for item in group.ContentSequence if item.ValueType == "IMAGE"
        ]
        found.append(
            (by_name["Role of the series"].value.value, by_name["Series Instance UID"].value, images)
        )
    assert found == expected
    evidence = {str(instance) for _, _, instance, _ in document.get_evidence(current_procedure_only=True)}
    assert evidence == {uid for _, _, uids in expected for uid in uids}


def test_maps_and_pictures_of_the_result_are_referenced(tmp_path: Path, source: SourceSeries) -> None:
    provenance, result = make_provenance(source), make_result(source)
    shown = (
        write_map(NULL_SPACE, source, result, provenance, tmp_path),
        write_key_image(source, result, None, provenance, tmp_path),
    )
    derived = replace(write_derived(source, result, provenance, tmp_path), further=shown)
    document = read(write_quality_report(source, derived, FIGURES, provenance, tmp_path))
    evidence = {
        (series, uid, kind)
        for _, series, uid, kind in document.get_evidence(current_procedure_only=True)
        if kind not in (CTImageStorage, EnhancedSRStorage)
    }
    assert evidence == {(one.series_instance_uid, one.sop_instance_uid, one.sop_class_uid) for one in shown}
    images = {
        item.referenced_sop_instance_uid: item.name.value
        for item in find_content_items(document, recursive=True)
        if item.ValueType == "IMAGE"
    }
    assert [images[one.sop_instance_uid] for one in shown] == ["NULLSPACE", "121180"]


def test_a_sample_of_the_prior_is_referenced_as_what_it_is(tmp_path: Path, source: SourceSeries) -> None:
    provenance, result = make_provenance(source), make_result(source)
    drawn = write_derived(source, result, provenance, tmp_path, kind=SAMPLE)
    derived = replace(write_derived(source, result, provenance, tmp_path), sample=drawn)
    document = read(write_quality_report(source, derived, FIGURES, provenance, tmp_path))
    images = {
        item.referenced_sop_instance_uid: item.name.value
        for item in find_content_items(document, recursive=True)
        if item.ValueType == "IMAGE"
    }
    assert {images[uid] for uid in drawn.sop_instance_uids} == {"SAMPLESERIES"}
    assert {images[uid] for uid in derived.sop_instance_uids} == {"DERIVEDSERIES"}


def test_it_is_an_enhanced_report_of_template_1500_beside_the_images(
    tmp_path: Path, source: SourceSeries
) -> None:
    derived, report = write(source, tmp_path)
    dataset, original = dcmread(report.path), make_series(SMALL)[0]
    assert dataset.SOPClassUID == EnhancedSRStorage
    assert dataset.Modality == "SR"
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDescription", "AccessionNumber"):
        assert dataset[keyword].value == original[keyword].value
    assert dataset.SeriesDescription == "[SuperRes 4x QA RESEARCH] Lunge 2,5 mm"
    assert dataset.SeriesNumber == 4004
    assert dataset.SeriesInstanceUID not in (original.SeriesInstanceUID, derived.series_instance_uid)
    assert [item.Manufacturer for item in dataset.ContributingEquipmentSequence] == ["ACME", "NullSplat"]
    assert (dataset.CompletionFlag, dataset.VerificationFlag) == ("COMPLETE", "UNVERIFIED")


def test_the_private_scheme_says_whose_it_is(tmp_path: Path, source: SourceSeries) -> None:
    (item,) = dcmread(write(source, tmp_path)[1].path).CodingSchemeIdentificationSequence
    assert (item.CodingSchemeDesignator, item.CodingSchemeName) == (
        codes.SCHEME,
        "NullSplat private codes",
    )


def test_every_code_fits_and_is_used_once() -> None:
    assert len({code.value for code in codes.PRIVATE}) == len(codes.PRIVATE)
    for code in codes.PRIVATE:
        assert code.scheme_designator == codes.SCHEME
        assert len(code.value) <= 16
        assert len(code.meaning) <= 64
    assert set(codes.TISSUES) == set(TISSUE_HU)


@needs_validator
def test_the_validator_finds_nothing(tmp_path: Path, source: SourceSeries) -> None:
    path = write(source, tmp_path)[1].path
    assert errors_of(path) == []
    assert warnings_of(path) == []


@needs_validator
def test_a_bare_source_is_enough(tmp_path: Path) -> None:
    def strip(dataset: Dataset) -> None:
        for keyword in (
            "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
            "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "ManufacturerModelName", "SeriesNumber",
            "SpecificCharacterSet",
        ):  # fmt: skip
            delattr(dataset, keyword)
        dataset.StudyDescription = "Chest"

    assert errors_of(write(read_datasets(edited(strip, spec=SMALL)), tmp_path)[1].path) == []


def test_the_same_run_gives_the_same_bytes_and_another_attempt_other_identifiers(
    tmp_path: Path, source: SourceSeries
) -> None:
    once, again, later = (
        write(source, tmp_path / name, attempt=attempt)[1]
        for name, attempt in (("once", 1), ("again", 1), ("later", 2))
    )
    assert hashlib.sha256(once.path.read_bytes()).digest() == hashlib.sha256(again.path.read_bytes()).digest()
    assert once.series_instance_uid == derive_uid(make_provenance(source), "quality report series")
    ours, theirs = dcmread(once.path), dcmread(later.path)
    assert ours.SOPInstanceUID != theirs.SOPInstanceUID
    assert ours.SeriesInstanceUID != theirs.SeriesInstanceUID


def test_a_report_is_never_compressed(tmp_path: Path, source: SourceSeries) -> None:
    provenance = make_provenance(source)
    options = DerivedOptions(series_number_offset=500, syntax=OutputSyntax.JPEG_LS)
    derived = write_derived(source, make_result(source), provenance, tmp_path, options)
    report = write_quality_report(source, derived, FIGURES, provenance, tmp_path, options)
    dataset = dcmread(report.path)
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert dataset.SeriesNumber == 2004
