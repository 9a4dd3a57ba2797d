"""Which number format a device computes networks in without losing time."""

import torch


def fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is done in hardware: where it is emulated, it is slower than float32 and less exact."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for it; oneDNN's own also says yes to CPUs that only emulate.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
