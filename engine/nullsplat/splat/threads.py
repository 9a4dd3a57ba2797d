"""How a fit on the CPU shares the cores between its two pools of threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def kernels_own_the_cores(device: torch.device) -> Iterator[None]:
    """Leave the cores to the numba kernels: torch computes with one thread meanwhile, for the whole process.

    Torch and numba each have their own OpenMP pool, whose idle threads spin for a while after every loop. On two
    cores one torch thread was no slower than two (0.15 against 0.18 s a step at 200,000 Gaussians), and it makes
    sums the same on any number of cores. Nothing changes for a GPU.
    """
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
