"""What lies beside the slices, and files that lack their beginning, hide no scan."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)
from tests.support.dicom.results import derive
from tests.support.dicom.series import Spec, edited, make_series, save

from nullsplat.core.errors import ConfigurationError, IneligibleSeries, UnreadableFile
from nullsplat.dicom.read.series import fingerprint, read_datasets, read_folder
from nullsplat.dicom.refusals import Refusal

SPEC = Spec(shape=(6, 8, 10))
THICK = Spec(shape=(4, 8, 10), uid="thick")


def beside(kind: str, **attributes: object) -> Dataset:
    """One image of the study that is no slice."""
    [image] = make_series(Spec(shape=(1, 12, 9), uid=kind))
    image.SOPInstanceUID, image.SeriesNumber, image.SeriesDescription = (
        generate_uid(entropy_srcs=[kind]),
        1,
        kind,
    )
    for keyword in ("ImagePositionPatient", "FrameOfReferenceUID"):
        delattr(image, keyword)
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    return image


COMPANIONS = {
    "scout": {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]},
    "dose page": {"SOPClassUID": SecondaryCaptureImageStorage, "ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    "dose report": {"SOPClassUID": XRayRadiationDoseSRStorage, "Modality": "SR"},
}  # fmt: skip


@pytest.mark.parametrize("kind", COMPANIONS)
def test_what_a_series_comes_with_is_left_out_and_named(kind: str) -> None:
    slices = make_series(SPEC)
    companion = beside(kind, SeriesInstanceUID=slices[0].SeriesInstanceUID, **COMPANIONS[kind])
    series = read_datasets([companion, *slices])
    np.testing.assert_array_equal(series.volume.hu, SPEC.hu)
    assert series.remarks == ("1 image(s) of the series are no slices and were left out",)
    uids = [str(one.SOPInstanceUID) for one in (companion, *slices)]
    assert series.fingerprint == fingerprint(str(slices[0].SeriesInstanceUID), uids)  # as the archive has it


def test_what_lies_beside_the_series_is_left_out_and_named(tmp_path: Path) -> None:
    others = [beside(kind, **attributes) for kind, attributes in COMPANIONS.items()]
    series = read_folder(save([*others, *make_series(SPEC)], tmp_path))
    np.testing.assert_array_equal(series.volume.hu, SPEC.hu)
    [remark] = series.remarks
    assert all(f"number 1, {kind}, 1 image(s), UID 2.25" in remark or kind in remark for kind in COMPANIONS)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with two scans of the same study."""
    thick = edited(lambda one: setattr(one, "SeriesNumber", 9), spec=THICK)
    for one in thick:
        one.SeriesDescription = "Thick"
    return save([*make_series(SPEC), *thick], tmp_path / "two")


def test_several_scans_are_listed(two: Path) -> None:
    with pytest.raises(IneligibleSeries) as refusal:
        read_folder(two)
    assert refusal.value.code == Refusal.MIXED_SERIES.value
    for told in ("--series", "number 4, Lunge 2,5 mm, 6 image(s), UID ", "number 9, Thick, 4 image(s), UID "):
        assert told in str(refusal.value)


@pytest.mark.parametrize("wanted", ["9", str(make_series(THICK)[0].SeriesInstanceUID)])
def test_one_of_several_is_read_by_number_or_uid(two: Path, wanted: str) -> None:
    series = read_folder(two, wanted)
    np.testing.assert_array_equal(series.volume.hu, THICK.hu)
    assert "number 4" in series.remarks[0]


@pytest.mark.parametrize("wanted", ["5", "1.2.3"])
def test_a_series_that_is_not_there_is_refused_with_the_list(two: Path, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=r"0 fit .*number 4.*number 9"):
        read_folder(two, wanted)


def test_a_missing_frame_of_reference_is_made_from_the_series(tmp_path: Path) -> None:
    def strip(dataset: Dataset) -> None:
        del dataset.FrameOfReferenceUID

    source = read_datasets(edited(strip, spec=SPEC))
    again = read_datasets(edited(lambda one: setattr(one, "FrameOfReferenceUID", ""), spec=SPEC))
    other = read_datasets(edited(strip, spec=THICK))
    made, same, another = (str(one.headers[0].FrameOfReferenceUID) for one in (source, again, other))
    assert made == same != another
    assert "no Frame of Reference UID" in source.remarks[0]
    derived = derive(source, tmp_path, remarks=source.remarks)
    assert {str(one.FrameOfReferenceUID) for one in derived} == {made}
    assert "no Frame of Reference UID" in derived[0].DerivationDescription


@pytest.mark.parametrize(
    "image_type",
    [
        ["DERIVED", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        ["DERIVED", "SECONDARY", "OTHER", "CSA MPR THICK", "", "AXIAL", "CT_SOM5 SPI"],
        ["DERIVED", "PRIMARY", "MPR"],
        ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"],
    ],
    ids="+".join,
)
def test_reformats_of_slices_are_read_and_said_to_be_derived(image_type: list[str]) -> None:
    source = read_datasets(edited(lambda one: setattr(one, "ImageType", image_type), spec=SPEC))
    np.testing.assert_array_equal(source.volume.hu, SPEC.hu)
    assert source.remarks == ("the source is itself derived from other images",)


@pytest.mark.parametrize("first", ["ORIGINAL", "DERIVED"])
def test_a_copy_compressed_with_loss_is_called_that(first: str) -> None:
    def compress(dataset: Dataset) -> None:
        dataset.ImageType = [first, "PRIMARY", "AXIAL"]
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", 8

    assert "the source was compressed with loss, 8 to 1" in read_datasets(edited(compress, spec=SPEC)).remarks


def beheaded(path: Path, *, meta: bool) -> None:
    """Cut the preamble off a file, and the file meta information."""
    content = path.read_bytes()
    length = 0 if meta else 12 + dcmread(path).file_meta.FileMetaInformationGroupLength
    path.write_bytes(content[132 + length :])


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda one: one.name
)
def test_a_file_without_its_beginning_is_read(tmp_path: Path, syntax: str, meta: bool) -> None:
    slices = make_series(SPEC)
    for one in slices if syntax == ExplicitVRBigEndian else ():
        one.PixelData = np.frombuffer(one.PixelData, "<u2").astype(">u2").tobytes()
    folder = save(slices, tmp_path / "headless", syntax)
    for path in folder.iterdir():
        beheaded(path, meta=meta)
    np.testing.assert_array_equal(read_folder(folder).volume.hu, SPEC.hu)


def test_compressed_pixels_need_a_transfer_syntax(tmp_path: Path) -> None:
    folder = save(
        edited(lambda one: one.compress(JPEG2000Lossless, generate_instance_uid=False)), tmp_path / "j2k"
    )
    for path in folder.iterdir():
        beheaded(path, meta=False)
    with pytest.raises(IneligibleSeries, match="IM000_0 names none") as refusal:
        read_folder(folder)
    assert refusal.value.code == Refusal.UNSUPPORTED_TRANSFER_SYNTAX.value


@pytest.mark.parametrize(
    "content", [b"x" * 300, b"1", b"\x08\x00\x05\x00\x04\x00\x00\x00ABCD" * 9, b"\xff" * 500]
)
def test_what_is_no_dicom_is_called_that(tmp_path: Path, content: bytes) -> None:
    (save(make_series(SPEC), tmp_path) / "Thumbs.db").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"Thumbs\.db"):
        read_folder(tmp_path)
