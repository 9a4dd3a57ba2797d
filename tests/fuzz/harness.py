"""Runs targets under atheris, one after the other: python harness.py TARGET[,TARGET...] FOLDER [libFuzzer's options].

FOLDER keeps what the fuzzer found worth keeping, and the input of a crash.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugin")]  # it is started by its path

import atheris  # noqa: E402

with atheris.instrument_imports(
    include=["nullsplat.dicom", "nullsplat_node", "pydicom", "nullsplat.service.contract"]
):
    from tests.fuzz.targets import TARGETS


def main(names: list[str], folder: Path, options: list[str]) -> int:
    """Fuzz each target until libFuzzer's options end it; returns 1 when one crashed."""
    codes = [in_a_child(name, folder, options) for name in names]
    return int(any(codes))


def in_a_child(name: str, folder: Path, options: list[str]) -> int:
    """libFuzzer ends its process, and importing under instrumentation takes longer than a short run: so fork."""
    if not (child := os.fork()):
        fuzz(name, folder, options)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(f"{name} ended with exit code {code}", file=sys.stderr, flush=True)  # noqa: T201 - a program for terminals
    return code


def fuzz(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz one target; a crash ends the process with another exit code than 0."""
    target, seeds = TARGETS[name]
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = ["-max_len=8192", "-rss_limit_mb=4096", "-timeout=20", f"-artifact_prefix={folder}/{name}-"]
    atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].split(","), Path(sys.argv[2]), sys.argv[3:]))
