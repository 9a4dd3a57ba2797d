import errno
import json
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from highdicom.sr import EnhancedSR
from pydicom import dcmread, dcmwrite
from pydicom.uid import CTImageStorage, EnhancedSRStorage, JPEGLSLossless, SecondaryCaptureImageStorage
from tests.support.dicom.series import Spec, edited, make_series, save
from typer.testing import CliRunner

from nullsplat.cli import failures
from nullsplat.cli.main import TransferSyntax, app
from nullsplat.cli.work import sr
from nullsplat.core.units import hu_difference_to_mu
from nullsplat.core.volume import Geometry, Volume
from nullsplat.dicom.write import encoding
from nullsplat.dicom.write.synthetic_series import SeriesDescription, write_ct_series
from nullsplat.io.nifti import read_nifti, write_nifti
from nullsplat.physics.profile import BELL, BOX
from nullsplat.pipeline.checkpoints import Checkpoints
from nullsplat.pipeline.config import PipelineConfig
from nullsplat.pipeline.run import Result
from nullsplat.prior.weights import MANIFEST, UNET_FILE
from nullsplat.splat.field.files import load_field
from nullsplat.splat.field.gaussians import SignedGaussians
from nullsplat.splat.field.placement import PlacedField


def make_volume() -> Volume:
    z, y, x = np.mgrid[:6, :32, :32].astype(np.float32)
    hu = np.where((y - 16) ** 2 + (x - 16) ** 2 < 150, 40.0, -1000.0) + 3 * z
    return Volume(hu.astype(np.float32), Geometry((6, 32, 32), (8.0, 2.0, 2.0), (-32.0, -32.0, 10.0)))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[PipelineConfig]:
    """Repeat voxels instead of computing, to test what lies around the computation; records the configuration."""
    seen: list[PipelineConfig] = []

    def repeat(volume: Volume, config: PipelineConfig, *, device: str, progress: Any, folder: Path) -> Result:
        seen.append(config)
        assert device == "cpu"
        hu = volume.hu
        for axis, factor in enumerate(config.scale):
            hu = hu.repeat(int(factor), axis)
        progress("stage1", 1.0, "repeated")
        result = Volume(hu, volume.geometry.resampled(hu.shape))
        deviation = replace(result, hu=np.full_like(hu, 12.5)) if config.sampling.samples > 1 else None
        field = PlacedField(one_gaussian(), result.geometry)
        report = {
            "lr_consistency_rmse_hu": 3.25,
            "config_hash": config.hash,
            "model_hash": "0" * 64,
            "steps": 1,
            "stage1_prior": "slabs",
            "stages": {"stage1": {"seconds": 2.0}},
            "slice_profile": assumed(config, volume.geometry.spacing[0]),
            **STRANGE,
        }
        interval = replace(result, hu=np.full_like(hu, 30.25))
        sample = replace(result, hu=hu + 7) if config.posterior_sample else None
        report |= {} if sample is None else {"sample": {"lr_consistency_rmse_hu": 4.5}}
        return Result(
            result, deviation, interval, sample, field, report, volume, config, torch.device(device)
        )

    monkeypatch.setattr(sr, "super_resolve", repeat)
    return seen


STRANGE: dict[str, str] = {}
CHECK = {"verdict": "undecided", "why": "too few slices"}


def assumed(config: PipelineConfig, distance: float) -> dict[str, Any]:
    """What a run would report of the profile that it was given."""
    known = config.resolution
    width = known.slice_profile.fwhm_mm(known.slice_thickness_ratio * distance)
    return {"profile": str(known.slice_profile), "fwhm_mm": width, "why": known.why, "check": CHECK}


