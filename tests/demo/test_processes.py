import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nullsplat.node.processes import Child, ChildFailed, free_port, start, wait_until_listening


def sleeper(log: Path, code: str = "import time; time.sleep(60)") -> Child:
    return start("sleeper", [sys.executable, "-c", code], {}, log)


def test_a_child_is_ended_even_when_it_does_not_want_to(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    child = sleeper(tmp_path / "log", code)
    while "on" not in child.log.read_text():
        time.sleep(0.02)
    child.stop(timeout=0.2)
    assert child.process.poll() == -signal.SIGKILL


def test_an_ended_child_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = sleeper(tmp_path / "log", "raise SystemExit('no room')")
    child.process.wait()
    with pytest.raises(ChildFailed, match=r"exit code 1; the last line of its log is 'no room'"):
        child.check()


def test_a_child_that_never_listens_is_given_up(tmp_path: Path) -> None:
    child = sleeper(tmp_path / "log")
    try:
        with pytest.raises(ChildFailed, match="must listen on port"):
            wait_until_listening(child, free_port(), timeout=0.3)
    finally:
        child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from nullsplat.node.processes import start
child = start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], {{}}, pathlib.Path({str(tmp_path)!r}) / "log")
print(child.process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 60
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
