"""Whatever is wrong with a file, what comes out is a volume or an error that NullSplat means."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import SECRETS, Spec, make_series, save

from nullsplat.core.errors import NullSplatError
from nullsplat.dicom.read.describing import describe
from nullsplat.dicom.read.series import read_datasets, read_folder
from nullsplat.dicom.write.copied_attributes import IMAGE_LEVEL, SERIES_LEVEL
from nullsplat.dicom.write.derived_series import write_derived

TINY = Spec(shape=(4, 4, 5))
SAME = (1.0, 1.0, 1.0)
PRESENT = sorted(element.keyword for element in make_series(TINY)[0])
KEYWORDS = sorted(
    {element.keyword for element in make_series(TINY)[0]}
    | {
        *SERIES_LEVEL,
        *IMAGE_LEVEL,
        "GantryDetectorTilt",
        "NumberOfFrames",
        "PixelPaddingValue",
        "RescaleType",
    }
)
GARBAGE = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"",
            b"\\",
            b"1\\2",
            b"nan",
            b"-inf",
            b"1e400",
            b"abc",
            b"-1",
            b"0",
            b"99999999999999999",
            b"\xff\xfe",
        ]
    ),
    st.text(max_size=12).map(str.encode),
)
WITH_TEXT = ("UN", "LO", "DS", "IS", "UI", "CS", "SQ", "US", "FD")


def survive(work: Callable[[], object]) -> object | None:
    """The outcome, None after an error on purpose; any other error fails the test."""
    try:
        return work()
    except NullSplatError as error:
        message = str(error)
    assert not any(secret in message for secret in SECRETS)
    return None


def garble(dataset: Dataset, keyword: str, value: bytes, representation: str | None) -> None:
    """Put bytes where a value belongs, as a damaged file would; without bytes to put, take the value away."""
    tag = Tag(tag_for_keyword(keyword))
    vr = representation or dictionary_VR(tag).split(" or ")[0]
    dataset.pop(tag, None)
    dataset._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYWORDS),
            GARBAGE,
            st.one_of(st.none(), st.sampled_from(WITH_TEXT)),
            st.sampled_from([0, 2, None]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_garbage_in_a_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[str, bytes, str | None, int | None]]
) -> None:
    datasets = make_series(TINY)
    for keyword, value, representation, which in damage:
        for dataset in datasets if which is None else [datasets[which]]:
            garble(dataset, keyword, value, representation)
    source = survive(lambda: read_datasets(datasets))
    if source is not None:
        describe(source)
        folder = tmp_path_factory.mktemp("derived")
        derived = write_derived(source, make_result(source, SAME), make_provenance(source), folder)
        assert len(derived.paths) == len(source.headers)
        assert dcmread(derived.paths[0]).SeriesDescription.startswith("[SuperRes 4x RESEARCH]")


@pytest.mark.parametrize("keyword", PRESENT)
def test_a_missing_attribute_is_missed_or_done_without(tmp_path: Path, keyword: str) -> None:
    datasets = make_series(TINY)
    for dataset in datasets:
        dataset.pop(tag_for_keyword(keyword), None)
    source = survive(lambda: read_datasets(datasets))
    if source is not None:
        write_derived(source, make_result(source, SAME), make_provenance(source), tmp_path)


def file_bytes() -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, make_series(TINY)[1], enforce_file_format=True)
    return buffer.getvalue()


SOUND = file_bytes()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(128, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_flipped_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(SOUND)
    for place, value in flips:
        content[place] = value
    damaged(tmp_path_factory, bytes(content))


@settings(max_examples=30)
@given(st.integers(0, len(SOUND) - 1))
def test_truncated_files_are_refused(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    assert damaged(tmp_path_factory, SOUND[:kept]) is None


@settings(max_examples=30)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_preamble_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    assert damaged(tmp_path_factory, bytes(128) + b"DICM" + content) is None


def damaged(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> object | None:
    """What reading a folder gives in which one file of four has this content."""
    folder = save(make_series(TINY), tmp_path_factory.mktemp("damaged") / "series")
    sorted(folder.iterdir())[1].write_bytes(content)
    return survive(lambda: read_folder(folder))


def test_an_unreadable_value_that_nobody_needs_does_no_harm() -> None:
    datasets = make_series(TINY)
    garble(datasets[2], "PatientWeight", b"heavy", None)
    source = read_datasets(datasets)
    np.testing.assert_array_equal(source.volume.hu, TINY.hu)
    assert ["PatientWeight" in header for header in source.headers] == [False] * 4
