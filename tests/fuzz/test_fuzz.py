"""A few seconds of atheris for everything that reads what others wrote; `make fuzz` takes as long as one likes."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.targets import TARGETS

HARNESS = Path(__file__).with_name("harness.py")
SECONDS = 1
ENDED = re.compile(r"(.*?)^(\w+) ended with exit code (-?\d+)$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit code of each target's run, and what it said."""
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is needed: make setup-python")
    folder = tmp_path_factory.mktemp("fuzz")
    command = [sys.executable, str(HARNESS), ",".join(TARGETS), str(folder)]
    limits = [f"-max_total_time={SECONDS}", "-seed=1"]
    done = subprocess.run([*command, *limits], capture_output=True, text=True, timeout=300, check=False)
    ends = {name: (int(code), said) for said, name, code in ENDED.findall(done.stderr)}
    assert ends.keys() == TARGETS.keys(), done.stderr[-4000:]
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_no_input_is_a_surprise(fuzzed: dict[str, tuple[int, str]], target: str) -> None:
    code, said = fuzzed[target]
    assert code == 0, said[-4000:]
    assert "DONE" in said
    assert "cov:" in said  # it saw the code that it was to see


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_fuzzer_begins_with_is_no_surprise(target: str) -> None:
    work, seeds = TARGETS[target]
    assert seeds
    for seed in seeds:
        work(seed)
