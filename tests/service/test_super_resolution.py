"""The service hands jobs to the real pipeline and takes DICOM from it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from pydicom.uid import JPEGLSLossless
from tests.support.service.dicom_samples import PATIENT, SERIES, STUDY, ct_series

from nullsplat.core.errors import ConfigurationError, IneligibleSeries
from nullsplat.core.measure import Cost
from nullsplat.core.progress import silent
from nullsplat.dicom.read.series import fingerprint, read_folder
from nullsplat.dicom.write.derived_series import DerivedOptions
from nullsplat.dicom.write.encoding import OutputSyntax
from nullsplat.dicom.write.parametric_map import INTERVAL
from nullsplat.physics.profile import Resolution
from nullsplat.pipeline import stages
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig, configure
from nullsplat.pipeline.presets import PRESETS
from nullsplat.pipeline.stages import RUNNERS, Stage
from nullsplat.prior import weights
from nullsplat.prior.weights import BLOCK, XRAY
from nullsplat.service.folders import JobFolder
from nullsplat.service.processing import super_resolution
from nullsplat.service.processing.derived_files import Output
from nullsplat.service.processing.protocol import Parameters, Processing, Source
from nullsplat.service.processing.super_resolution import Profiles, SuperResolution
from nullsplat.service.settings import Settings
from nullsplat.service.worker.fetch import SOURCE, fetched_source

REPORT = {
    "model_hash": "a" * 64,
    "config_hash": "b" * 64,
    "steps": 1,
    "stage1_prior": "slabs",
    "lr_consistency_rmse_hu": 3.5,
    "slice_profile": {
        "profile": "bell",
        "fwhm_mm": 5.0,
        "slice_thickness_mm": 5.0,
        "why": "Acquisition Type SPIRAL",
        "in_plane": None,
        "check": {"verdict": "contradicted", "why": "it would fit bell*1.3"},
    },
}
PARAMETERS = Parameters(scale=(2.0, 1.0, 1.0), preset="preview", attempt=1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number, content in enumerate(ct_series().values()):
        (folder / f"{number}.dcm").write_bytes(content)
    return folder


@pytest.fixture
def processing() -> SuperResolution:
    return SuperResolution("cpu", cpu_threads=1)


def test_it_is_what_the_service_asks_for(processing: SuperResolution) -> None:
    assert isinstance(processing, Processing)
    assert processing.presets() == tuple(PRESETS)
    name, sha256 = processing.model()
    assert name
    assert len(sha256) == 64
    processing.verify()


def test_every_process_computes_and_writes_as_its_settings_say() -> None:
    asked: dict[str, Any] = {"device": "cpu", "cpu_threads": 3, "prior": XRAY, "parametric_maps": "never"}
    asked |= {"slice_profile": "box*0.8", "in_plane_profile": "gaussian*1.2", "transfer_syntax": "jpeg-ls"}
    settings = Settings(archive_url="http://127.0.0.1/dicom-web", secret="s" * 16, **asked)
    wanted = SuperResolution("cpu", 3, XRAY, Output.of(settings), Profiles("box*0.8", "gaussian*1.2"))
    assert vars(SuperResolution.of(settings)) == vars(wanted)
    assert vars(SuperResolution.of(settings)) != vars(SuperResolution("cpu", 3, XRAY))


def test_parameters_are_checked_without_a_series(processing: SuperResolution) -> None:
    processing.check(PARAMETERS)
    with pytest.raises(ConfigurationError):
        processing.check(Parameters(scale=(1.0, 1.0, 1.0), preset="preview", attempt=1))


def test_a_series_is_read_into_the_workspace(
    processing: SuperResolution, source: Path, tmp_path: Path
) -> None:
    found = processing.prepare(source, tmp_path / "work", PARAMETERS)
    assert found.fingerprint == fingerprint(SERIES, ct_series())
    assert found.slice_thickness_ratio == pytest.approx(1.0)
    assert Checkpoints(tmp_path / "work").source.hu.shape == (6, 16, 16)


def test_a_refused_series_keeps_its_reason(processing: SuperResolution, source: Path, tmp_path: Path) -> None:
    (source / "2.dcm").unlink()
    with pytest.raises(IneligibleSeries) as caught:
        processing.prepare(source, tmp_path / "work", PARAMETERS)
    assert caught.value.code == "missing-slice"


def test_every_stage_runs_with_the_same_configuration(
    processing: SuperResolution, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def record(_checkpoints: Checkpoints, config: Any, _device: Any, _progress: Any) -> None:
        seen.append(config.hash)

    found = processing.prepare(source, tmp_path / "work", PARAMETERS)
    for stage in ("stage1", "stage2", "consistency"):
        monkeypatch.setitem(super_resolution.RUNNERS, stage, record)
        processing.run(stage, tmp_path / "work", PARAMETERS, found, silent)
    assert seen == [configure(PARAMETERS.scale, "preview").hash] * 3


def seen_by_the_stages(
    processing: SuperResolution,
    parameters: Parameters,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    work: Path,
) -> Resolution:
    seen: list[PipelineConfig] = []
    monkeypatch.setitem(super_resolution.RUNNERS, "stage1", lambda _ws, config, *_: seen.append(config))
    processing.run("stage1", work, parameters, source, silent)
    return seen[0].resolution


def test_a_job_comes_before_the_engines_setting_and_that_before_the_header(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in source.iterdir():
        ds = pydicom.dcmread(path)
        ds.ScanOptions, ds.SliceThickness = "AXIAL MODE", 10.0
        ds.save_as(path)
    work, asked = tmp_path / "work", replace(PARAMETERS, slice_profile="1mm:1,2,1")
    found = SuperResolution("cpu").prepare(source, work, PARAMETERS)
    set_here = SuperResolution("cpu", profiles=Profiles("gaussian*1.2", "box*0.8"))
    cases = [
        (SuperResolution("cpu"), PARAMETERS, "box", "gaussian", "Scan Options: sequential"),
        (set_here, PARAMETERS, "gaussian*1.2", "box*0.8", "set for this engine"),
        (set_here, asked, "1mm:1,2,1", "box*0.8", "asked for by the job"),
    ]
    for processing, parameters, across, in_plane, why in cases:
        known = seen_by_the_stages(processing, parameters, found, monkeypatch, work)
        assert (str(known.slice_profile), str(known.in_plane_profile), known.why) == (across, in_plane, why)
        assert known.slice_thickness_ratio == pytest.approx(2.0)


def test_a_profile_that_stands_for_nothing_is_refused_before_the_series_is_fetched() -> None:
    with pytest.raises(ConfigurationError, match="a positive sum"):
        SuperResolution("cpu").check(replace(PARAMETERS, slice_profile="1mm:1,-3,1"))


def test_what_an_older_worker_fetched_is_taken_for_bells(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.write(SOURCE, {"fingerprint": "f" * 64, "slice_thickness_ratio": 1.5})
    assert fetched_source(folder) == Source("f" * 64, 1.5, "bell", "assumed")


def test_what_another_prior_did_is_done_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker goes on with a job after the node's prior was changed: all of the result is of the new one."""
    did: list[tuple[str, str]] = []

    def record(stage: str) -> Stage:
        def run(checkpoints: Checkpoints, config: PipelineConfig, _device: Any, _progress: Any) -> None:
            if not checkpoints.is_done(stage):
                did.append((stage, config.prior))
                checkpoints.store.save_arrays(f"{stage}-{config.prior}", {"hu": np.zeros(1, np.float32)})
                checkpoints.mark_done(stage, Cost(seconds=1.0))

        return run

    for stage in RUNNERS:
        monkeypatch.setitem(super_resolution.RUNNERS, stage, record(stage))
    work, before, after = tmp_path / "work", SuperResolution("cpu", prior=XRAY), SuperResolution("cpu")
    found = before.prepare(source, work, PARAMETERS)
    for stage in ("stage1", "stage1", "stage2"):
        before.run(stage, work, PARAMETERS, found, silent)
    assert before.is_done("stage2", work, PARAMETERS, found)
    assert not after.is_done("stage1", work, PARAMETERS, found)
    assert not before.is_done("stage1", work, replace(PARAMETERS, seed=1), found)
    for stage in RUNNERS:
        after.run(stage, work, PARAMETERS, found, silent)
    assert did == [("stage1", XRAY), ("stage2", XRAY), *((stage, BLOCK) for stage in RUNNERS)]
    assert not Checkpoints(work).store.has_arrays(
        f"stage1-{XRAY}"
    )  # a file that only one kind of prior writes
    np.testing.assert_array_equal(Checkpoints(work).source.hu, read_folder(source).volume.hu)


