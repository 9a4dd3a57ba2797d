"""`nullsplat plan`: from its options to its answer."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nullsplat.cli.main import app

EXAMPLES = Path(__file__).resolve().parents[1] / "contract/examples"
SMALL = ("--series", "6", "--seconds", "7200", "--within", "stat=4h,normal=16h,night=2d")
"""Few and long jobs, so that a year is quick."""


def plan(*words: str) -> Result:
    return CliRunner().invoke(app, ["plan", *words], env={"COLUMNS": "200"})


def job_list(count: int, stage_seconds: float) -> dict[str, Any]:
    """As the node answers: jobs that succeeded, the n-th of which took n times as long as the first."""
    job = json.loads((EXAMPLES / "job_status.succeeded.json").read_text())
    jobs = []
    for number in range(count):
        one = copy.deepcopy(job)
        for stage in one["stages"]:
            stage["seconds"] = stage_seconds * (number + 1)
        jobs.append(one)
    return {"jobs": jobs}


def test_the_smallest_number_that_is_enough_is_found_and_the_one_below_is_not_enough(tmp_path: Path) -> None:
    answer = plan(*SMALL, "--report", str(tmp_path / "plan.json"), "--plot", str(tmp_path / "plan.svg"))
    assert answer.exit_code == 0, answer.output
    report = json.loads((tmp_path / "plan.json").read_text())
    enough = report["enough"]
    assert enough > 1
    assert f"{enough} workers bring 95% of the results of each priority in time." in answer.output
    lows = {
        one["workers"]: min(stream["in_time"]["low"] for stream in one["streams"])
        for one in report["outcomes"]
    }
    assert lows[enough] >= 0.95 > lows[enough - 1]
    assert "<svg" in (tmp_path / "plan.svg").read_text()
    for heading in ("workers", "in use", "wait: median", "longest", "in time"):
        assert heading in answer.output


def test_the_same_seed_gives_the_same_answer_and_another_one_another(tmp_path: Path) -> None:
    texts = [plan(*SMALL, "--workers", "2", "--seed", seed).output for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_a_limit_that_no_number_of_workers_keeps_is_said_and_not_searched_for() -> None:
    answer = plan("--series", "10", "--seconds", "3600", "--within", "stat=30m")
    assert answer.exit_code == 1
    assert "even without any wait" in answer.output
    assert "stat 0%" in answer.output


def test_measured_jobs_decide_how_long_jobs_take(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text(json.dumps(job_list(12, 10.0)))
    report = tmp_path / "plan.json"
    answer = plan(
        "--series",
        "10",
        "--within",
        "stat=1h",
        "--workers",
        "1",
        "--jobs",
        str(tmp_path / "jobs.json"),
        "--report",
        str(report),
    )
    assert answer.exit_code == 0, answer.output
    assert "12 jobs of jobs.json" in answer.output
    assert json.loads(report.read_text())["jobs"]["mean_seconds"] == pytest.approx(6 * 10 * 6.5)


def test_files_that_hold_no_measured_jobs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few.json").write_text(json.dumps(job_list(3, 1.0)))
    (tmp_path / "other.json").write_text('{"patient": "DOE^JANE"}')
    few, other, missing = (
        plan("--jobs", str(tmp_path / name)) for name in ("few.json", "other.json", "none.json")
    )
    assert (few.exit_code, other.exit_code, missing.exit_code) == (2, 2, 2)
    assert "10 jobs that succeeded, got 3" in few.output
    assert "answer to GET /v1/jobs" in other.output
    assert "DOE" not in other.output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--within", "stat=10"], "--within must be like stat=10m,normal=2h"),
        (["--within", "urgent=10m"], "must name priorities that the site has (stat, normal, night)"),
        (["--workers", "6-2"], "--workers must be like 3 or 2-6"),
        (["--workers", "0"], "--workers must be like 3 or 2-6"),
        (["--preset", "previw"], "did you mean preview?"),
        (["--preset", "preview", "--seconds", "3"], "give one of --jobs, --seconds and --preset"),
        (["--plot", "plan.doc"], "--plot must end with one of .svg"),
    ],
)
def test_options_that_cannot_be_are_named(words: list[str], complaint: str) -> None:
    answer = plan(*words)
    assert answer.exit_code == 2
    assert complaint in answer.output
