"""What waits for jobs, answers questions or reads DICOM does without torch, which takes seconds and 200 MB."""

import subprocess
import sys

WITHOUT = (
    "dicom.read.series",
    "dicom.write.derived_series",
    "node.observer",
    "service.api.server",
    "service.audit.log",
    "service.worker.process",
)


def test_torch_is_imported_by_what_computes_alone() -> None:
    names = ", ".join(f"nullsplat.{name}" for name in WITHOUT)
    code = f"import sys, {names}; print(sorted({{'torch', 'numba', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
