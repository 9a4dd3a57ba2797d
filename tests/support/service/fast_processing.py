"""Image processing that does real work in no time: it repeats slices. It reads and writes real DICOM series.

A control folder steers it from the test's process: every stage appends a line to `calls.log`; while a file
`hold-<stage>` is there the stage goes on reporting progress; `stuck-<stage>` makes it say nothing any more;
`fail-<stage>` makes it fail as the file's text says; `pace` makes stage 1 take the milliseconds that are the job's seed.
`spans.log` tells which process computed from when to when.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.progress import Progress
from nullsplat.core.volume import Volume
from nullsplat.dicom.provenance import Provenance
from nullsplat.dicom.read.series import read_folder
from nullsplat.dicom.write.derived_series import write_derived
from nullsplat.service.processing.protocol import Derived, Parameters, Source

MODEL = "b" * 64
CONFIG = "c" * 64


class FastProcessing:
    def __init__(self, control: Path) -> None:
        self.control = control
        control.mkdir(exist_ok=True)

    def model(self) -> tuple[str, str]:
        return "repeater", MODEL

    def verify(self) -> None:
        pass

    def presets(self) -> tuple[str, ...]:
        return ("preview", "standard", "sharp", "paper")

    def check(self, parameters: Parameters) -> None:
        if max(parameters.scale) == 1:
            raise ConfigurationError("scale 1,1,1 asks for nothing; give a factor above 1")

    def prepare(self, dicom: Path, work: Path, parameters: Parameters) -> Source:
        self._log("prepare")
        series = read_folder(dicom)
        work.mkdir(exist_ok=True)
        np.save(work / "source.npy", series.volume.hu)
        return Source(series.fingerprint, series.slice_thickness / series.volume.geometry.spacing[0])

    def is_done(self, stage: str, work: Path, parameters: Parameters, source: Source) -> bool:
        return (work / f"{stage}.npy").exists()

    def run(self, stage: str, work: Path, parameters: Parameters, source: Source, progress: Progress) -> None:
        self._log(stage)
        began = time.time()
        self._obey(stage, progress)
        if stage == "stage1" and (self.control / "pace").exists():
            time.sleep(parameters.seed / 1000)
        before = {"stage1": "source", "stage2": "stage1", "consistency": "stage2"}[stage]
        voxels = np.load(work / f"{before}.npy")
        if stage == "stage1":
            for axis, factor in enumerate(parameters.scale):
                voxels = np.repeat(voxels, int(factor), axis)
        np.save(work / f"{stage}.npy", voxels)
        progress(1.0, "done")
        with (self.control / "spans.log").open("a") as log:
            log.write(f"{os.getpid()} {began} {time.time()}\n")

    def report(self, work: Path) -> dict[str, Any]:
        return {
            "lr_consistency_rmse_hu": 0.0,
            "lr_consistency_max_hu": 0.0,
            "noise_hu": 0.0,
            "null_space_rms_hu": 0.0,
            "config_hash": CONFIG,
            "model_hash": MODEL,
            "stages": {},
        }

    def derive(
        self, dicom: Path, work: Path, parameters: Parameters, source: Source, target: Path
    ) -> Derived:
        self._log("derive")
        series = read_folder(dicom)
        voxels = np.load(work / "consistency.npy")
        result = Volume(voxels, series.volume.geometry.resampled(voxels.shape))
        provenance = Provenance(
            fingerprint=source.fingerprint,
            model_hash=MODEL,
            config_hash=CONFIG,
            attempt=parameters.attempt,
            scale=parameters.scale,
            preset=parameters.preset,
            seed=parameters.seed,
            samples=parameters.samples,
            steps=1,
            lr_consistency_rmse_hu=0.0,
            slice_profile="bell",
            created=datetime.now(UTC),
            software_version="test",
        )
        derived = write_derived(series, result, provenance, target)
        pairs = zip(derived.sop_instance_uids, derived.paths, strict=True)
        return Derived(derived.series_instance_uid, {uid: path.name for uid, path in pairs})

    def _log(self, what: str) -> None:
        with (self.control / "calls.log").open("a") as log:
            log.write(f"{what}\n")

    def _obey(self, stage: str, progress: Progress) -> None:
        fault = self.control / f"fail-{stage}"
        if fault.exists():
            order = fault.read_text()
            if order == "disk-full":
                Path("/dev/full").write_bytes(b"0")
            raise RuntimeError(order)
        while (self.control / f"stuck-{stage}").exists():
            time.sleep(0.05)
        while (self.control / f"hold-{stage}").exists():
            progress(0.5, "held")
            time.sleep(0.05)
