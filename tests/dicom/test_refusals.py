from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.decoders import RLELosslessDecoder
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    MPEG2MPML,
    EnhancedCTImageStorage,
    JPEG2000Lossless,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from tests.support.dicom.enhanced import make_enhanced
from tests.support.dicom.series import SECRETS, Spec, edited, make_series, save, write

from nullsplat.core.errors import IneligibleSeries, UnreadableFile
from nullsplat.dicom.read.series import read_datasets, read_folder
from nullsplat.dicom.refusals import Refusal


def put(**attributes: object) -> Callable[[Dataset], None]:
    """An edit that sets attributes."""

    def edit(dataset: Dataset) -> None:
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)

    return edit


def shifted(x: float = 0, y: float = 0, z: float = 0) -> Callable[[Dataset], None]:
    """An edit that moves slices."""

    def edit(dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [
            float(old) + by for old, by in zip(dataset.ImagePositionPatient, (x, y, z), strict=True)
        ]

    return edit


def without(keyword: str) -> list[Dataset]:
    return edited(lambda dataset: delattr(dataset, keyword))


def leaning(millimetres: float) -> list[Dataset]:
    """Slices of which each lies a little more to the back than the one below, as under a tilted gantry."""
    datasets = make_series()
    for index, dataset in enumerate(datasets):
        shifted(y=index * millimetres)(dataset)
    return datasets


def made_by(maker: str) -> Dataset:
    item = Dataset()
    item.Manufacturer = maker
    return item


def accelerating() -> list[Dataset]:
    datasets = make_series()
    for index, dataset in enumerate(datasets):
        shifted(z=0.03 * index**2)(dataset)
    return datasets


def two_series() -> list[Dataset]:
    other = edited(put(SeriesNumber=9), spec=Spec(uid="other", shape=(5, 32, 40)))
    return [*make_series(), *other]


def two_stacks() -> list[Dataset]:
    dataset = make_enhanced()
    dataset.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0].StackID = "2"
    return [dataset]


FIRST, ONE = slice(0, 1), slice(4, 5)

