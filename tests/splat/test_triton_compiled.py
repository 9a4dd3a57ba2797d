"""The GPU kernels compile for Hopper (H100, H200) ahead of time, without a GPU, and fit its registers."""

import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="Triton is made for Linux on x86-64 only")

from triton.backends.compiler import GPUTarget  # noqa: E402 - only where Triton is
from triton.compiler import ASTSource  # noqa: E402

from nullsplat.splat.kernels.integrate import cuda as integrate_cuda  # noqa: E402
from nullsplat.splat.kernels.triton_math import LAUNCH  # noqa: E402
from nullsplat.splat.kernels.voxelise import cuda as voxelise_cuda  # noqa: E402

HOPPER = GPUTarget("cuda", 90, 32)
TILE = {name: size for name, size in LAUNCH.items() if name.startswith("TILE")}
OPTIONS = {name: value for name, value in LAUNCH.items() if name not in TILE}
SIZES = ("n", "rows", "columns", "nz", "ny", "nx")
# 65 536 registers per multiprocessor: 64 leave room for the 32 programs that it holds at most, 80 for 25, 96 for 21.
REGISTERS = [
    (integrate_cuda, "_scatter", 64),
    (integrate_cuda, "_gather", 80),
    (voxelise_cuda, "_scatter", 64),
    (voxelise_cuda, "_gather", 96),
]


def compiled(module: ModuleType, name: str, ones: tuple[str, ...] = ()) -> Any:
    """As a launch with float32 tensors compiles it; Triton takes sizes of 1 as constants."""
    kernel = getattr(module, name)
    constants = TILE | dict.fromkeys(set(ones) & set(kernel.arg_names), 1)
    types = dict.fromkeys(kernel.arg_names, "*fp32") | {"limit": "fp32"}
    types |= {size: "i32" for size in SIZES if size in types} | dict.fromkeys(constants, "constexpr")
    return triton.compile(ASTSource(kernel, types, constants), target=HOPPER, options=OPTIONS)


@pytest.fixture(autouse=True)
def compile_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize(("module", "name", "registers"), REGISTERS)
def test_machine_code_for_hopper_spills_nothing(module, name, registers, tmp_path):
    built = compiled(module, name)
    assert re.search(r"^\.target sm_90a?$", built.asm["ptx"], re.MULTILINE)
    assert not re.search(r"\b(ld|st)\.local\b", built.asm["ptx"])
    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(built.asm["cubin"])
    command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(cubin)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = {key: int(value) for key, value in re.findall(r"\b(REG|STACK|SHARED|LOCAL):(\d+)", told)}
    assert (used["STACK"], used["LOCAL"], used["SHARED"]) == (0, 0, 0)
    assert used["REG"] <= registers


@pytest.mark.parametrize("module", [integrate_cuda, voxelise_cuda])
def test_forward_adds_without_waiting_for_the_sum_and_backward_adds_nothing(module):
    assert "red.global.gpu.relaxed.add.f32" in compiled(module, "_scatter").asm["ptx"]
    assert not re.search(r"\batom\.", compiled(module, "_scatter").asm["ptx"])
    assert not re.search(r"\b(atom|red)\.", compiled(module, "_gather").asm["ptx"])


@pytest.mark.parametrize("module", [integrate_cuda, voxelise_cuda])
@pytest.mark.parametrize("name", ["_scatter", "_gather"])
def test_sizes_of_one_compile_as_well(module, name):
    assert "cubin" in compiled(module, name, ones=SIZES).asm
