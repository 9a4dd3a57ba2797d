"""What a run of the pipeline hands to the writers, without a run."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from nullsplat.core.volume import Axes3, Volume
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.series import SourceSeries
from nullsplat.dicom.write.derived_series import write_derived

CREATED = datetime(2025, 3, 4, 15, 16, 17, 180000, tzinfo=timezone(timedelta(hours=1)))


def make_provenance(source: SourceSeries, **changes: object) -> Provenance:
    values = {
        "fingerprint": source.fingerprint,
        "model_hash": "a1" * 32,
        "config_hash": "b2" * 32,
        "attempt": 1,
        "scale": (4.0, 1.0, 1.0),
        "preset": "preview",
        "seed": 7,
        "samples": 1,
        "steps": 8,
        "lr_consistency_rmse_hu": 3.25,
        "slice_profile": "bell, FWHM 4 mm (Acquisition Type SPIRAL)",
        "created": CREATED,
        "software_version": "0.1.0",
    }
    return Provenance(**(values | changes))


def make_result(source: SourceSeries, scale: Axes3 = (4.0, 1.0, 1.0)) -> Volume:
    """Noise on the grid that super-resolution by `scale` would have."""
    z, y, x = (round(size * factor) for size, factor in zip(source.volume.geometry.shape, scale, strict=True))
    values = np.random.default_rng(3).normal(0, 400, (z, y, x)).clip(-1024, 3071)
    return Volume(values.astype(np.float32), source.volume.geometry.resampled((z, y, x)))


def derive(source: SourceSeries, folder: Path, **changes: object) -> list[Dataset]:
    """The instances of a series derived by noise, read back from disk."""
    derived = write_derived(source, make_result(source), make_provenance(source, **changes), folder)
    return [dcmread(path) for path in derived.paths]