def one_gaussian() -> SignedGaussians:
    """A ball of -100 HU and 6 mm in the middle."""
    return SignedGaussians(
        torch.zeros(1, 3),
        torch.full((1, 3), 6.0).log(),
        torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        torch.tensor([hu_difference_to_mu(-100.0)]),
        torch.tensor(1.0),
    )


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sr", *map(str, arguments), "--device", "cpu"])
    assert result.exit_code == 2
    return result.stderr


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["sr", *map(str, arguments), "--device", "cpu"])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_nifti_in_nifti_out(tmp_path: Path, quick: list[PipelineConfig]) -> None:
    source, target, report = tmp_path / "ct.nii", tmp_path / "sr.nii.gz", tmp_path / "run.json"
    write_nifti(make_volume(), source)
    output = run(
        source,
        target,
        "--scale",
        "2,2,2",
        "--preset",
        "paper",
        "--seed",
        7,
        "--samples",
        3,
        "--report",
        report,
    )
    config = quick[0]
    assert (config.scale, config.preset, config.seed) == ((2.0, 2.0, 2.0), "paper", 7)
    assert config.sampling.samples == 3
    assert read_nifti(target).geometry.shape == (12, 64, 64)
    assert json.loads(report.read_text())["lr_consistency_rmse_hu"] == 3.25
    assert "12 slices of 64 x 64" in output
    assert "3.2 HU" in output