def test_weights_of_the_same_name_are_another_prior(
    processing: SuperResolution, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        super_resolution.RUNNERS, "stage1", lambda ws, *_: ws.mark_done("stage1", Cost(seconds=1.0))
    )
    for name in ("calibration_hash", "training_range_hash"):  # those of other weights are refused
        monkeypatch.setattr(stages, name, lambda _prior: "0" * 64)
    found = processing.prepare(source, tmp_path / "work", PARAMETERS)
    processing.run("stage1", tmp_path / "work", PARAMETERS, found, silent)
    assert processing.is_done("stage1", tmp_path / "work", PARAMETERS, found)
    monkeypatch.setattr(weights, "prior_hash", lambda _prior: "c" * 64)
    assert not processing.is_done("stage1", tmp_path / "work", PARAMETERS, found)


def test_a_remark_on_the_source_is_in_the_report(
    processing: SuperResolution, source: Path, tmp_path: Path
) -> None:
    for path in source.iterdir():
        ds = pydicom.dcmread(path)
        del ds.FrameOfReferenceUID
        ds.save_as(path)
    processing.prepare(source, tmp_path / "work", PARAMETERS)
    Checkpoints(tmp_path / "work").keep_report({"noise_hu": 1.0})
    report = processing.report(tmp_path / "work")
    assert report["noise_hu"] == 1.0
    assert "no Frame of Reference UID" in report["source_remarks"]


