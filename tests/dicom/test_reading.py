import contextlib
import math
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from tests.support.dicom.jpeg_lossless import encapsulated_jpeg_lossless
from tests.support.dicom.series import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    PRONE,
    SAGITTAL,
    SECRETS,
    Spec,
    edited,
    make_series,
    save,
)

from nullsplat.core.errors import IneligibleSeries
from nullsplat.core.units import HIGHEST_HU
from nullsplat.dicom.read.describing import describe
from nullsplat.dicom.read.series import fingerprint, read_datasets, read_folder

ORIENTATIONS = {"axial": AXIAL, "coronal": CORONAL, "sagittal": SAGITTAL, "oblique": OBLIQUE, "prone": PRONE}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_voxel_lands_where_the_standard_puts_it(
    tmp_path: Path, orientation: tuple[float, ...], descending: bool
) -> None:
    spec = Spec(orientation=orientation, descending=descending)
    source = read_folder(save(make_series(spec), tmp_path))
    np.testing.assert_array_equal(source.volume.hu, spec.hu)
    geometry = source.volume.geometry
    assert geometry.spacing == pytest.approx(spec.spacing)
    # PS3.3 Equation C.7.6.2.1-1: position + column spacing * column index * row direction + ...
    expected = (
        np.array(spec.origin)
        + 3 * spec.spacing[0] * spec.normal
        + 5 * spec.spacing[1] * np.array(orientation[3:])
        + 7 * spec.spacing[2] * np.array(orientation[:3])
    )
    assert geometry.position((3, 5, 7)) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_highdicom_builds_the_same_volume(orientation: tuple[float, ...]) -> None:
    datasets = make_series(Spec(orientation=orientation, descending=True))
    ours = read_datasets(datasets).volume
    theirs = hd.get_volume_from_series(datasets)
    indices = theirs.map_reference_to_indices(
        np.array([ours.geometry.position((2, 3, 4))]), round_output=True
    )
    assert theirs.array[tuple(indices[0])] == ours.hu[2, 3, 4]
    assert sorted(theirs.spacing) == pytest.approx(sorted(ours.geometry.spacing))


@pytest.mark.parametrize(
    "spec",
    [
        Spec(signed=True, bits_stored=16, intercept=0.0),
        Spec(signed=True, bits_stored=12, intercept=0.0),
        Spec(bits_stored=16, intercept=-1000.0),
        Spec(slope=0.5, intercept=-1024.0),
    ],
    ids=["signed 16 bit", "signed 12 bit", "unsigned 16 bit", "half slope"],
)
def test_stored_values_become_hounsfield_units(spec: Spec) -> None:
    np.testing.assert_array_equal(read_datasets(make_series(spec)).volume.hu, np.maximum(spec.hu, -1024))


def test_each_slice_has_its_own_rescale() -> None:
    datasets = make_series()
    for index, dataset in enumerate(datasets):
        dataset.RescaleIntercept = -1000 + index
    expected = Spec().stored + np.arange(-1000, -988)[:, None, None]
    np.testing.assert_array_equal(read_datasets(datasets).volume.hu, expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_native_transfer_syntaxes_read_alike(tmp_path: Path, syntax: UID) -> None:
    source = read_folder(save(make_series(), tmp_path, syntax))
    np.testing.assert_array_equal(source.volume.hu, Spec().hu)


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    datasets = make_series()
    for dataset in datasets:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    source = read_folder(save(datasets, tmp_path, ExplicitVRBigEndian))
    np.testing.assert_array_equal(source.volume.hu, Spec().hu)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_compression_gives_the_same_voxels(tmp_path: Path, syntax: UID, signed: bool) -> None:
    spec = Spec(signed=signed, bits_stored=16 if signed else 12)
    datasets = edited(lambda dataset: dataset.compress(syntax, generate_instance_uid=False), spec=spec)
    np.testing.assert_array_equal(read_folder(save(datasets, tmp_path)).volume.hu, np.maximum(spec.hu, -1024))


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_jpeg_lossless_gives_the_same_voxels(tmp_path: Path, syntax: UID) -> None:
    datasets = make_series()
    for dataset, stored in zip(datasets, Spec().stored, strict=True):
        dataset.PixelData = encapsulated_jpeg_lossless(stored)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read_folder(save(datasets, tmp_path)).volume.hu, Spec().hu)