REFUSED: dict[str, tuple[Refusal, Callable[[], list[Dataset]]]] = {
    "mr": (Refusal.NOT_CT, lambda: edited(put(Modality="MR", SOPClassUID=MRImageStorage))),
    "pet in the modality of a ct": (
        Refusal.NOT_CT,
        lambda: edited(put(SOPClassUID=PositronEmissionTomographyImageStorage)),
    ),
    "screen shot": (Refusal.NOT_CT, lambda: edited(put(SOPClassUID=SecondaryCaptureImageStorage))),
    "no storage class": (Refusal.NOT_CT, lambda: without("SOPClassUID")),
    "localizer": (Refusal.LOCALIZER, lambda: edited(put(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))),
    "a scout that says it is axial": (
        Refusal.MIXED_ORIENTATION,
        lambda: edited(put(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), FIRST),
    ),
    "projections": (Refusal.DERIVED, lambda: edited(put(ImageType=["DERIVED", "SECONDARY", "OTHER", "CSA MIP THICK"]))),
    "perfusion": (Refusal.DERIVED, lambda: edited(put(ImageType=["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]))),
    "subtraction": (Refusal.DERIVED, lambda: edited(put(ImageType=["DERIVED", "PRIMARY", "AXIAL", "SUBTRACTION"]))),
    "synthetic": (Refusal.DERIVED, lambda: edited(put(ImageType=["DERIVED", "PRIMARY", "AXIAL"], SyntheticData="YES"))),
    "our own, sent on by another": (
        Refusal.OURS,
        lambda: edited(put(ContributingEquipmentSequence=Items([made_by("Archive"), made_by("NullSplat")]))),
    ),
    "our own": (Refusal.OURS, lambda: edited(put(Manufacturer="NullSplat"))),
    "enhanced": (Refusal.ENHANCED, lambda: edited(put(SOPClassUID=EnhancedCTImageStorage))),
    "several stacks": (Refusal.MULTI_STACK, two_stacks),
    "several frames": (Refusal.ENHANCED, lambda: edited(put(NumberOfFrames=2))),
    "multi-energy": (Refusal.MULTI_ENERGY, lambda: edited(put(MultienergyCTAcquisition="YES"))),
    "multi-energy sequence": (Refusal.MULTI_ENERGY, lambda: edited(put(MultienergyCTAcquisitionSequence=[Dataset()]))),
    "for processing": (Refusal.FOR_PROCESSING, lambda: edited(put(PresentationIntentType="FOR PROCESSING"))),
    "effective z": (Refusal.NOT_HOUNSFIELD, lambda: edited(put(RescaleType="Z_EFF"))),
    "colour": (Refusal.NOT_HOUNSFIELD, lambda: edited(put(SamplesPerPixel=3))),
    "negative slope": (Refusal.NOT_HOUNSFIELD, lambda: edited(put(RescaleSlope=-1))),
    "huge slope": (Refusal.NOT_HOUNSFIELD, lambda: edited(put(RescaleSlope="1e30"), ONE)),
    "two series": (Refusal.MIXED_SERIES, two_series),
    "two frames of reference": (
        Refusal.MIXED_FRAME_OF_REFERENCE,
        lambda: edited(put(FrameOfReferenceUID="1.2.3"), slice(6, None)),
    ),
    "one turned slice": (Refusal.MIXED_ORIENTATION, lambda: edited(put(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), ONE)),
    "one mirrored slice": (
        Refusal.MIXED_ORIENTATION,
        lambda: edited(put(ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]), ONE),
    ),
    "another pixel spacing": (Refusal.INCONSISTENT_SIZE, lambda: edited(put(PixelSpacing=[0.5, 0.5]), ONE)),
    "another number of rows": (Refusal.INCONSISTENT_SIZE, lambda: edited(put(Rows=16), ONE)),
    "more tilt than a gantry has": (Refusal.GANTRY_TILT, lambda: leaning(2.5)),
    "one slice aside": (Refusal.IRREGULAR_SPACING, lambda: edited(shifted(y=1.0), ONE)),
    "one frame of reference of many missing": (
        Refusal.INCOMPLETE_HEADER,
        lambda: edited(put(FrameOfReferenceUID=""), ONE),
    ),
    "one slice": (Refusal.TOO_FEW_SLICES, lambda: make_series()[:1]),
    "two slices": (Refusal.TOO_FEW_SLICES, lambda: make_series()[:2]),
    "same slice twice": (Refusal.DUPLICATE_INSTANCES, lambda: [*make_series(), make_series()[3]]),
    "two patients": (Refusal.MIXED_PATIENT, lambda: edited(put(PatientID="PID-1"), slice(6, None))),
    "two studies": (Refusal.MIXED_STUDY, lambda: edited(put(StudyInstanceUID="1.2.3"), slice(6, None))),
    "two energies": (Refusal.MIXED_ACQUISITION, lambda: edited(put(KVP=140), slice(None, None, 2))),
    "thin slices far apart": (Refusal.SLICE_GAPS, lambda: edited(put(SliceThickness=1))),
    "micrometres": (Refusal.IMPLAUSIBLE_THICKNESS, lambda: edited(put(SliceThickness=2500))),
    "metal in too few bits": (Refusal.BEYOND_BITS_STORED, lambda: edited(put(BitsStored=10, HighBit=9))),
    "two phases": (Refusal.DUPLICATE_SLICES, lambda: [*make_series(), *make_series(Spec(seed=1))]),
    "one missing": (Refusal.MISSING_SLICE, lambda: [d for i, d in enumerate(make_series()) if i != 5]),
    "three missing": (Refusal.MISSING_SLICE, lambda: [d for i, d in enumerate(make_series()) if i not in (3, 7, 8)]),
    "one slice off its place": (Refusal.IRREGULAR_SPACING, lambda: edited(shifted(z=0.4), ONE)),
    "growing distances": (Refusal.IRREGULAR_SPACING, accelerating),
    "no transfer syntax": (
        Refusal.UNSUPPORTED_TRANSFER_SYNTAX,
        lambda: edited(lambda dataset: delattr(dataset.file_meta, "TransferSyntaxUID")),
    ),
    "a video": (
        Refusal.UNSUPPORTED_TRANSFER_SYNTAX,
        lambda: edited(lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", MPEG2MPML)),
    ),
    "rescale to infinity": (Refusal.NOT_FINITE, lambda: edited(put(RescaleSlope="1e38"), ONE)),
    "infinite intercept": (Refusal.NOT_FINITE, lambda: edited(put(RescaleIntercept=float("inf")), ONE)),
    "nan slope": (Refusal.NOT_FINITE, lambda: edited(put(RescaleSlope=float("nan")), ONE)),
    "nan position": (Refusal.INCOMPLETE_HEADER, lambda: edited(put(ImagePositionPatient=[float("nan"), 0, 0]), ONE)),
    "no spacing": (Refusal.INCOMPLETE_HEADER, lambda: edited(put(PixelSpacing=[0, 0]))),
    "pixels in the upper bits": (Refusal.INCOMPLETE_HEADER, lambda: edited(put(HighBit=15))),
    "skewed axes": (Refusal.INCOMPLETE_HEADER, lambda: edited(put(ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0]))),
    "malformed identifier": (Refusal.INCOMPLETE_HEADER, lambda: edited(put(SOPInstanceUID="Doe^Jane"))),
} | {
    f"no {keyword}": (Refusal.INCOMPLETE_HEADER, lambda keyword=keyword: without(keyword))
    for keyword in (
        "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "ImagePositionPatient",
        "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "RescaleSlope", "RescaleIntercept",
    )
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # of what the test itself writes into the headers
@pytest.mark.parametrize(("reason", "make"), REFUSED.values(), ids=REFUSED)
def test_a_series_is_refused_with_its_reason(reason: Refusal, make: Callable[[], list[Dataset]]) -> None:
    with pytest.raises(IneligibleSeries) as refusal:
        read_datasets(make())
    assert refusal.value.code == reason.value
    assert not any(secret in str(refusal.value) for secret in SECRETS)


def test_every_reason_is_tested() -> None:
    assert {reason for reason, _ in REFUSED.values()} == set(Refusal)


def test_a_mixture_of_series_is_told_apart() -> None:
    with pytest.raises(
        IneligibleSeries, match=r"number 4 with 12 image.*number 9 with 5 image.*folder of its own"
    ):
        read_datasets(two_series())


def test_a_gap_is_located() -> None:
    with pytest.raises(
        IneligibleSeries,
        match=r"1 slice.* between instance 5 and instance 7 \(5.00 mm where 2.50 mm is usual\)",
    ):
        read_datasets([dataset for index, dataset in enumerate(make_series()) if index != 5])


def test_a_missing_decoder_is_named_with_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RLELosslessDecoder, "_available", {})
    monkeypatch.setattr(RLELosslessDecoder, "_unavailable", {"pylibjpeg": ("pylibjpeg-rle>=2.0",)})
    datasets = edited(lambda dataset: dataset.compress(RLELossless, generate_instance_uid=False))
    with pytest.raises(IneligibleSeries, match=r"RLE Lossless.*install.*pylibjpeg-rle") as refusal:
        read_datasets(datasets)
    assert refusal.value.code == Refusal.UNSUPPORTED_TRANSFER_SYNTAX.value


def test_a_small_lean_is_no_tilt() -> None:
    leaning_by_a_quarter_pixel_in_all = leaning(0.15 / 12)
    assert read_datasets(leaning_by_a_quarter_pixel_in_all).volume.hu.shape == (12, 32, 40)


@pytest.mark.parametrize("kept", [0, 100, 132, 200, 500, 1500, -1])
def test_a_truncated_file_is_named(tmp_path: Path, kept: int) -> None:
    save(make_series(), tmp_path)
    victim = sorted(tmp_path.iterdir())[4]
    victim.write_bytes(victim.read_bytes()[:kept])
    with pytest.raises((UnreadableFile, IneligibleSeries)) as error:
        read_folder(tmp_path)
    if isinstance(error.value, UnreadableFile):
        assert victim.name in str(error.value)
    else:  # cut between two attributes the file is sound, but lacks what came after
        assert error.value.code in (Refusal.INCOMPLETE_HEADER.value, Refusal.NOT_CT.value)
    assert not any(secret in str(error.value) for secret in SECRETS)


def test_truncated_compressed_pixels_are_named(tmp_path: Path) -> None:
    datasets = edited(lambda dataset: dataset.compress(JPEG2000Lossless, generate_instance_uid=False))
    save(datasets, tmp_path)
    victim = sorted(tmp_path.iterdir())[4]
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) - 900])
    with pytest.raises(UnreadableFile, match=victim.name):
        read_folder(tmp_path)


