import csv
import itertools
import json
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from nullsplat.core.errors import ConfigurationError, GeometryError, UnreadableFile
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.read.pixels import stored_values
from nullsplat.evaluation.reader_study.key import draw_key, read_key
from nullsplat.evaluation.reader_study.study import Study, write_study

METHODS = ("cubic", "standard", "truth")
SHAPE = (4, 6, 8)
GRID = Geometry(SHAPE, (1.25, 0.7, 0.6), (-10.5, -20.25, 300.0))
CASES = 6
SOURCES = tuple(f"secret-{i}.nii.gz" for i in range(CASES))

OF_THE_PLANE = {"InstanceNumber", "ImagePositionPatient", "SliceLocation"}
OF_THE_READING = {"SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "PixelData"}


def volumes(case: int, methods: tuple[str, ...] = METHODS) -> dict[str, Volume]:
    """Each method of each case has values of its own, halves and values out of range among them."""
    found = {}
    for number, method in enumerate(methods):
        values = np.random.default_rng([case, number]).normal(-300, 700, SHAPE).astype(np.float32)
        values[0, 0, :3] = (-2000.0, 12.5, 99_999.0)
        found[method] = Volume(values, GRID)
    return found


def write(folder: Path, seed: int = 7, count: int = CASES) -> Study:
    return write_study(map(volumes, range(count)), SOURCES[:count], METHODS, folder, seed)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return write(tmp_path_factory.mktemp("reader") / "study")


def series(study: Study) -> Iterator[tuple[int, int, str, str, list[Path]]]:
    """(case number, source, letter, method, files) of each reading."""
    for case in study.key.cases:
        for letter, method in case.readings.items():
            folder = study.reading / f"case-{case.number:02d}" / letter
            yield case.number, case.source, letter, method, sorted(folder.iterdir())


def test_the_pixels_are_those_of_the_volume_rounded_to_hu(study: Study) -> None:
    for _, source, _, method, files in series(study):
        volume = volumes(source)[method]
        assert len(files) == SHAPE[0]
        for plane, path in zip(volume.hu, files, strict=True):
            dataset = dcmread(path)
            assert dataset.PixelData == stored_values(plane).tobytes()
            hu = dataset.pixel_array + float(dataset.RescaleIntercept)
            np.testing.assert_array_equal(hu, np.clip(np.rint(plane), -1024, 31743))


def test_the_geometry_is_that_of_the_volume(study: Study) -> None:
    for *_, files in series(study):
        for index, path in enumerate(files):
            dataset = dcmread(path)
            np.testing.assert_allclose(dataset.ImagePositionPatient, GRID.position((index, 0, 0)))
            assert list(dataset.PixelSpacing) == [0.7, 0.6]


def test_every_object_says_research_use(study: Study) -> None:
    for *_, files in series(study):
        for path in files:
            dataset = dcmread(path)
            assert dataset.ContentQualification == "RESEARCH"
            assert "RESEARCH" in dataset.SeriesDescription
            assert "RESEARCH" in dataset.StudyDescription
            for text in (dataset.DerivationDescription, dataset.ImageComments):
                assert "research use only" in text
                assert "synthesised" in text
            assert dataset.SyntheticData == "YES"
            assert dataset.ImageType[0] == "DERIVED"
    assert "research use only" in (study.reading / "HOW-TO-READ.txt").read_text()


def attributes(path: Path, without: set[str]) -> Dataset:
    dataset = dcmread(path)
    for keyword in without:
        del dataset[keyword]
    return dataset


def test_no_attribute_tells_the_readings_of_a_case_apart(study: Study) -> None:
    by_case: dict[int, list[list[Path]]] = {}
    for number, _, _, _, files in series(study):
        by_case.setdefault(number, []).append(files)
    for readings in by_case.values():
        for same_plane in zip(*readings, strict=True):
            headers = [attributes(path, OF_THE_READING) for path in same_plane]
            assert headers[0] == headers[1] == headers[2]


def test_what_differs_depends_on_the_letter_alone(study: Study) -> None:
    for number, _, letter, _, files in series(study):
        dataset = dcmread(files[0])
        assert dataset.SeriesDescription == f"Case {number:02d}, reading {letter} [RESEARCH]"
        assert dataset.SeriesNumber == "ABC".index(letter) + 1


def test_neither_method_nor_source_nor_seed_is_written_anywhere_for_the_readers(study: Study) -> None:
    words = [word.encode() for word in (*METHODS, "secret", "nii.gz")]
    for path in study.reading.rglob("*"):
        assert not any(word in str(path.relative_to(study.reading)).encode() for word in words)
        if path.is_file():
            assert not any(word in path.read_bytes() for word in words), path


def test_files_have_the_same_time(study: Study) -> None:
    found = [path.stat() for *_, files in series(study) for path in files]
    assert len({entry.st_mtime for entry in found}) == 1
    folders = {path.parent for *_, files in series(study) for path in files}
    assert len({folder.stat().st_mtime for folder in folders}) == 1


def test_uids_are_new_unique_and_shared_where_viewers_need_it(study: Study) -> None:
    sop, per_series, per_case = [], {}, {}
    for number, _, letter, _, files in series(study):
        for path in files:
            dataset = dcmread(path)
            sop.append(dataset.SOPInstanceUID)
            per_series.setdefault((number, letter), set()).add(dataset.SeriesInstanceUID)
            per_case.setdefault(number, set()).add((dataset.StudyInstanceUID, dataset.FrameOfReferenceUID))
    assert len(set(sop)) == CASES * len(METHODS) * SHAPE[0]
    assert all(len(found) == 1 for found in (*per_series.values(), *per_case.values()))
    assert len(set().union(*per_series.values())) == CASES * len(METHODS)
    assert len(set().union(*per_case.values())) == CASES


def test_the_order_of_uids_is_not_that_of_methods(tmp_path: Path) -> None:
    # Over several studies each method's series must come first about as often as the others.
    first: Counter[str] = Counter()
    for seed in range(20):
        study = write_study([volumes(seed)], ["x"], METHODS, tmp_path / str(seed), seed)
        uids = {
            dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID: method
            for *_, method, files in series(study)
        }
        first[uids[min(uids)]] += 1
        shutil.rmtree(tmp_path / str(seed))
    # For 20 fair draws of three: more than 15 of one has a chance of less than 1 in 5,000.
    assert set(first) == set(METHODS)
    assert max(first.values()) <= 15


def test_swapping_the_methods_pixels_changes_no_header_and_no_size(tmp_path: Path) -> None:
    """The strongest form: were another volume the result, the reader would see the same headers."""
    one = volumes(0)
    other = {"cubic": one["truth"], "standard": one["cubic"], "truth": one["standard"]}
    seen = []
    for name, case in (("one", one), ("other", other)):
        study = write_study([case], ["x"], METHODS, tmp_path / name, 3)
        files = [path for *_, files in series(study) for path in files]
        seen.append([(attributes(path, {"PixelData"}).to_json(), path.stat().st_size) for path in files])
    assert seen[0] == seen[1]


def test_every_order_of_methods_comes_equally_often() -> None:
    key = draw_key([str(i) for i in range(18)], METHODS, 5)
    orders = Counter(case.methods for case in key.cases)
    assert set(orders) == set(itertools.permutations(METHODS))
    assert set(orders.values()) == {3}


def test_cases_are_shuffled_too() -> None:
    key = draw_key([str(i) for i in range(40)], METHODS, 5)
    places = [case.source for case in key.cases]
    assert sorted(places) == list(range(40))
    assert abs(np.corrcoef(places, range(40))[0, 1]) < 0.5


def test_the_order_of_the_option_changes_nothing() -> None:
    sources = [str(i) for i in range(10)]
    assert draw_key(sources, METHODS, 5).cases == draw_key(sources, METHODS[::-1], 5).cases


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_files_and_another_one_another_order(
    study: Study, tmp_path: Path
) -> None:
    again, other = write(tmp_path / "again"), write(tmp_path / "other", seed=8)
    assert contents(again.reading.parent) == contents(study.reading.parent)
    assert other.key.cases != study.key.cases
    uids = [{dcmread(files[0]).SeriesInstanceUID for *_, files in series(found)} for found in (study, other)]
    assert not uids[0] & uids[1]


def test_other_volumes_never_get_the_same_uids(tmp_path: Path) -> None:
    uids = []
    for case in (0, 1):
        study = write_study([volumes(case)], ["x"], METHODS, tmp_path / str(case), 3)
        uids.append({dcmread(path).SOPInstanceUID for *_, files in series(study) for path in files})
    assert not uids[0] & uids[1]


def test_the_key_restores_which_reading_is_which(study: Study) -> None:
    key = read_key(study.key_files[0])
    assert key == study.key
    for number, source, letter, _, files in series(study):
        expected = volumes(source)[key.method(number, letter)]
        assert dcmread(files[1]).PixelData == stored_values(expected.hu[1]).tobytes()
    with study.key_files[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == CASES * len(METHODS)
    for row in rows:
        assert key.method(int(row["case"]), row["reading"]) == row["method"]
        assert row["source"] in SOURCES


def test_the_key_lies_outside_and_only_its_owner_may_read_it(study: Study) -> None:
    for path in study.key_files:
        assert study.reading not in path.parents
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_sheet_has_one_empty_row_for_each_reading(study: Study) -> None:
    with (study.reading / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row.pop("case")), row.pop("reading")) for row in rows] == [
        (case, letter) for case in range(1, CASES + 1) for letter in "ABC"
    ]
    assert all(not any(row.values()) for row in rows)


