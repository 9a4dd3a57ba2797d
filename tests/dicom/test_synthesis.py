import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from tests.support.dicom.validation import errors_of, needs_validator

from nullsplat.core.errors import StorageError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series

DESCRIPTION = SeriesDescription()


def make_volume() -> Volume:
    values = np.random.default_rng(5).normal(-300, 500, (5, 16, 20)).clip(-1024, 3071)
    return Volume(
        np.rint(values).astype(np.float32), Geometry((5, 16, 20), (5.0, 0.7, 0.6), (-10.5, -20.25, 300.0))
    )


def test_a_made_up_series_reads_back_as_its_volume(tmp_path: Path) -> None:
    volume = make_volume()
    paths = write_ct_series(volume, tmp_path / "series", DESCRIPTION)
    source = read_folder(tmp_path / "series")
    assert len(paths) == 5
    np.testing.assert_array_equal(source.volume.hu, volume.hu)
    np.testing.assert_allclose(source.volume.geometry.affine, volume.geometry.affine, atol=1e-9)
    assert source.slice_thickness == source.volume.geometry.spacing[0]


@needs_validator
def test_the_validator_finds_no_errors(tmp_path: Path) -> None:
    paths = write_ct_series(make_volume(), tmp_path, DESCRIPTION)
    assert [errors_of(path) for path in paths] == [[]] * 5


def test_the_dose_attributes_say_low_dose(tmp_path: Path) -> None:
    dataset = dcmread(
        write_ct_series(make_volume(), tmp_path, replace(DESCRIPTION, ctdi_vol_mgy=1.5, exposure_mas=24))[0]
    )
    assert dataset.CTDIvol == 1.5
    assert dataset.CTDIPhantomTypeCodeSequence[0].CodeValue == "113691"
    assert dataset.Exposure == pytest.approx(dataset.XRayTubeCurrent * dataset.ExposureTime / 1000)
    assert (dataset.Exposure, dataset.KVP) == (24, 120)
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]


def test_the_description_decides_what_the_headers_say(tmp_path: Path) -> None:
    description = replace(
        DESCRIPTION, patient_name="Nobody^Real", patient_id="X1", series_description="LDCT", body_part="LUNG"
    )
    dataset = dcmread(write_ct_series(make_volume(), tmp_path, description)[2])
    assert (dataset.PatientName, dataset.PatientID) == ("Nobody^Real", "X1")
    assert (dataset.SeriesDescription, dataset.BodyPartExamined) == ("LDCT", "LUNG")


def test_the_seed_decides_the_identifiers(tmp_path: Path) -> None:
    uids = []
    for seed in (0, 1):
        for path in write_ct_series(make_volume(), tmp_path / str(seed), replace(DESCRIPTION, seed=seed)):
            dataset = dcmread(path)
            uids.append((dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID))
    assert len({study for study, _, _ in uids}) == len({series for _, series, _ in uids}) == 2
    assert len({sop for _, _, sop in uids}) == 10


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    digests = [
        [
            hashlib.sha256(path.read_bytes()).digest()
            for path in write_ct_series(make_volume(), tmp_path / name, DESCRIPTION)
        ]
        for name in ("once", "again")
    ]
    assert digests[0] == digests[1]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_ct_series(make_volume(), tmp_path / "file" / "series", DESCRIPTION)
