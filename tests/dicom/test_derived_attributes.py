import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLSNearLossless
from tests.support.dicom.results import CREATED, derive, make_provenance, make_result
from tests.support.dicom.series import Spec, code, edited, make_series

from nullsplat.dicom.provenance import METHODS, profile_in_words
from nullsplat.dicom.read.series import SourceSeries, read_datasets
from nullsplat.dicom.write.derived_series import DerivedOptions, write_derived
from nullsplat.physics.profile import Profile

SMALL = Spec(shape=(6, 16, 20))


@pytest.fixture
def source() -> SourceSeries:
    return read_datasets(make_series(SMALL))


def test_the_object_says_what_it_is(tmp_path: Path, source: SourceSeries) -> None:
    dataset = derive(source, tmp_path)[5]
    assert dataset.SOPClassUID == CTImageStorage
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert dataset.ContentQualification == "RESEARCH"
    assert dataset.SyntheticData == "YES"
    assert dataset.DerivationCodeSequence[0].CodeValue == "113085"
    assert dataset.Manufacturer == "NullSplat"
    assert dataset.SeriesNumber == 1004
    assert dataset.SeriesDescription == "[SuperRes 4x RESEARCH] Lunge 2,5 mm"
    for fact in ("4 x 1 x 1", "preview", "8 step", "seed 7", "a1" * 32, "b2" * 32, "3.25 HU"):
        assert fact in dataset.DerivationDescription
    assert len(dataset.DerivationDescription) <= 1024


def test_patient_study_and_frame_of_reference_stay(tmp_path: Path, source: SourceSeries) -> None:
    original, dataset = make_series(SMALL)[0], derive(source, tmp_path)[0]
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
        "StudyID", "StudyDescription", "AccessionNumber", "ReferringPhysicianName", "FrameOfReferenceUID",
        "PositionReferenceIndicator", "PatientPosition", "BodyPartExamined", "SpecificCharacterSet",
        "InstitutionName",
    ):  # fmt: skip
        assert dataset[keyword].value == original[keyword].value, keyword
    assert dataset.SeriesInstanceUID != original.SeriesInstanceUID


def test_acquisition_stays_with_its_slice(tmp_path: Path, source: SourceSeries) -> None:
    datasets = derive(source, tmp_path)
    assert [dataset.XRayTubeCurrent for dataset in datasets] == [30 + index // 4 for index in range(24)]
    for dataset in datasets:
        assert (dataset.KVP, dataset.ExposureTime, dataset.Exposure, dataset.ConvolutionKernel) == (
            100,
            500,
            15,
            "B60f",
        )
        assert (dataset.WindowCenter, dataset.WindowWidth) == (-600, 1600)
        assert dataset.CTDIvol == 0.9
        assert dataset.CTDIPhantomTypeCodeSequence[0].CodeValue == "113691"


def test_the_dose_index_is_dropped_without_its_phantom(tmp_path: Path) -> None:
    source = read_datasets(
        edited(lambda dataset: delattr(dataset, "CTDIPhantomTypeCodeSequence"), spec=SMALL)
    )
    assert "CTDIvol" not in derive(source, tmp_path)[0]


def test_each_slice_names_the_source_slices_beside_it(tmp_path: Path, source: SourceSeries) -> None:
    originals = [str(header.SOPInstanceUID) for header in source.headers]
    references = [
        [item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence]
        for dataset in derive(source, tmp_path)
    ]
    assert references[0] == originals[:1]
    assert references[1] == originals[:1]
    assert references[2] == originals[:2]
    assert references[5] == originals[:2]
    assert references[6] == originals[1:3]
    assert references[-1] == originals[-1:]
    assert set(itertools.chain(*references)) == set(originals)


def test_a_slice_at_the_place_of_a_source_slice_names_that_one(tmp_path: Path) -> None:
    source = read_datasets(make_series(SMALL))
    derived = write_derived(source, make_result(source, (1.0, 2.0, 2.0)), make_provenance(source), tmp_path)
    for path, header in zip(derived.paths, source.headers, strict=True):
        (item,) = dcmread(path).SourceImageSequence
        assert item.ReferencedSOPInstanceUID == header.SOPInstanceUID
        assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


def test_scanner_and_software_are_both_named(tmp_path: Path, source: SourceSeries) -> None:
    scanner, software = derive(source, tmp_path)[0].ContributingEquipmentSequence
    assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert (scanner.Manufacturer, scanner.ManufacturerModelName, scanner.StationName) == (
        "ACME",
        "Scanner 3000",
        "CT1",
    )
    assert scanner.ContributionDateTime == "20240203101300"
    assert software.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    assert software.Manufacturer == "NullSplat"
    assert list(software.SoftwareVersions) == ["0.1.0", "weights a1a1a1a1a1a1"]
    assert software.ContributionDateTime == "20250304151617.180000+0100"


def test_earlier_equipment_is_kept(tmp_path: Path) -> None:
    item = Dataset()
    item.Manufacturer = "Anonymiser"
    item.PurposeOfReferenceCodeSequence = [code("109104", "DCM", "De-identifying Equipment")]
    source = read_datasets(make_series(replace(SMALL, extra={"ContributingEquipmentSequence": [item]})))
    equipment = derive(source, tmp_path)[0].ContributingEquipmentSequence
    assert [item.Manufacturer for item in equipment] == ["Anonymiser", "ACME", "NullSplat"]


def test_what_belongs_to_the_old_pixels_stays_behind(tmp_path: Path) -> None:
    def burden(dataset: Dataset) -> None:
        dataset.SmallestImagePixelValue, dataset.LargestImagePixelValue = 0, 4000
        dataset.PixelPaddingValue = 0
        dataset.add_new(0x60000010, "US", 32)
        dataset.add_new(0x60003000, "OW", b"\0" * 160)
        dataset.IconImageSequence = [Dataset()]
        dataset.DigitalSignaturesSequence = [Dataset()]
        dataset.ReferencedImageSequence = [Dataset()]
        dataset.PerformedProcedureStepID = "P1"
        dataset.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "private")
        dataset.add_new(0xFFFCFFFC, "OB", b"\0\0")

    dataset = derive(read_datasets(edited(burden, spec=SMALL)), tmp_path)[0]
    for keyword in (
        "SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", "IconImageSequence",
        "DigitalSignaturesSequence", "ReferencedImageSequence", "ImageComments", "PerformedProcedureStepID",
        "DataSetTrailingPadding", "DeviceSerialNumber", "StationName",
    ):  # fmt: skip
        assert keyword not in dataset, keyword
    assert not any(element.tag.is_private or element.tag.group == 0x6000 for element in dataset)