def test_readings_on_other_grids_are_refused(tmp_path: Path) -> None:
    case = volumes(0)
    case["cubic"] = Volume(case["cubic"].hu, Geometry(SHAPE, (1.25, 0.7, 0.6), (-10.5, -20.25, 300.1)))
    with pytest.raises(GeometryError, match="one grid"):
        write_study([case], ["x"], METHODS, tmp_path, 0)


def test_cases_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is missing"):
        write_study([volumes(0, ("cubic", "truth"))], ["x"], METHODS, tmp_path / "a", 0)
    with pytest.raises(ConfigurationError, match="got 1"):
        write_study([volumes(0)], ["x", "y"], METHODS, tmp_path / "b", 0)
    with pytest.raises(ConfigurationError, match="got more"):
        write_study(map(volumes, range(2)), ["x"], METHODS, tmp_path / "c", 0)
    for methods in (("cubic",), ("cubic", "cubic"), tuple("abcdef")):
        with pytest.raises(ConfigurationError, match="2 to 5"):
            draw_key(["x"], methods, 0)


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(ConfigurationError, match="new or empty"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"format": "another"})])
def test_what_is_no_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(UnreadableFile):
        read_key(tmp_path / "key.json")
    with pytest.raises(UnreadableFile):
        read_key(tmp_path / "nowhere.json")