def test_the_result_becomes_a_series_of_the_same_patient_and_study(
    processing: SuperResolution, source: Path, tmp_path: Path
) -> None:
    work, target = tmp_path / "work", tmp_path / "derived"
    found = processing.prepare(source, work, PARAMETERS)
    checkpoints = Checkpoints(work)
    low = checkpoints.source
    high = np.repeat(low.hu, 2, axis=0)
    checkpoints.keep_result(torch.from_numpy(high))
    checkpoints.keep_report({**REPORT, "outside_training": "the noise is 90 HU"})
    target.mkdir()
    derived = processing.derive(source, work, PARAMETERS, found, target)
    assert len(derived.files) == 12
    assert processing.report(work)["lr_consistency_rmse_hu"] == 3.5
    for uid, name in derived.files.items():
        ds = pydicom.dcmread(target / name)
        assert (ds.SOPInstanceUID, ds.SeriesInstanceUID) == (uid, derived.series_instance_uid)
        assert (ds.StudyInstanceUID, ds.PatientName) == (STUDY, PATIENT)
        assert (
            "bell, FWHM 5 mm (Acquisition Type SPIRAL), CONTRADICTED by the data." in ds.DerivationDescription
        )
        assert "OUTSIDE what the model was trained on. The noise is 90 HU." in ds.DerivationDescription


@pytest.mark.parametrize(
    ("maps", "expected"),
    [(True, {"Standard deviation of 4 samples", INTERVAL.meaning}), (False, set())],
)
def test_maps_of_intervals_and_of_the_deviation_of_several_samples_go_with_the_result(
    source: Path, tmp_path: Path, maps: bool, expected: set[str]
) -> None:
    processing = SuperResolution("cpu", cpu_threads=1, output=Output(maps=maps, report=False))
    work, target = tmp_path / "work", tmp_path / "derived"
    found = processing.prepare(source, work, PARAMETERS)
    checkpoints = Checkpoints(work)
    low = checkpoints.source
    checkpoints.keep_result(torch.from_numpy(low.hu), torch.full(low.hu.shape, 31.5))
    checkpoints.store.save_arrays("deviation", {"hu": np.full(low.hu.shape, 7.5, np.float32)})
    checkpoints.keep_report(REPORT)
    target.mkdir()
    parameters = replace(PARAMETERS, samples=4)
    derived = processing.derive(source, work, parameters, found, target)
    assert len(derived.files) == 6  # the result's own instances are what the job's answer names
    shown = set()
    for series, files in derived.further.items():
        ((uid, name),) = files.items()
        ds = pydicom.dcmread(target / name)
        assert (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID) == (uid, series, STUDY)
        assert derived.classes[series] == ds.SOPClassUID
        shown.add(ds.ContentDescription)
    assert shown == expected
    assert len(list(target.iterdir())) == 6 + len(expected)


