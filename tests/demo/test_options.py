from pathlib import Path

import pytest

from nullsplat.core.errors import ConfigurationError, StorageError
from nullsplat.demo.options import Options


def test_an_earlier_run_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    options = Options(folder=tmp_path / "demo")
    options.prepare()
    (options.out / "report.json").write_text("{}")
    beside = options.folder / "notes.txt"
    beside.write_text("mine")
    options.prepare()
    assert list(options.out.iterdir()) == []
    assert beside.read_text() == "mine"


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match="choose an empty folder"):
        Options(folder=tmp_path).prepare()
    assert (tmp_path / "out" / "thesis.tex").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Options(folder=tmp_path / "file" / "demo").prepare()
