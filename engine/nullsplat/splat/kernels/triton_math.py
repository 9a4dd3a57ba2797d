"""What the Triton kernels share; importable only where Triton is."""

import typing

import triton
import triton.language as tl


@typing.no_type_check
@triton.jit
def overlap(centre, reach, stop, ok):
    """Whole numbers in [0, stop) within `reach` of `centre`, as (first, past the last); none unless `ok`.

    Bounds are clamped before they become integers, so that huge values cannot overflow.
    """
    first = tl.minimum(tl.maximum(tl.ceil(centre - reach), 0.0), stop + 0.0).to(tl.int32)
    last = tl.minimum(tl.maximum(tl.floor(centre + reach) + 1.0, 0.0), stop + 0.0).to(tl.int32)
    return tl.where(ok, first, 0), tl.where(ok, last, 0)
