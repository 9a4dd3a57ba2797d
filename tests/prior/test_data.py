"""Reading what the prior learns from, and refusing what cannot be read."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from nullsplat.core.errors import UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.prior.xray.data import patient_of, project, read_radiographs
from nullsplat.prior.xray.radiograph_files import read_dataset, reduced

RAMP = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)


def png(image: np.ndarray = RAMP) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def radiograph(photometric: str = "MONOCHROME2", modality: str = "DX", patient: str = "P7") -> bytes:
    """A 12-bit DICOM radiograph whose stored values rise from 0 to 3824."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid()
    dataset.Modality, dataset.PatientID, dataset.PhotometricInterpretation = modality, patient, photometric
    dataset.Rows, dataset.Columns = RAMP.shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = (RAMP.astype(np.uint16) * 16).tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("images/00000061_012.jpg", "00000061"),
        ("person1003_virus_1685.jpeg", "person1003"),
        ("IM-0117-0001.png", "IM-0117-0001"),
        ("1234_5.png", "1234_5"),
    ],
)
def test_a_name_tells_the_patient_as_its_source_writes_it(name: str, patient: str) -> None:
    assert patient_of(name) == patient


@pytest.mark.parametrize("make", [make_folder, make_zip])
def test_images_come_in_the_order_of_their_names_from_a_folder_and_a_zip(
    make: object, tmp_path: Path
) -> None:
    files = {
        "b/00000002_000.PNG": png(RAMP + 1),
        "a/00000001_000.png": png(),
        "a/._00000001_000.png": b"what macOS leaves",
        "readme.txt": b"no image",
    }
    found = list(read_radiographs(make(tmp_path / "source", files)))
    assert [image.patient for image in found] == ["00000001", "00000002"]
    np.testing.assert_array_equal(found[0].image, RAMP)
    np.testing.assert_array_equal(found[1].image, RAMP + 1)


def test_sixteen_bit_images_keep_their_contrast(tmp_path: Path) -> None:
    make_folder(tmp_path, {"x.png": png(RAMP.astype(np.uint16) * 16)})
    (found,) = read_radiographs(tmp_path)
    np.testing.assert_allclose(found.image, RAMP * (255 / 239), atol=0.51)


def test_dense_is_white_in_dicom_of_either_polarity(tmp_path: Path) -> None:
    files = {"one.dcm": radiograph("MONOCHROME1"), "two.dcm": radiograph("MONOCHROME2")}
    inverted, straight = read_radiographs(make_zip(tmp_path / "x.zip", files))
    np.testing.assert_allclose(straight.image, RAMP * (255 / 239), atol=0.51)
    np.testing.assert_allclose(inverted.image, 255 - RAMP * (255 / 239), atol=0.51)
    assert straight.patient == "P7"


def test_dicom_of_another_modality_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path, {"slice.dcm": radiograph(modality="CT")})
    with pytest.raises(UnreadableFile, match=r"slice\.dcm .* CR, DX or RG, this one has CT"):
        list(read_radiographs(tmp_path))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.png", b"this is no image"),
        ("cut.png", png()[:50]),
        ("cut.jpg", b"\xff\xd8\xff\xe0"),
        ("text.dcm", b"this is no DICOM"),
        ("cut.dcm", radiograph()[:-100]),
        ("empty.png", b""),
    ],
    ids=["text.png", "cut.png", "cut.jpg", "text.dcm", "cut.dcm", "empty.png"],
)
@pytest.mark.parametrize("make", [make_folder, make_zip])
def test_an_image_that_cannot_be_decoded_is_named(
    name: str, content: bytes, make: object, tmp_path: Path
) -> None:
    source = make(tmp_path / "source", {"a.png": png(), name: content})
    with pytest.raises(UnreadableFile, match=f"{name} in .*source"):
        list(read_radiographs(source))


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a.png": png()})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UnreadableFile, match=r"x\.zip is neither"):
        list(read_radiographs(path))


def test_a_zip_with_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "x.zip", {"a.png": png()})
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF  # inside the stored image: its CRC no longer fits
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"x\.zip is damaged"):
        list(read_radiographs(path))