def test_near_lossless_compression_stays_near() -> None:
    datasets = edited(
        lambda dataset: dataset.compress(JPEGLSNearLossless, jls_error=2, generate_instance_uid=False)
    )
    assert np.abs(read_datasets(datasets).volume.hu - Spec().hu).max() <= 2


@pytest.mark.parametrize("signed", [False, True])
def test_bits_of_an_overlay_are_no_part_of_the_value(signed: bool) -> None:
    spec = Spec(signed=signed, intercept=0.0 if signed else -1024.0)
    datasets = make_series(spec)
    for dataset, stored in zip(datasets, spec.stored, strict=True):
        dataset.PixelData = (stored.view("<u2") & 0x0FFF | 0x5000).tobytes()  # an overlay in bits 12 and 14
        dataset.add_new(0x60000100, "US", 16)
        dataset.add_new(0x60000102, "US", 12)
    np.testing.assert_array_equal(read_datasets(datasets).volume.hu, np.maximum(spec.hu, -1024))


def test_the_stack_sets_cosines_of_two_digits_right() -> None:
    """Taken as they are they would lean by half a millimetre over this stack, which is a tilt of the gantry."""
    cosine, sine = math.cos(math.radians(12)), math.sin(math.radians(12))
    spec = Spec(shape=(60, 8, 8), spacing=(5.0, 0.7, 0.7), orientation=(1.0, 0.0, 0.0, 0.0, cosine, sine))
    geometry = read_datasets(edited(coarse, spec=spec)).volume.geometry
    top = np.array(spec.origin) + 59 * 5.0 * spec.normal
    assert geometry.position((59, 0, 0)) == pytest.approx(tuple(top), abs=1e-6)
    assert np.array(geometry.axes) @ np.array(geometry.axes).T == pytest.approx(np.eye(3), abs=1e-9)


def coarse(dataset: Dataset) -> None:
    dataset.ImageOrientationPatient = [round(float(value), 2) for value in dataset.ImageOrientationPatient]


@pytest.mark.parametrize(("repeats", "taken"), [(2, True), (3, False)])
def test_a_few_slices_of_another_acquisition_number_are_no_second_pass(repeats: int, taken: bool) -> None:
    datasets = make_series(Spec(shape=(24, 8, 8)))
    for index in range(repeats):
        datasets[2 + 5 * index].AcquisitionNumber = 2
    outcome = (
        contextlib.nullcontext() if taken else pytest.raises(IneligibleSeries, match="from instance 3 on")
    )
    with outcome:
        read_datasets(datasets)


def test_a_thickness_that_was_assumed_is_said_to_be() -> None:
    assert read_datasets(make_series()).remarks == ()
    (remark,) = read_datasets(edited(lambda dataset: delattr(dataset, "SliceThickness"))).remarks
    assert "taken for the distance, 2.5 mm" in remark


def test_negative_values_whose_sign_is_not_extended_are_read() -> None:
    spec = Spec(signed=True, intercept=0.0)
    datasets = make_series(spec)
    for dataset, stored in zip(datasets, spec.stored, strict=True):
        dataset.PixelData = (stored.view("<u2") & 0x0FFF).tobytes()
    np.testing.assert_array_equal(read_datasets(datasets).volume.hu, np.maximum(spec.hu, -1024))


