"""What holds for all tests: checked shapes, fixed seeds, few threads, no network beyond loopback's."""

import os
from pathlib import Path

# Before anything reads them: two threads are what the smallest supported machine has.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "2")
# Threads that spin while they wait starve everybody on a busy machine: small tests then take 100 times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_OFFLINE"] = "1"
_WHICH_ORTHANC = {"NULLSPLAT_ORTHANC", "NULLSPLAT_ORTHANC_PLUGINS"}  # see scripts/orthanc-matrix.sh
for _name in [name for name in os.environ if name.startswith("NULLSPLAT_") and name not in _WHICH_ORTHANC]:
    del os.environ[_name]  # a developer's own node must not be what the tests talk to

from tests.lanes.caches import use_caches

use_caches()

from jaxtyping import install_import_hook

ENGINE = Path(__file__).resolve().parents[1] / "engine"
WHERE_ARRAYS_ARE = [
    ".".join(path.relative_to(ENGINE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(ENGINE.rglob("*.py"))
    if "from jaxtyping import" in path.read_text()
]
"""Modules whose shapes are checked; a check of each call would cost the others a good part of their time."""

# Must run before the first import of the engine: every shape annotation is checked by beartype from here on.
# An int where a float is asked for is fine, as it is for mypy (PEP 484's numeric tower).
install_import_hook(WHERE_ARRAYS_ARE, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

import random
import sys
from collections.abc import Iterator

import hypothesis
import numpy as np
import pytest

pytest_plugins = ["tests.lanes.costs", "tests.lanes.plugin"]

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - third-party code may still draw from the global state
    if "torch" in sys.modules:  # which takes seconds to import: not for tests that do without
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Give each test the umask that the run began with: `serve` and `worker` keep theirs to themselves."""
    umask = os.umask(0o077)
    os.umask(umask)
    yield
    os.umask(umask)
