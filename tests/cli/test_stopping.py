"""A command that is told to end leaves nothing of a patient behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import os, sys, tempfile, time, typer
from pathlib import Path
from nullsplat.cli.failures import readable_failures

def command(number: int) -> None:
    with readable_failures(debug=False), tempfile.TemporaryDirectory() as folder:
        Path(folder, "source.npz").write_text("a patient's voxels")
        os.kill(os.getpid(), number)
        time.sleep(5)
        print("went on")

typer.run(command)
"""


AS_IN_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
"""Whatever runs the tests may ignore some of them, and children inherit that."""


def run(number: int, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", AS_IN_A_TERMINAL + COMMAND, str(int(number))]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_lies_in_the_temporary_folder_is_removed_whatever_ends_the_command(
    tmp_path: Path, number: int
) -> None:
    done = run(number, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert done.stderr == "nullsplat: stopped\n"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)]
)
def test_whoever_started_the_command_sees_what_ended_it(tmp_path: Path, number: int, code: int) -> None:
    assert run(number, tmp_path).returncode == code


def test_a_hang_up_that_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    code = COMMAND.replace("time.sleep(5)", "")
    ignoring = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{code}"
    command = [sys.executable, "-c", ignoring, str(int(signal.SIGHUP))]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "went on\n"
