"""What the Triton kernels share; importable only where Triton is."""

import math
import typing

import triton
import triton.language as tl

LAUNCH = {"TILE_Y": 8, "TILE_X": 16, "num_warps": 1, "enable_fp_fusion": True}
"""How all kernels are launched: one warp computes four pixels per lane, a * b + c in one instruction."""

_TO_EXP2 = tl.constexpr(-0.5 * math.log2(math.e))


@typing.no_type_check
@triton.jit
def gaussian(q):
    """exp(-q/2), as the power of two that GPUs compute."""
    return tl.exp2(q * _TO_EXP2)


@typing.no_type_check
@triton.jit
def overlap(centre, reach, stop, ok):
    """Whole numbers in [0, stop) within `reach` of `centre`, as (first, past the last); none unless `ok`.

    Bounds are clamped before they become integers, so that huge values cannot overflow.
    """
    first = tl.minimum(tl.maximum(tl.ceil(centre - reach), 0.0), stop + 0.0).to(tl.int32)
    last = tl.minimum(tl.maximum(tl.floor(centre + reach) + 1.0, 0.0), stop + 0.0).to(tl.int32)
    return tl.where(ok, first, 0), tl.where(ok, last, 0)