@pytest.mark.parametrize(("signed", "value"), [(False, 6024), (True, 5000), (True, 2500), (True, -3024)])
def test_values_beyond_bits_stored_do_not_wrap_around(signed: bool, value: int) -> None:
    datasets = with_corner(value, Spec(signed=signed, intercept=0.0 if signed else -1024.0))
    with pytest.raises(IneligibleSeries, match=r"12 bits.*1 of instance 1 do") as refusal:
        read_datasets(datasets)
    assert refusal.value.code == "values-beyond-bits-stored"


def test_run_lengths_hold_all_bits_as_plain_pixels_do() -> None:
    datasets = make_series()
    for dataset in datasets:
        dataset.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(read_datasets(datasets).volume.hu, np.maximum(Spec().hu, -1024))
    for dataset in datasets:
        dataset.BitsStored, dataset.HighBit = 10, 9
    with pytest.raises(IneligibleSeries, match="10 bits") as refusal:
        read_datasets(datasets)
    assert refusal.value.code == "values-beyond-bits-stored"


@pytest.mark.parametrize(("signed", "value"), [(False, 63536), (True, -3024)])
def test_padding_that_does_not_fit_in_bits_stored_becomes_air(signed: bool, value: int) -> None:
    spec = Spec(signed=signed, intercept=0.0 if signed else -1024.0)
    hu = read_datasets(with_corner(value, spec, PixelPaddingValue=value)).volume.hu
    assert (hu[:, 0, 0] == -1024).all()
    assert hu[0, 1, 1] == max(spec.hu[0, 1, 1], -1024)


def test_padding_above_bone_becomes_air() -> None:
    spec = Spec(bits_stored=16)
    hu = read_datasets(
        with_corner(63000, spec, PixelPaddingValue=63536, PixelPaddingRangeLimit=62000)
    ).volume.hu
    assert (hu[:, 0, 0] == -1024).all()


def test_values_that_could_not_be_written_are_refused() -> None:
    spec = Spec(bits_stored=16)
    assert read_datasets(with_corner(HIGHEST_HU + 1024, spec)).volume.hu.max() == HIGHEST_HU
    with pytest.raises(IneligibleSeries, match="up to 31743 are needed, instance 1 holds 31744"):
        read_datasets(with_corner(HIGHEST_HU + 1025, spec))


def with_corner(value: float, spec: Spec, **attributes: object) -> list[Dataset]:
    """A series in which the first pixel of each slice holds `value`."""
    datasets = make_series(spec)
    for dataset, stored in zip(datasets, spec.stored, strict=True):
        pixels = stored.copy()
        pixels[0, 0] = value
        dataset.PixelData = pixels.tobytes()
        for keyword, attribute in attributes.items():
            dataset.add_new(keyword, "SS" if spec.signed else "US", attribute)
    return datasets


def test_padding_becomes_air() -> None:
    spec = Spec(signed=True, bits_stored=16, intercept=0.0)
    hu = read_datasets(with_corner(-1000, spec, PixelPaddingValue=-1000)).volume.hu
    assert (hu[:, 0, 0] == -1024).all()
    assert hu[0, 1, 1] == spec.hu[0, 1, 1]


def test_a_padding_range_becomes_air() -> None:
    spec = Spec(signed=True, bits_stored=16, intercept=0.0)
    hu = read_datasets(
        with_corner(-1010, spec, PixelPaddingValue=-1020, PixelPaddingRangeLimit=-1005)
    ).volume.hu
    assert (hu[:, 0, 0] == -1024).all()


def test_a_padding_value_in_the_range_of_tissue_is_left_alone() -> None:
    spec = Spec(signed=True, bits_stored=16, intercept=0.0)
    assert (read_datasets(with_corner(40, spec, PixelPaddingValue=40)).volume.hu[:, 0, 0] == 40).all()


def test_a_padding_value_with_the_wrong_sign_is_understood() -> None:
    spec = Spec(signed=True, bits_stored=16, intercept=1000.0)
    datasets = with_corner(-2000, spec)
    for dataset in datasets:
        dataset.add_new("PixelPaddingValue", "US", 63536)  # -2000 in two's complement
    assert (read_datasets(datasets).volume.hu[:, 0, 0] == -1024).all()