def test_one_of_several_series_is_chosen_and_the_others_are_named(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    spec = Spec(shape=(4, 8, 10))
    other = edited(
        lambda one: setattr(one, "SeriesNumber", 9), spec=replace(spec, shape=(5, 8, 10), uid="other")
    )
    study = save([*make_series(spec), *other], tmp_path / "study")
    listed = " ".join(refused(study, tmp_path / "none").split())
    assert "number 4, Lunge 2,5 mm, 4 image(s), UID " in listed
    assert "number 9, Lunge 2,5 mm, 5 image(s), UID " in listed
    result = CliRunner().invoke(
        app, ["sr", str(study), str(tmp_path / "out"), "--series", "9", "--device", "cpu"]
    )
    assert result.exit_code == 0
    assert "note: left out of the folder: number 4" in result.stderr
    assert len(list((tmp_path / "out").iterdir())) == 20
    assert len(quick) == 1


def test_a_series_comes_out_as_a_derived_series_over_the_same_extent(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    volume = make_volume()
    write_ct_series(volume, tmp_path / "in", SeriesDescription(slice_thickness_mm=4.0))
    run(tmp_path / "in", tmp_path / "out", "--scale", "4", "--allow-gaps")
    # Slices of 4 mm every 8 mm: half of the patient was never measured, and the pipeline must know.
    assert quick[0].resolution.slice_thickness_ratio == pytest.approx(0.5)
    assert quick[0].unmeasured_share == pytest.approx(0.5)
    slices = sorted(map(dcmread, (tmp_path / "out").iterdir()), key=lambda one: one.ImagePositionPatient[2])
    assert len(slices) == 24
    assert slices[0].ImagePositionPatient[2] == pytest.approx(10.0 - 3.0)
    assert slices[-1].ImagePositionPatient[2] == pytest.approx(10.0 + 40.0 + 3.0)
    assert slices[0].ImageType[0] == "DERIVED"
    assert "3.2" in slices[0].DerivationDescription
    assert "4 mm every 8 mm, 50% of the length was never measured" in slices[0].DerivationDescription


def write_series(folder: Path, **attributes: object) -> None:
    """A series of 8 mm slices whose headers say something more."""
    write_ct_series(make_volume(), folder, SeriesDescription(slice_thickness_mm=8.0))
    for path in folder.iterdir():
        dataset = dcmread(path)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)


def test_what_the_header_says_of_the_scan_stands_in_all_that_is_written(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_series(tmp_path / "in", ScanOptions="AXIAL MODE")
    run(tmp_path / "in", tmp_path / "out", "--quality-report", "--report", tmp_path / "run.json")
    assert quick[0].resolution.slice_profile == BOX
    words = "box, FWHM 8 mm (Scan Options: sequential)"
    datasets = [dcmread(path) for path in (tmp_path / "out").iterdir()]
    assert all(words in one.DerivationDescription for one in datasets if one.SOPClassUID == CTImageStorage)
    (report,) = (one for one in datasets if one.SOPClassUID == EnhancedSRStorage)
    assert words in report.to_json()
    assert json.loads((tmp_path / "run.json").read_text())["slice_profile"]["profile"] == "box"


def test_a_profile_that_is_asked_for_comes_before_the_header(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_series(tmp_path / "in", ScanOptions="AXIAL MODE")
    options = ("--scale", "2,2,2", "--slice-profile", "bell*1.2", "--in-plane-profile", "box*0.9")
    run(tmp_path / "in", tmp_path / "out", *options)
    known = quick[0].resolution
    assert (str(known.slice_profile), str(known.in_plane_profile), known.why) == (
        "bell*1.2",
        "box*0.9",
        "asked for",
    )


def test_the_slices_of_a_nifti_file_are_as_thick_as_one_says(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    run(tmp_path / "ct.nii", tmp_path / "a.nii")
    run(tmp_path / "ct.nii", tmp_path / "b.nii", "--slice-thickness", 16)
    assert [config.resolution.slice_thickness_ratio for config in quick] == [1.0, 2.0]
    assert quick[0].resolution.slice_profile == BELL


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--slice-profile", "sharp"), "must be bell, box or gaussian, with a factor from 0.2 to 5"),
        (("--slice-profile", "1mm:1,2"), "an odd number of weights"),
        (("--in-plane-profile", "auto"), "must be bell, box or gaussian"),
        (("--slice-thickness", "3"), "a DICOM series has Slice Thickness"),
    ],
)
def test_a_profile_that_means_nothing_is_refused_before_the_work(
    tmp_path: Path, quick: list[PipelineConfig], options: tuple[str, str], words: str
) -> None:
    write_series(tmp_path / "in")
    assert words in " ".join(refused(tmp_path / "in", tmp_path / "out", *options).split())
    assert quick == []


def test_a_profile_that_the_data_contradict_is_a_warning(
    tmp_path: Path, quick: list[PipelineConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "in")
    arguments = ["sr", str(tmp_path / "in"), str(tmp_path / "out"), "--device", "cpu"]
    monkeypatch.setitem(CHECK, "verdict", "contradicted")
    monkeypatch.setitem(CHECK, "why", "it would fit bell*1.3")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "warning: the data contradict the assumed slice profile: it would fit bell*1.3" in result.stderr
    derived = dcmread(next((tmp_path / "out").iterdir()))
    assert "CONTRADICTED by the data" in derived.DerivationDescription


def test_a_series_unlike_the_training_data_is_a_warning(
    tmp_path: Path, quick: list[PipelineConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_series(tmp_path / "in")
    monkeypatch.setitem(STRANGE, "outside_training", "the noise is 90 HU")
    arguments = ["sr", str(tmp_path / "in"), str(tmp_path / "out"), "--device", "cpu", "--quality-report"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    warning = "warning: the input lies outside what the network was trained on: the noise is 90 HU"
    assert warning in result.stderr
    derived = dcmread(next((tmp_path / "out").glob("0*")))
    assert "OUTSIDE what the model was trained on. The noise is 90 HU." in derived.DerivationDescription


def test_values_that_can_hardly_be_hu_are_a_warning(tmp_path: Path, quick: list[PipelineConfig]) -> None:
    volume = make_volume()
    for name, hu in (("ct", volume.hu), ("offset", np.maximum(volume.hu + 1024, 0))):
        write_nifti(replace(volume, hu=hu), tmp_path / f"{name}.nii")
        arguments = ["sr", str(tmp_path / f"{name}.nii"), str(tmp_path / f"{name}-sr.nii"), "--device", "cpu"]
        warned = "warning: no value of the input is below 0 HU" in CliRunner().invoke(app, arguments).stderr
        assert warned == (name == "offset")


def test_progress_goes_to_the_screen_and_one_line_says_where_the_result_is(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    lines = run(tmp_path / "ct.nii", tmp_path / "sr.nii").splitlines()
    assert lines[0].split() == ["stage1", "100%", "repeated"]
    assert lines[1].startswith("wrote")


@pytest.mark.parametrize("kind", ["ply", "safetensors"])
def test_the_field_is_written_where_it_was_asked_for(
    tmp_path: Path, quick: list[PipelineConfig], kind: str
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    run(tmp_path / "ct.nii", tmp_path / "sr.nii", "--scale", 2, "--field", tmp_path / f"field.{kind}")
    field = load_field(tmp_path / f"field.{kind}")
    assert field.grid == read_nifti(tmp_path / "sr.nii").geometry
    assert torch.equal(field.gaussians.z, one_gaussian().z)


def test_a_field_of_another_kind_is_refused_before_the_work(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    options = (tmp_path / "ct.nii", tmp_path / "sr.nii", "--field")
    assert ".safetensors or .ply" in refused(*options, tmp_path / "field.splat")
    assert "create it first" in refused(*options, tmp_path / "no" / "field.ply")
    assert quick == []


@pytest.mark.parametrize("name", ["nosuch", "block-small-2", "none "])
def test_a_prior_that_is_not_there_is_refused_before_any_work(
    tmp_path: Path, quick: list[PipelineConfig], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sr, "read_volume", lambda *_, **__: pytest.fail("the input was read"))
    write_nifti(make_volume(), tmp_path / "ct.nii")
    assert "--prior: a prior must be" in refused(tmp_path / "ct.nii", tmp_path / "sr.nii", "--prior", name)
    assert quick == []


def test_a_prior_with_damaged_weights_is_refused_before_any_work(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    (tmp_path / "mine" / MANIFEST).write_text(json.dumps({"name": "mine", "sha256": "0" * 64}))
    (tmp_path / "mine" / UNET_FILE).write_bytes(b"something else")
    write_nifti(make_volume(), tmp_path / "ct.nii")
    words = refused(tmp_path / "ct.nii", tmp_path / "sr.nii", "--prior", tmp_path / "mine")
    assert "must have SHA-256 0000" in words
    assert quick == []


OUTPUTS = [
    "sr.nii",
    "run.json",
    "field.ply",
    "sr-interval.nii",
    "sr-deviation.nii",
    "sr-null-space.nii",
    "sr-sample.nii",
]


@pytest.mark.parametrize("there", OUTPUTS)
def test_no_file_is_replaced_unless_that_was_asked_for(
    tmp_path: Path, quick: list[PipelineConfig], there: str
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    (tmp_path / there).write_text("somebody's result")
    places = ("--report", tmp_path / "run.json", "--field", tmp_path / "field.ply")
    words = (
        tmp_path / "ct.nii",
        tmp_path / "sr.nii",
        *places,
        "--samples",
        2,
        "--uncertainty",
        "--preset",
        "sharp",
    )
    message = refused(*words)
    assert there in message
    assert "--overwrite" in message
    assert (tmp_path / there).read_text() == "somebody's result"
    assert quick == []
    run(*words, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["ct.nii", *OUTPUTS])
    assert (tmp_path / there).read_bytes() != b"somebody's result"


def test_a_folder_that_holds_a_series_is_never_replaced(tmp_path: Path, quick: list[PipelineConfig]) -> None:
    write_ct_series(make_volume(), tmp_path / "in", SeriesDescription(slice_thickness_mm=8.0))
    write_ct_series(make_volume(), tmp_path / "out", SeriesDescription(slice_thickness_mm=8.0))
    assert "new or empty folder" in refused(tmp_path / "in", tmp_path / "out", "--overwrite")
    assert "two series never mix" in refused(tmp_path / "in", tmp_path / "new", "--overwrite")


def test_nothing_of_a_patient_stays_in_the_temporary_folder_when_the_run_is_terminated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    def terminated(volume: Volume, _config: object, *, folder: Path, **_: object) -> None:
        Checkpoints(folder).keep_source(volume)
        assert list((tmp_path / "temporary").glob("*/source.npz")) != []
        signal.raise_signal(signal.SIGTERM)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(sr, "super_resolve", terminated)
    monkeypatch.setattr(failures, "end_by", ended.append)
    write_nifti(make_volume(), tmp_path / "ct.nii")
    CliRunner().invoke(app, ["sr", str(tmp_path / "ct.nii"), str(tmp_path / "sr.nii"), "--device", "cpu"])
    assert ended == [signal.SIGTERM]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_null_space_map_lies_beside_the_volume(tmp_path: Path, quick: list[PipelineConfig]) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii.gz")
    run(
        tmp_path / "ct.nii.gz",
        tmp_path / "sr.nii.gz",
        "--scale",
        2,
        "--samples",
        2,
        "--uncertainty",
        "--slice-profile",
        "box",
    )
    result, interval, deviation, change = (
        read_nifti(tmp_path / f"sr{name}.nii.gz") for name in ("", "-interval", "-deviation", "-null-space")
    )
    assert interval.geometry == deviation.geometry == change.geometry == result.geometry
    assert np.all(interval.hu == 30.25)
    assert np.all(deviation.hu == 12.5)
    # What the measurement sees, the mean of two slices, cannot be in the null space.
    assert np.abs(change.hu.reshape(6, 2, 32, 32).mean(axis=1)).max() < 0.01
    assert np.abs(change.hu).max() > 0.5


def test_null_space_maps_are_series_beside_the_derived_one(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_ct_series(make_volume(), tmp_path / "in", SeriesDescription(slice_thickness_mm=8.0))
    run(tmp_path / "in", tmp_path / "out", "--scale", 2, "--samples", 3, "--uncertainty")
    datasets = {path.name: dcmread(path) for path in (tmp_path / "out").iterdir()}
    assert len(datasets) == 12 + 3
    assert len({ds.SeriesInstanceUID for ds in datasets.values()}) == 4
    assert len({ds.StudyInstanceUID for ds in datasets.values()}) == 1
    deviation = datasets["uncertainty.dcm"]
    assert deviation.ContentDescription == "Standard deviation of 3 samples"
    assert set(np.frombuffer(deviation.FloatPixelData, "<f4")) == {np.float32(12.5)}
    assert datasets["null-space.dcm"].ContentLabel == "NULL_SPACE"
    assert set(np.frombuffer(datasets["interval.dcm"].PixelData, "<u2")) == {31}


def test_the_sharp_preset_writes_a_sample_beside_the_mean(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    run(tmp_path / "ct.nii", tmp_path / "sr.nii", "--preset", "sharp")
    mean, sample = read_nifti(tmp_path / "sr.nii"), read_nifti(tmp_path / "sr-sample.nii")
    assert np.array_equal(sample.hu, mean.hu + 7)
    write_ct_series(make_volume(), tmp_path / "in", SeriesDescription(slice_thickness_mm=8.0))
    run(tmp_path / "in", tmp_path / "out", "--scale", 2, "--preset", "sharp", "--quality-report")
    series = Counter(dcmread(path).SeriesDescription[:30] for path in (tmp_path / "out").iterdir())
    assert sorted(series.values()) == [1, 12, 12]
    assert sum("SAMPLE" in words for words in series) == 1


def test_a_single_sample_has_intervals_and_no_deviation(tmp_path: Path, quick: list[PipelineConfig]) -> None:
    write_nifti(make_volume(), tmp_path / "ct.nii")
    assert "no deviation" not in run(tmp_path / "ct.nii", tmp_path / "sr.nii", "--uncertainty")
    made = {"ct.nii", "sr.nii", "sr-interval.nii", "sr-null-space.nii"}
    assert {path.name for path in tmp_path.iterdir()} == made


def test_a_prior_of_projections_says_that_it_has_no_deviation(
    tmp_path: Path, quick: list[PipelineConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sr.super_resolve
    monkeypatch.setattr(
        sr, "super_resolve", lambda *a, **k: replace(made(*a, **k), interval=None, deviation=None)
    )
    write_nifti(make_volume(), tmp_path / "ct.nii")
    output = run(tmp_path / "ct.nii", tmp_path / "sr.nii", "--samples", 2, "--uncertainty")
    assert "no deviation" in output
    assert "no intervals" in output
    assert {path.name for path in tmp_path.iterdir()} == {"ct.nii", "sr.nii", "sr-null-space.nii"}


def test_a_dicom_result_can_bring_its_report_and_key_image_and_be_compressed(
    tmp_path: Path, quick: list[PipelineConfig]
) -> None:
    source, target = tmp_path / "ct", tmp_path / "sr"
    write_ct_series(make_volume(), source, SeriesDescription())
    run(source, target, "--scale", "2", "--quality-report", "--key-image", "--transfer-syntax", "jpeg-ls")
    datasets = [dcmread(path) for path in target.iterdir()]
    (report,) = (one for one in datasets if one.SOPClassUID == EnhancedSRStorage)
    slices = [one for one in datasets if one.SOPClassUID == CTImageStorage]
    assert {one.file_meta.TransferSyntaxUID for one in slices} == {JPEGLSLossless}
    assert len(slices) == 12
    assert report.StudyInstanceUID == slices[0].StudyInstanceUID
    evidence = {str(uid) for _, _, uid, _ in EnhancedSR.from_dataset(report).get_evidence()}
    (picture,) = (one for one in datasets if one.SOPClassUID == SecondaryCaptureImageStorage)
    assert evidence > {str(one.SOPInstanceUID) for one in (*slices, picture)}


def test_a_nifti_result_has_no_dicom_options(tmp_path: Path) -> None:
    source, target = tmp_path / "ct.nii", tmp_path / "sr.nii"
    write_nifti(make_volume(), source)
    for options in (["--quality-report"], ["--key-image"], ["--transfer-syntax", "jpeg-ls"]):
        assert "are for DICOM folders" in refused(source, target, *options)


def test_a_transfer_syntax_without_encoder_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ct_series(make_volume(), tmp_path / "ct", SeriesDescription())
    monkeypatch.setattr(encoding, "find_spec", lambda _name: None)
    message = refused(tmp_path / "ct", tmp_path / "sr", "--transfer-syntax", "htj2k")
    assert "choose one of explicit, jpeg-ls, jpeg-2000" in " ".join(message.split())


def test_the_command_offers_what_the_writer_can() -> None:
    assert [one.value for one in TransferSyntax] == [one.value for one in encoding.OutputSyntax]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("was_there", [False, True])
def test_no_part_of_a_series_stays_behind(
    tmp_path: Path,
    quick: list[PipelineConfig],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    was_there: bool,
) -> None:
    write_ct_series(make_volume(), tmp_path / "in", SeriesDescription())
    out = tmp_path / "out"
    if was_there:
        out.mkdir()

    def write_three(path: Path, *arguments: object, **options: object) -> None:
        if path.name == "00004.dcm":
            path.write_bytes(b"DICM")
            raise error
        dcmwrite(path, *arguments, **options)

    monkeypatch.setattr("pydicom.dcmwrite", write_three)
    result = CliRunner().invoke(app, ["sr", str(tmp_path / "in"), str(out), "--device", "cpu"])
    assert result.exit_code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert out.exists() == was_there
    assert not was_there or list(out.iterdir()) == []