def test_old_times_do_not_pass_for_new_ones(tmp_path: Path, source: SourceSeries) -> None:
    dataset = derive(source, tmp_path)[3]
    for event in ("Content", "Series", "InstanceCreation"):
        assert dataset[f"{event}Date"].value == CREATED.strftime("%Y%m%d")
        assert dataset[f"{event}Time"].value == "151617.180000"
    assert (dataset.AcquisitionDate, dataset.StudyDate) == ("20240203", "20240203")


def test_lossy_compression_stays_on_record(tmp_path: Path) -> None:
    flags = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": 5.5,
        "LossyImageCompressionMethod": "ISO_10918_1",
    }
    dataset = derive(read_datasets(make_series(replace(SMALL, extra=flags))), tmp_path)[0]
    assert {keyword: dataset[keyword].value for keyword in flags} == flags


def test_a_lossy_transfer_syntax_is_put_on_record(tmp_path: Path) -> None:
    def compress(dataset: Dataset) -> None:
        dataset.compress(JPEGLSNearLossless, jls_error=2, generate_instance_uid=False)

    dataset = derive(read_datasets(edited(compress, spec=SMALL)), tmp_path)[0]
    assert dataset.LossyImageCompression == "01"


def test_numbers_run_as_in_the_source(tmp_path: Path) -> None:
    for descending in (False, True):
        datasets = derive(read_datasets(make_series(replace(SMALL, descending=descending))), tmp_path)
        numbers = [int(dataset.InstanceNumber) for dataset in datasets]
        assert numbers == sorted(numbers, reverse=descending)
        assert set(numbers) == set(range(1, 25))


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ("", "[SuperRes 4x RESEARCH]"),
        ("x" * 64, "[SuperRes 4x RESEARCH] " + "x" * 41),
        ("  spaces \\ around ", "[SuperRes 4x RESEARCH] spaces around"),
    ],
)
def test_the_description_fits_into_64_characters(tmp_path: Path, original: str, expected: str) -> None:
    source = read_datasets(
        edited(lambda dataset: dataset.add_new("SeriesDescription", "ST", original), spec=SMALL)
    )
    assert derive(source, tmp_path)[0].SeriesDescription == expected
    assert len(expected) <= 64