def test_a_sample_goes_with_the_result_as_a_series_of_its_own(
    processing: SuperResolution, source: Path, tmp_path: Path
) -> None:
    work, target = tmp_path / "work", tmp_path / "derived"
    found = processing.prepare(source, work, PARAMETERS)
    checkpoints = Checkpoints(work)
    low = torch.from_numpy(checkpoints.source.hu)
    checkpoints.keep_result(low, sample_hu=low + 5)
    checkpoints.keep_report({**REPORT, "sample": {"lr_consistency_rmse_hu": 4.25}})
    target.mkdir()
    derived = processing.derive(source, work, replace(PARAMETERS, preset="sharp"), found, target)
    (drawn,) = (files for files in derived.further.values() if len(files) > 1)
    assert len(drawn) == len(derived.files) == 6
    slices = [
        pydicom.dcmread(target / files[0]) for files in (list(drawn.values()), list(derived.files.values()))
    ]
    assert "SAMPLE" in slices[0].SeriesDescription
    assert "SAMPLE" not in slices[1].SeriesDescription
    assert "differs from the source by 4.25 HU" in slices[0].DerivationDescription
    assert "differs from the source by 3.50 HU" in slices[1].DerivationDescription


@pytest.mark.parametrize(("report", "expected"), [(True, 1), (False, 0)])
def test_the_figures_go_with_the_result(source: Path, tmp_path: Path, report: bool, expected: int) -> None:
    output = Output(report=report, options=DerivedOptions(syntax=OutputSyntax.JPEG_LS))
    processing = SuperResolution("cpu", cpu_threads=1, output=output)
    work, target = tmp_path / "work", tmp_path / "derived"
    found = processing.prepare(source, work, PARAMETERS)
    checkpoints = Checkpoints(work)
    checkpoints.keep_result(torch.from_numpy(checkpoints.source.hu))
    checkpoints.keep_report(REPORT)
    target.mkdir()
    derived = processing.derive(source, work, PARAMETERS, found, target)
    assert len(derived.further) == expected
    for series, files in derived.further.items():
        ((uid, name),) = files.items()
        ds = pydicom.dcmread(target / name)
        assert (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID) == (uid, series, STUDY)
        assert ds.Modality == "SR"
        assert derived.classes[series] == ds.SOPClassUID
    for name in derived.files.values():
        assert pydicom.dcmread(target / name).file_meta.TransferSyntaxUID == JPEGLSLossless


def test_the_same_run_has_the_same_uids_and_the_next_attempt_has_others(
    processing: SuperResolution, source: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    found = processing.prepare(source, work, PARAMETERS)
    checkpoints = Checkpoints(work)
    checkpoints.keep_result(torch.from_numpy(checkpoints.source.hu))
    checkpoints.keep_report(REPORT)

    def uids(folder: str, attempt: int) -> set[str]:
        (tmp_path / folder).mkdir()
        parameters = Parameters(scale=(2.0, 1.0, 1.0), preset="preview", attempt=attempt)
        return set(processing.derive(source, work, parameters, found, tmp_path / folder).files)

    assert uids("first", 1) == uids("same", 1)
    assert not uids("again", 1) & uids("next", 2)


def test_the_settings_decide_what_is_written(settings: Settings) -> None:
    assert Output.of(settings) == Output(maps=True, report=True, options=DerivedOptions())
    asked = {"parametric_maps": "never", "quality_report": False, "key_image": True}
    asked |= {"transfer_syntax": OutputSyntax.JPEG_LS}
    assert Output.of(settings.model_copy(update=asked)) == Output(
        maps=False, report=False, key_image=True, options=DerivedOptions(syntax=OutputSyntax.JPEG_LS)
    )
