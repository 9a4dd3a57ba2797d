"""A few seconds of atheris for everything that reads what others wrote; `make fuzz` takes as long as one likes."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from targets import TARGETS

HARNESS = Path(__file__).with_name("harness.py")
SECONDS = 5


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is needed: make setup-python"
)
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_is_a_surprise(tmp_path: Path, target: str) -> None:
    command = [sys.executable, str(HARNESS), target, str(tmp_path), f"-max_total_time={SECONDS}", "-seed=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{[path.name for path in tmp_path.glob('*-*')]}\n{done.stderr[-4000:]}"
    assert "DONE" in done.stderr
    assert "cov:" in done.stderr  # it saw the code that it was to see


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_fuzzer_begins_with_is_no_surprise(target: str) -> None:
    work, seeds = TARGETS[target]
    assert seeds
    for seed in seeds:
        work(seed)