@pytest.mark.parametrize(
    ("original", "offset", "expected"),
    [(None, 1000, 1000), (2**31 - 5, 1000, 1000), (0, 1000, 1000), (12, 500, 512)],
)
def test_the_series_number_stays_in_range(
    tmp_path: Path, original: int | None, offset: int, expected: int
) -> None:
    source = read_datasets(edited(lambda dataset: setattr(dataset, "SeriesNumber", original), spec=SMALL))
    options = DerivedOptions(series_number_offset=offset)
    derived = write_derived(source, make_result(source), make_provenance(source), tmp_path, options)
    assert dcmread(derived.paths[0]).SeriesNumber == expected


def test_a_site_may_leave_out_the_synthetic_mark(tmp_path: Path, source: SourceSeries) -> None:
    options = DerivedOptions(synthetic_data=False)
    derived = write_derived(source, make_result(source), make_provenance(source), tmp_path, options)
    dataset = dcmread(derived.paths[0])
    assert "SyntheticData" not in dataset
    assert dataset.ContentQualification == "RESEARCH"


def test_names_in_other_scripts_survive(tmp_path: Path) -> None:
    extra = {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎", "SeriesDescription": "胸部 CT"}
    dataset = derive(read_datasets(make_series(replace(SMALL, extra=extra))), tmp_path)[0]
    assert dataset.PatientName == "山田^太郎"
    assert dataset.SeriesDescription == "[SuperRes 4x RESEARCH] 胸部 CT"


@pytest.mark.parametrize(
    ("stage1", "words"),
    [
        ("slabs", "diffusion in thin slabs"),
        ("projections", "diffusion on projections"),
        ("none", "no learned prior"),
    ],
)
def test_the_derivation_says_what_was_done(
    tmp_path: Path, source: SourceSeries, stage1: str, words: str
) -> None:
    told = derive(source, tmp_path, stage1=stage1)[0].DerivationDescription
    assert words in told
    assert ("projections" in told) == (stage1 == "projections")


@pytest.mark.parametrize("stage1", METHODS)
def test_the_longest_curve_is_told_by_its_beginning_and_leaves_room_for_the_rest(
    tmp_path: Path, source: SourceSeries, stage1: str
) -> None:
    curve = str(Profile.parse("1234.123456789mm:" + ",".join(["1234.123456789"] * 101)))
    words = profile_in_words(
        {
            "profile": curve,
            "fwhm_mm": None,
            "why": "asked for by the job",
            "in_plane": curve,
            "check": {"verdict": "contradicted"},
        }
    )
    told = derive(source, tmp_path, slice_profile=words, stage1=stage1, seed=2**63, samples=64, steps=1000)[0]
    assert len(told.DerivationDescription) <= 1024
    assert "1234.123456789mm:1234.123456789," in told.DerivationDescription
    assert (
        "... 101 weights (asked for by the job), CONTRADICTED by the data; in plane 1234."
        in told.DerivationDescription
    )
    assert told.DerivationDescription.endswith("Research use only.")


def test_a_short_curve_is_told_whole() -> None:
    curve = "1mm:0.022,0.067,0.128,0.181,0.203,0.179,0.128,0.067,0.022"
    found = {"profile": curve, "fwhm_mm": None, "why": "asked for", "check": {"verdict": "supported"}}
    assert profile_in_words(found) == f"{curve} (asked for), supported by the data"


def test_what_a_pixel_was_taken_for_is_told_where_the_axial_plane_was_refined() -> None:
    found = {"profile": "bell", "fwhm_mm": 5.0, "why": "assumed", "check": {"verdict": "undecided"}}
    assert profile_in_words({**found, "in_plane": "gaussian*1.2"}) == (
        "bell, FWHM 5 mm (assumed); in plane gaussian*1.2"
    )
    assert profile_in_words({**found, "in_plane": None}) == "bell, FWHM 5 mm (assumed)"


def test_remarks_never_make_the_derivation_too_long(tmp_path: Path, source: SourceSeries) -> None:
    told = derive(source, tmp_path, remarks=("x" * 1000, "the first that fits"))[0].DerivationDescription
    assert told.endswith("The first that fits.")
    assert len(told) <= 1024


def test_that_a_source_is_unlike_the_training_data_always_finds_room(
    tmp_path: Path, source: SourceSeries
) -> None:
    reasons = "; ".join(["the noise is 90 HU", "x" * 1000, "the sharpness is 80 %"])
    told = derive(source, tmp_path, outside_training=reasons, remarks=("tilted",))[0].DerivationDescription
    warned = "The source lies OUTSIDE what the model was trained on."
    assert told.endswith(f"{warned} The noise is 90 HU. The sharpness is 80 %. Tilted.")
    assert len(told) <= 1024
