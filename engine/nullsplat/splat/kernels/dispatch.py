"""Which implementation of a kernel runs where."""

import functools
import importlib
import importlib.util
import logging
from types import ModuleType

from torch import Tensor

_log = logging.getLogger(__name__)


def implementation(package: str, tensor: Tensor) -> ModuleType:
    """The module of a kernel package that computes on a tensor's device: `cpu`, or on a GPU `cuda`.

    A GPU without Triton gets `ref`, which gives the same answer much more slowly; it is logged once.
    """
    return _gpu(package) if tensor.is_cuda else importlib.import_module(f"{package}.cpu")


@functools.cache
def _gpu(package: str) -> ModuleType:
    if importlib.util.find_spec("triton"):
        return importlib.import_module(f"{package}.cuda")
    _log.warning(
        "%s runs as plain torch on this GPU, slowly, because Triton is missing: pip install triton", package
    )
    return importlib.import_module(f"{package}.ref")
