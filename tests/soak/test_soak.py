"""A short soak run, and then one sabotage after the other on its evidence: each must be found."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from soaking.__main__ import main
from soaking.destinations import COMMITTED, WAYS
from soaking.plan import KINDS

pytestmark = [pytest.mark.orthanc, pytest.mark.slow]
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run in processes of its own, which take two minutes; a busy machine may take longer."""
    folder = tmp_path_factory.mktemp("soak") / "run"
    command = [sys.executable, "-m", "soaking", "--series", "8", "--minutes", "8", "--seed", "3"]
    run = subprocess.run(
        [*command, "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(HERE)},  # and no more: Orthanc's Python looks there too
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture
def copy(evidence: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(evidence, tmp_path / "copy"))


def broken(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the harness says is broken, having ended with exit code 1."""
    assert main(["--judge", str(folder)]) == 1
    said = [line for line in capsys.readouterr().out.splitlines() if "BROKEN" in line]
    assert said
    return "\n".join(said)


def edit_run(folder: Path, edit: Edit) -> None:
    run = json.loads((folder / "run.json").read_text())
    edit(run)
    (folder / "run.json").write_text(json.dumps(run))


def result_of(folder: Path, kind: str) -> str:
    run = json.loads((folder / "run.json").read_text())
    case = next(case for case in run["cases"] if case["kind"] == kind)
    return str(case["state"]["result"]["series_uid"])


def test_every_promise_was_kept_and_the_report_says_so(evidence: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    assert main(["--judge", str(evidence), "--page", str(page)]) == 0
    text = page.read_text()
    assert "Every promise was kept" in text
    run = json.loads((evidence / "run.json").read_text())
    assert {fault["kind"] for fault in run["faults"]} >= {
        *("worker", "api", "orthanc", "spool-full"),
        *WAYS,
    }
    good = sum(not KINDS[case["kind"]].reason for case in run["cases"])
    assert all(f"| {way.how} | {good} | " in text for way in WAYS.values())
    assert all(KINDS[case["kind"]].story in text for case in run["cases"])
    assert sum(case["kind"] == "late" for case in run["cases"]) == 1
    assert f"seed | {run['options']['seed']}" in text


def test_a_slice_lost_at_a_destination_is_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in WAYS:
        next((copy / kind / result_of(copy, "good")).glob("*.dcm")).unlink()
    said = broken(copy, capsys)
    assert all(f"{way.place} must hold all 36 slices" in said for way in WAYS.values())


def test_a_slice_that_nobody_vouched_for_and_one_that_is_there_twice_are_found(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next((copy / "keeper" / result_of(copy, "good")).glob("*.dcm"))
    reports = (copy / COMMITTED).read_text()
    (copy / COMMITTED).write_text(reports.replace(f'"{path.stem}"', '"1.2.3"'))
    twice = next((copy / "web" / result_of(copy, "good")).glob("*.dcm"))
    (copy / "web" / "1.2.4").mkdir()
    shutil.copy(twice, copy / "web" / "1.2.4")
    said = broken(copy, capsys)
    assert "the committing archive must have vouched for what it was given, 1 slices are missing" in said
    assert f"the web archive holds instance {twice.stem} in 2 series" in said


def test_a_changed_pixel_at_the_pacs_is_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((copy / "pacs" / result_of(copy, "late")).glob("*.dcm"))
    dataset = dcmread(path)
    dataset.PixelData = bytes(2) + dataset.PixelData[2:]
    dataset.save_as(path)
    assert "1 slices are not the same at the PACS" in broken(copy, capsys)


@pytest.mark.parametrize("what", ["have other pixels", "lie elsewhere"])
def test_wrong_pixels_and_places_in_both_archives_are_found(
    copy: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    uid = result_of(copy, "good")
    name = next((copy / "pacs" / uid).glob("*.dcm")).name
    for place in ("pacs", "archive"):
        dataset = dcmread(copy / place / uid / name)
        if what == "lie elsewhere":
            dataset.ImagePositionPatient[2] += 0.5
        else:
            dataset.PixelData = bytes(byte ^ 1 for byte in dataset.PixelData)
        dataset.save_as(copy / place / uid / name)
    said = broken(copy, capsys)
    assert "audit log" in said
    assert f"1 slices {what}" in said


def test_a_slice_of_a_tilted_scan_one_pixel_aside_and_another_name_are_found(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uid = result_of(copy, "tilt")
    path = sorted((copy / "pacs" / uid).glob("*.dcm"))[0]
    for place in ("pacs", "archive"):
        dataset = dcmread(copy / place / uid / path.name)
        dataset.PatientName = "Somebody^Else"
        dataset.PixelData = dataset.PixelData[2 * dataset.Columns :] + bytes(2 * dataset.Columns)
        dataset.save_as(copy / place / uid / path.name)
    said = broken(copy, capsys)
    assert "the result must name the source's patient" in said
    assert "1 slices have other pixels" in said


def test_a_series_that_nobody_declared_is_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_run(copy, lambda run: run["archive"].update({"1.2.3": ["1.2.3.1"]}))
    (copy / "pacs" / "1.2.4").mkdir()
    said = broken(copy, capsys)
    assert "Orthanc holds series 1.2.3, which no job declared" in said
    assert "the PACS holds series 1.2.4" in said


def test_a_second_result_and_a_partial_obsolete_one_are_found(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sabotage(run: dict[str, Any]) -> None:
        case = next(case for case in run["cases"] if case["kind"] == "good")
        job = next(job for job in run["jobs"] if job["key"] == case["state"]["key"])
        for uid, fingerprint in (("1.2.3", job["request"]["fingerprint"]), ("1.2.4", "0" * 64)):
            declared = {**job["declared"], "series_instance_uid": uid}
            request = {**job["request"], "fingerprint": fingerprint}
            run["jobs"].append({**job, "key": uid, "declared": declared, "request": request})
            run["archive"][uid] = list(declared["files"])[:5]

    edit_run(copy, sabotage)
    said = broken(copy, capsys)
    assert "1.2.3 is a second result of the same slices" in said
    assert "1.2.4 is obsolete and partial: 5 of 36 slices" in said


def test_a_refusal_without_the_right_reason_is_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sabotage(run: dict[str, Any]) -> None:
        one, other = [case for case in run["cases"] if KINDS[case["kind"]].reason][:2]
        one["state"]["code"] = "ours"
        other["state"] = None

    edit_run(copy, sabotage)
    said = broken(copy, capsys)
    assert "was refused as ours" in said
    assert "the plugin knows nothing of it" in said


def test_a_good_series_that_failed_is_found(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sabotage(run: dict[str, Any]) -> None:
        case = next(case for case in run["cases"] if case["kind"] == "duplicate")
        case["state"].update(phase="failed", code="worker-lost", message="three times")

    edit_run(copy, sabotage)
    assert "must be done, is failed (worker-lost: three times)" in broken(copy, capsys)


@pytest.mark.parametrize("log", ["logs/api.log", "logs/worker.log", "orthanc/orthanc.log"])
def test_an_unforeseen_error_in_a_log_is_found(
    log: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (copy / log).open("a") as file:
        file.write("Traceback (most recent call last):\n")
    assert f"{log} holds 1 x" in broken(copy, capsys)


def test_a_job_that_never_ended_and_a_missing_delivery_are_found(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sabotage(run: dict[str, Any]) -> None:
        run["jobs"][0]["state"] = "running"
        run["facts"]["troubles"].append("not everything was settled within 3 minutes")
        case = next(case for case in run["cases"] if case["kind"] == "good")
        next(one for one in case["state"]["routes"] if one["destination"] == "WEB")["phase"] = "abandoned"

    edit_run(copy, sabotage)
    said = broken(copy, capsys)
    assert "is still running" in said
    assert "must be delivered to every destination, is not to the web archive" in said
    assert "not everything was settled" in said
