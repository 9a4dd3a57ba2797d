from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
)
from tests.support.dicom.results import make_provenance, make_result
from tests.support.dicom.series import Spec, make_series
from tests.support.dicom.validation import errors_of, needs_validator, warnings_of

from nullsplat.core.errors import ConfigurationError
from nullsplat.core.volume import Volume
from nullsplat.dicom.read.pixels import stored_values
from nullsplat.dicom.read.series import read_datasets
from nullsplat.dicom.uids import derive_uid
from nullsplat.dicom.write import encoding
from nullsplat.dicom.write.derived_series import DerivedOptions, DerivedSeries, write_derived
from nullsplat.dicom.write.encoding import OutputSyntax, check_encoder

UIDS = {
    OutputSyntax.EXPLICIT: ExplicitVRLittleEndian,
    OutputSyntax.JPEG_LS: JPEGLSLossless,
    OutputSyntax.JPEG_2000: JPEG2000Lossless,
    OutputSyntax.HTJ2K: HTJ2KLossless,
}
without_htj2k = pytest.mark.skipif(
    find_spec("imagecodecs") is None, reason="the extra 'htj2k' (imagecodecs) is not installed"
)
SYNTAXES = pytest.mark.parametrize(
    "syntax",
    [pytest.param(one, marks=without_htj2k) if one is OutputSyntax.HTJ2K else one for one in OutputSyntax],
)
SPEC = Spec(shape=(3, 61, 47), bits_stored=16)  # odd sizes, so that encoders must pad


def write(folder: Path, syntax: OutputSyntax, result: Volume | None = None) -> tuple[DerivedSeries, Volume]:
    source = read_datasets(make_series(SPEC))
    result = result or make_result(source)
    options = DerivedOptions(syntax=syntax)
    return write_derived(source, result, make_provenance(source), folder, options), result


def extremes() -> Volume:
    """The whole range of stored values, ends included."""
    source = read_datasets(make_series(SPEC))
    hu = np.linspace(-1024, 31743, 3 * 61 * 47, dtype=np.float32).reshape(3, 61, 47)
    return Volume(hu, source.volume.geometry)


@SYNTAXES
def test_the_pixels_come_back_as_they_were(tmp_path: Path, syntax: OutputSyntax) -> None:
    for name, result in (("noise", None), ("extremes", extremes())):
        derived, written = write(tmp_path / name, syntax, result)
        for path, hu in zip(derived.paths, written.hu, strict=True):
            dataset = dcmread(path)
            assert dataset.file_meta.TransferSyntaxUID == syntax.uid == UIDS[syntax]
            np.testing.assert_array_equal(pixel_array(dataset), stored_values(hu))


@SYNTAXES
def test_all_else_is_as_without_compression(tmp_path: Path, syntax: OutputSyntax) -> None:
    (plain, _), (packed, _) = (
        write(tmp_path / "plain", OutputSyntax.EXPLICIT),
        write(tmp_path / "packed", syntax),
    )
    assert (packed.series_instance_uid, packed.sop_instance_uids) == (
        plain.series_instance_uid,
        plain.sop_instance_uids,
    )
    for one, other in zip(plain.paths, packed.paths, strict=True):
        ours, theirs = dcmread(one), dcmread(other)
        del ours.PixelData, theirs.PixelData
        assert ours == theirs


@SYNTAXES
def test_the_engine_reads_what_it_wrote(tmp_path: Path, syntax: OutputSyntax) -> None:
    derived, result = write(tmp_path, syntax)
    datasets = [dcmread(path) for path in derived.paths]
    for dataset in datasets:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.Manufacturer = dataset.ManufacturerModelName = "ACME"
        del dataset.ContributingEquipmentSequence
    np.testing.assert_array_equal(read_datasets(datasets).volume.hu, np.rint(result.hu))


@needs_validator
@pytest.mark.parametrize(
    "syntax",
    [one for one in OutputSyntax if one is not OutputSyntax.HTJ2K],  # younger than Debian's validator
)
def test_the_validator_finds_no_errors(tmp_path: Path, syntax: OutputSyntax) -> None:
    derived, _ = write(tmp_path, syntax)
    assert errors_of(derived.paths[1]) == []
    assert warnings_of(derived.paths[1]) == []


@pytest.mark.parametrize("syntax", [OutputSyntax.JPEG_LS, OutputSyntax.JPEG_2000])
def test_smooth_images_become_smaller(tmp_path: Path, syntax: OutputSyntax) -> None:
    (plain, _), (packed, _) = (
        write(tmp_path / one, one, extremes()) for one in (OutputSyntax.EXPLICIT, syntax)
    )
    assert packed.paths[0].stat().st_size < 0.7 * plain.paths[0].stat().st_size


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    (once, _), (again, _) = (write(tmp_path / name, OutputSyntax.JPEG_LS) for name in ("once", "again"))
    assert once.paths[2].read_bytes() == again.paths[2].read_bytes()
    source = read_datasets(make_series(SPEC))
    assert once.series_instance_uid == derive_uid(make_provenance(source), "series")


def test_a_missing_encoder_is_refused_with_what_can_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "find_spec", lambda _name: None)
    expected = r"choose one of explicit, jpeg-ls, jpeg-2000, or install nullsplat\[htj2k\]"
    with pytest.raises(ConfigurationError, match=expected):
        check_encoder(OutputSyntax.HTJ2K)
    with pytest.raises(ConfigurationError, match=expected):
        write(tmp_path / "nothing", OutputSyntax.HTJ2K)
    assert not (tmp_path / "nothing").exists()


def test_slices_too_small_for_jpeg_2000_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = read_datasets(make_series(replace(SPEC, shape=(3, 31, 64))))
    options = DerivedOptions(syntax=OutputSyntax.JPEG_2000)
    with pytest.raises(ConfigurationError, match="at least 32 rows and columns, got 31x64; choose jpeg-ls"):
        write_derived(source, make_result(source), make_provenance(source), tmp_path / "nothing", options)
    assert not (tmp_path / "nothing").exists()
    large = read_datasets(make_series(replace(SPEC, shape=(3, 32, 64))))
    assert write_derived(large, make_result(large), make_provenance(large), tmp_path, options).paths