def test_a_text_file_among_the_slices_is_named(tmp_path: Path) -> None:
    save(make_series(), tmp_path)
    (tmp_path / "README.txt").write_text("These are the images of Doe^Jane.")
    with pytest.raises(UnreadableFile, match=r"README\.txt is not a DICOM file") as error:
        read_folder(tmp_path)
    assert "Jane" not in str(error.value)


def test_slices_without_pixels_are_unreadable() -> None:
    with pytest.raises(UnreadableFile, match="missing, truncated or damaged"):
        read_datasets(without("PixelData"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="it is empty"):
        read_folder(tmp_path)


def test_a_directory_under_another_name_is_no_slice(tmp_path: Path) -> None:
    directory = make_series()[0]
    directory.SOPClassUID = MediaStorageDirectoryStorage
    write(directory, save(make_series(), tmp_path) / "INDEX")
    assert read_folder(tmp_path).volume.hu.shape == (12, 32, 40)


def test_a_folder_with_a_directory_alone_is_refused(tmp_path: Path) -> None:
    directory = make_series()[0]
    directory.SOPClassUID = MediaStorageDirectoryStorage
    write(directory, tmp_path / "INDEX")
    with pytest.raises(UnreadableFile, match="no image"):
        read_folder(tmp_path)


def test_a_folder_of_folders_is_explained(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    with pytest.raises(UnreadableFile, match="1 subfolder"):
        read_folder(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nothing of that name"):
        read_folder(tmp_path / "nowhere")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write(make_series()[0], tmp_path / "one.dcm")
    with pytest.raises(UnreadableFile, match="got a file"):
        read_folder(tmp_path / "one.dcm")


def test_no_datasets_are_refused() -> None:
    with pytest.raises(UnreadableFile, match="got none"):
        read_datasets([])


def test_pixels_of_another_size_than_promised_are_refused() -> None:
    def halve(dataset: Dataset) -> None:
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]

    with pytest.raises(UnreadableFile):
        read_datasets(edited(halve, ONE))


def test_refusal_comes_before_the_first_pixel_is_decoded() -> None:
    def spoil(dataset: Dataset) -> None:
        dataset.PixelData = b"\0\0"
        dataset.RescaleType = "Z_EFF"

    with pytest.raises(IneligibleSeries, match="Hounsfield"):
        read_datasets(edited(spoil))


def test_sizes_that_the_pixels_do_not_have_ask_for_no_memory() -> None:
    with pytest.raises(UnreadableFile):
        read_datasets(edited(put(Rows=65535, Columns=65535)))


def test_a_slice_that_is_a_link_to_nothing_is_not_left_out(tmp_path: Path) -> None:
    folder = save(make_series(), tmp_path / "series")
    last = max(folder.iterdir())
    last.unlink()
    last.symlink_to(tmp_path / "away" / last.name)
    with pytest.raises(UnreadableFile, match=f"{last.name} is a link to a file that is not there"):
        read_folder(folder)
