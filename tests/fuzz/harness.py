"""Runs one target under atheris: python harness.py TARGET FOLDER [libFuzzer's options].

FOLDER keeps what the fuzzer found worth keeping, and the input of a crash.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "plugin"), str(Path(__file__).resolve().parent)]

import atheris  # noqa: E402

with atheris.instrument_imports(
    include=["nullsplat.dicom", "nullsplat_node", "pydicom", "nullsplat.service.contract"]
):
    from targets import TARGETS


def main(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz until libFuzzer's options end it; a crash ends the process with another exit code than 0."""
    target, seeds = TARGETS[name]
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = ["-max_len=8192", "-rss_limit_mb=4096", "-timeout=20", f"-artifact_prefix={folder}/{name}-"]
    atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
