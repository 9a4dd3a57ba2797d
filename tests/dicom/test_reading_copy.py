from pathlib import Path

import numpy as np
import pytest
from tests.support.dicom.validation import errors_of, needs_validator

from nullsplat.core.errors import IneligibleSeries, StorageError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.read.series import read_folder
from nullsplat.dicom.write.blinded_copy import ReadingCopy, write_reading_copy

COPY = ReadingCopy("study", 3, "B")


def make_volume() -> Volume:
    values = np.random.default_rng(5).normal(-300, 500, (4, 16, 20)).astype(np.float32)
    return Volume(values, Geometry((4, 16, 20), (1.25, 0.7, 0.6)))


@needs_validator
def test_the_validator_finds_no_errors(tmp_path: Path) -> None:
    paths = write_reading_copy(make_volume(), tmp_path, COPY)
    assert [errors_of(path) for path in paths] == [[]] * 4


def test_a_node_does_not_super_resolve_a_copy(tmp_path: Path) -> None:
    write_reading_copy(make_volume(), tmp_path, COPY)
    with pytest.raises(IneligibleSeries):
        read_folder(tmp_path)


def test_the_description_is_neutral() -> None:
    assert COPY.description == "Case 03, reading B"


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        write_reading_copy(make_volume(), tmp_path / "file" / "copy", COPY)