def test_values_below_air_are_raised_to_it() -> None:
    spec = Spec(signed=True, bits_stored=16, intercept=-1024.0)
    assert (read_datasets(with_corner(-2000, spec)).volume.hu[:, 0, 0] == -1024).all()


def test_headers_follow_the_slices_and_hold_neither_pixels_nor_private_attributes(tmp_path: Path) -> None:
    def add_private(dataset: Dataset) -> None:
        dataset.private_block(0x0029, "ACME", create=True).add_new(1, "LO", "secret")
        dataset.add_new(0x60003000, "OW", b"\0" * 160)

    source = read_folder(save(edited(add_private, spec=Spec(descending=True)), tmp_path))
    heights = [float(header.ImagePositionPatient[2]) for header in source.headers]
    assert heights == sorted(heights)
    for header in source.headers:
        assert "PixelData" not in header
        assert not any(element.tag.is_private or element.tag.group == 0x6000 for element in header)


def test_the_fingerprint_is_that_of_the_set_of_instances() -> None:
    datasets = make_series()
    expected = fingerprint(datasets[0].SeriesInstanceUID, [dataset.SOPInstanceUID for dataset in datasets])
    assert read_datasets(datasets).fingerprint == expected
    assert read_datasets(datasets[::-1]).fingerprint == expected
    assert fingerprint("1.2", ["3", "1"]) == fingerprint("1.2", ["1", "3"])
    # `printf '1.2\n1\n3' | sha256sum`
    assert (
        fingerprint("1.2", ["3", "1"]) == "6e6f3f5db439af9abb95205f58eeca4f31e37a3a6ea7973de32a16171f6b4ac1"
    )


def test_reading_leaves_datasets_as_they_are() -> None:
    datasets = make_series()
    before = [dataset.to_json() for dataset in datasets]
    read_datasets(datasets)
    assert [dataset.to_json() for dataset in datasets] == before


def test_files_and_datasets_read_alike(tmp_path: Path) -> None:
    datasets = make_series()
    from_memory, from_disk = read_datasets(datasets), read_folder(save(datasets, tmp_path))
    np.testing.assert_array_equal(from_memory.volume.hu, from_disk.volume.hu)
    assert from_memory.volume.geometry == from_disk.volume.geometry
    assert from_memory.fingerprint == from_disk.fingerprint


def test_the_spacing_stands_in_for_a_missing_thickness() -> None:
    def empty(dataset: Dataset) -> None:
        dataset.SliceThickness = None

    assert read_datasets(make_series(Spec(extra={"SliceThickness": 5.0}))).slice_thickness == 5.0
    assert read_datasets(edited(empty)).slice_thickness == pytest.approx(2.5)


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_regular() -> None:
    datasets = make_series(Spec(spacing=(1.25, 0.7, 0.7)))
    for dataset in datasets:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(float(z), 1)]
    assert read_datasets(datasets).volume.geometry.spacing[0] == pytest.approx(1.25, rel=0.01)


def test_what_is_beside_the_slices_by_custom_is_ignored(tmp_path: Path) -> None:
    save(make_series(), tmp_path)
    for name in (".DS_Store", "DICOMDIR"):
        (tmp_path / name).write_bytes(b"whatever")
    (tmp_path / "subfolder").mkdir()
    assert read_folder(tmp_path).volume.hu.shape == (12, 32, 40)


def test_the_description_has_the_figures_and_no_patient() -> None:
    line = describe(read_datasets(make_series()))
    assert line == (
        "CT, 12 slices of 32x40, 2.5 x 0.7 x 0.6 mm (z, y, x), slice thickness 2.5 mm, 100 kV, 15 mAs, CTDIvol 0.9 mGy"
    )
    assert not any(secret in line for secret in SECRETS)
