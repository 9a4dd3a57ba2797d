"""The GPU kernels, in Triton's interpreter where there is no GPU.

Triton reads TRITON_INTERPRET when it is first imported, which any test before may have caused: hence a process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 only")


def test_gpu_kernels_give_the_reference_answer():
    cases = Path(__file__).with_name("triton_cases.py")
    environment = dict(os.environ) if torch.cuda.is_available() else {**os.environ, "TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(cases)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
