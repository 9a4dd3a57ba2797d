"""The demonstration itself, with a small phantom instead of the public chest CT."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from nullsplat.demo.options import Options
from nullsplat.demo.run import run

pytestmark = [pytest.mark.orthanc, pytest.mark.slow]


# Sockets of pynetdicom's and requests' ended connections wait for the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_scan_comes_back_super_resolved_and_everything_ends(
    phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(folder=tmp_path / "demo", volume=phantom, slices=24)
    before = children_of("self")
    better = run(options, once=True)
    assert "login" not in capsys.readouterr().out  # nobody can, where everything has ended

    report = json.loads((options.out / "report.json").read_text())
    assert report["better_than_cubic"] is better
    assert report["parameters"]["scale"] == [2, 1, 1]
    assert [stage["state"] for stage in report["stages"]] == ["done"] * 6
    assert all(stage["seconds"] >= 0 for stage in report["stages"])
    assert [route["state"] for route in report["routes"]] == [
        "delivered"
    ] * 3  # images, the map of their intervals, and the report on them
    # The phantom is noisy and the prior knows chests, not balls; it must still be no worse than interpolation.
    assert report["scores"]["NullSplat"]["psnr"] > report["scores"]["trilinear"]["psnr"]

    received = [dcmread(path) for path in (options.out / "dicom").glob("*.dcm")]
    assert len(received) == 24
    assert {str(one.SeriesInstanceUID) for one in received} == {report["derived"]["series_instance_uid"]}
    assert all(one.ImageType[0] == "DERIVED" for one in received)
    arrived = [dcmread(path, force=True) for path in options.pacs.glob("*/*.dcm")]
    assert sorted(one.Modality for one in arrived) == ["CT"] * 24 + ["OT", "SR"]
    assert (options.out / "picture.png").stat().st_size > 10_000
    assert set(children_of("self")) <= set(before)


def test_ctrl_c_ends_every_process(phantom: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = [
        "env",
        "--default-signal=INT",  # which shells ignore for what they run in the background
        sys.executable,
        "-m",
        "nullsplat.cli",
        "demo",
        "--folder",
        str(folder),
        "--volume",
        str(phantom),
    ]
    with subprocess.Popen(
        [*command, "--slices", "24"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        started: list[int] = []
        for line in demo.stdout:
            if "plugin:" in line:
                started = children_of(demo.pid)
                demo.send_signal(signal.SIGINT)
        assert demo.stderr is not None
        complaint = demo.stderr.read()
    assert demo.returncode == 130, complaint
    assert complaint == "nullsplat: stopped\n"
    assert len(started) == 3  # Orthanc, API, worker
    left = {pid: Path(f"/proc/{pid}/cmdline") for pid in started if is_running(pid)}
    assert not {pid: command.read_bytes() for pid, command in left.items()}


def children_of(pid: int | str) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