@pytest.mark.parametrize("make", [make_folder, make_zip])
def test_a_source_without_images_is_refused(make: object, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"source must hold .* none was found"):
        list(read_radiographs(make(tmp_path / "source", {"readme.txt": b"nothing here"})))


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nowhere is neither"):
        list(read_radiographs(tmp_path / "nowhere"))


def cylinder(hu: float = 0.0) -> Volume:
    """A cylinder of 20 mm diameter in the middle of 64 mm of air."""
    y, x = np.mgrid[:64, :64] - 31.5
    inside = np.broadcast_to(x**2 + y**2 <= 100, (3, 64, 64))
    return Volume(np.where(inside, hu, -1000).astype(np.float32), Geometry((3, 64, 64), (2.0, 1.0, 1.0)))


def test_a_volume_is_cropped_to_the_columns_that_see_it() -> None:
    projected = project(cylinder(), "a", views=4)
    views, rows, columns = projected.views.shape
    assert (views, rows) == (4, 3)
    assert 20 <= columns <= 23  # 20 mm at 1 mm, and the partial pixels at the rim


def test_views_are_line_integrals_in_units_of_a_high_quantile() -> None:
    projected = project(cylinder(), "a", views=4)
    assert float(projected.views.max()) == pytest.approx(1, abs=0.02)
    assert float(projected.views.min()) >= 0
    denser = project(cylinder(500.0), "b", views=4)
    torch.testing.assert_close(denser.views, projected.views)  # the scale takes the density out


def test_values_below_air_do_not_become_negative_integrals() -> None:
    volume = cylinder()
    padded = np.where(volume.hu == -1000, -1024, volume.hu).astype(np.float32)
    projected = project(Volume(padded, volume.geometry), "a", views=4)
    torch.testing.assert_close(projected.views, project(volume, "a", views=4).views)


def test_a_name_stands_for_a_patient_of_its_own() -> None:
    assert project(cylinder(), "ct.nii.gz", views=2).patient == "ct.nii.gz"
    assert project(cylinder(), "ct.nii.gz", views=2, patient="p").patient == "p"


def test_a_volume_of_air_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"empty\.nii is air"):
        project(cylinder(-1000.0), "empty.nii", views=2)


def test_large_radiographs_are_reduced_by_area_averaging(tmp_path: Path) -> None:
    # each 3 x 3 block holds 0..8 around its own mean, 4 more than its corner
    corner = np.arange(1024 * 2, dtype=np.uint32).reshape(1024, 2) % 200
    fine = np.kron(corner, np.ones((3, 3), np.uint8)) + np.tile(np.arange(9).reshape(3, 3), (1024, 2))
    make_folder(tmp_path, {"x.png": png(fine.astype(np.uint8))})
    (found,) = read_radiographs(tmp_path)
    np.testing.assert_array_equal(found.image, corner + 4)


def test_the_mean_survives_a_reduction_by_a_broken_factor() -> None:
    image = np.random.default_rng(0).uniform(0, 4095, (1500, 1400))
    small = reduced(image)
    assert small.shape == (1024, 956)  # 1400 * 1024 / 1500 = 955.7
    assert float(small.mean()) == pytest.approx(image.mean(), rel=1e-5)  # float32 sums of a million values


def test_images_that_are_small_enough_are_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 4096, (1024, 3)).astype(np.uint16)
    np.testing.assert_array_equal(reduced(image), image)


def test_large_dicom_keeps_its_polarity_when_it_is_reduced() -> None:
    dataset = pydicom.dcmread(io.BytesIO(radiograph("MONOCHROME1")))
    tall = np.repeat(np.arange(2048, dtype=np.uint16)[:, None], 4, axis=1)
    dataset.Rows, dataset.Columns = tall.shape
    dataset.PixelData = tall.tobytes()
    image = read_dataset(dataset)
    assert image.shape == (1024, 2)
    assert (int(image[0, 0]), int(image[-1, 0])) == (255, 0)
