"""`nullsplat eval` from the command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nullsplat.cli.inputs.study_subjects import parse_crop
from nullsplat.cli.main import app
from nullsplat.cli.work import reader_study
from nullsplat.cli.work.evaluate import parse_protocols
from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Geometry, Volume
from nullsplat.evaluation.data.degrade import protocol
from nullsplat.evaluation.methods import baseline_methods
from nullsplat.io.nifti import write_nifti


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    z, y, x = np.mgrid[:16, :20, :20].astype(np.float32)
    hu = np.where((y - 10) ** 2 + (x - 10) ** 2 < 70, 40 + 4 * z, -1000.0).astype(np.float32)
    write_nifti(Volume(hu, Geometry((16, 20, 20), (2.0, 1.0, 1.0))), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["eval", *map(str, arguments), "--device", "cpu"])
    return result.exit_code, result.stdout, result.stderr


def test_tables_and_page_are_written(ct: Path, tmp_path: Path) -> None:
    options = ("--scale", "2,z2", "--noise", "0,15", "--methods", "cubic,tv", "--crop", "16,16,16")
    code, out, _ = invoke(ct, *options, "--out", tmp_path / "eval", "--page", tmp_path / "page.md")
    assert code == 0
    assert "8 cases, 0 failed, 0 not installed" in out
    assert {"results.json", "table.md", "table.csv", "cases", "figures"} <= {
        path.name for path in (tmp_path / "eval").iterdir()
    }
    page = (tmp_path / "page.md").read_text()
    assert all(f"### {name}\n" in page for name in ("iso2", "iso2+15HU", "thick2", "thick2+15HU"))


def test_a_failure_shows_in_the_exit_code(ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(baseline_methods, "reconstruct", fail)
    code, out, _ = invoke(ct, "--scale", "2", "--methods", "cubic", "--out", tmp_path / "eval")
    assert code == 1
    assert "failed: RuntimeError: broken on purpose" in out
    assert "broken on purpose" in (tmp_path / "eval" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "magic"], "methods are trilinear"),
        (["--scale", "x4"], "--scale must be"),
        (["--noise", "-1"], "--noise must be"),
        (["--crop", "4,4"], "--crop must be"),
        (["--only", "nobody"], "--only must name some of the volumes"),
        (["--crop", "400,4,4"], "must fit into ct"),
    ],
)
def test_bad_options_are_refused_before_any_work(
    ct: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    code, _, err = invoke(ct, *arguments, "--out", tmp_path / "eval")
    assert code == 2
    assert said in err
    assert not (tmp_path / "eval").exists()


def test_nothing_to_evaluate_on_is_refused(tmp_path: Path) -> None:
    code, _, err = invoke("--out", tmp_path / "eval")
    assert code == 2
    assert "--public" in err


def test_short_and_full_names_of_degradations_mean_the_same() -> None:
    names = [how.name for how in parse_protocols("4,iso4,z5,thick5,bell5", "0")]
    assert names == ["iso4", "iso4", "thick5", "thick5", "bell5"]


def test_every_scale_comes_with_every_noise() -> None:
    names = [how.name for how in parse_protocols("4, z2", "0,15")]
    assert names == ["iso4", "iso4+15HU", "thick2", "thick2+15HU"]


@pytest.mark.parametrize("text", ["1,2", "0,4,4", "a,b,c", "4,4,4,4", ""])
def test_crops_are_three_numbers(text: str) -> None:
    with pytest.raises(ConfigurationError, match="64,128,128"):
        parse_crop(text)


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from nullsplat.cli.main import app; "
        "CliRunner().invoke(app, ['eval', '--help']); print(sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_study_is_made_of_the_volumes_that_eval_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[reader_study.StudyRequest] = []
    monkeypatch.setattr(reader_study, "prepare", asked.append)
    words = [
        "eval",
        "ct.nii.gz",
        "--reader-study",
        str(tmp_path / "study"),
        "--scale",
        "bell4",
        "--noise",
        "15",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    request = asked[0]
    assert (request.truths, request.how) == ((Path("ct.nii.gz"),), protocol("bell4", 15.0))
    assert request.methods == "cubic,preview,truth"
    assert request.seed is None  # drawn at random: readers could guess a short one


@pytest.mark.parametrize(
    ("options", "how"),
    [((), "bell4"), (("--scale", "4"), "thick4"), (("--scale", "thick5"), "thick5")],
)
def test_a_reader_study_is_of_a_helical_scan_unless_another_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], how: str
) -> None:
    asked: list[reader_study.StudyRequest] = []
    monkeypatch.setattr(reader_study, "prepare", asked.append)
    words = ["reader-study", str(tmp_path / "study"), "--truth", "ct.nii.gz", *options]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert asked[0].how == protocol(how, 15.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--out DIR"),
        (("--reader-study", "x", "--scale", "4,z4"), "one degradation to thick slices"),
        (("--reader-study", "x", "--scale", "isobell4"), "such as bell4, got isobell4"),
    ],
)
def test_a_reader_study_or_a_folder_must_be_named(options: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["eval", "ct.nii.gz", *options])
    assert done.exit_code == 2
    assert said in done.output
