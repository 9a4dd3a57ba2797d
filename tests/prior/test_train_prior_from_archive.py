"""`nullsplat train-prior --from-archive`: what is told, what is kept secret, who is on which side of the split."""

import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.dicom.series import Spec, make_series, save
from tests.support.service.radiograph_double import Image, RadiographDouble
from typer.testing import CliRunner

from nullsplat.cli.archive_options import ArchiveRequest
from nullsplat.cli.inputs import archived_radiographs
from nullsplat.cli.main import app
from nullsplat.cli.work import train_prior
from nullsplat.core.errors import ConfigurationError
from nullsplat.dicomweb import radiographs as radiograph_archive
from nullsplat.prior import weights
from nullsplat.prior.xray import model_card
from nullsplat.prior.xray.augmentation import Augmentation
from nullsplat.prior.xray.data import ProjectedVolume, Radiograph
from nullsplat.prior.xray.pool import split
from nullsplat.prior.xray.radiograph_cache import RadiographCache

PASSWORD = "NULLSPLAT_ARCHIVE_PASSWORD"


@pytest.fixture(autouse=True)
def small_and_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr(train_prior, "Augmentation", lambda: Augmentation(size=(16, 16)))
    monkeypatch.setattr(model_card, "STEPS", 2)
    monkeypatch.setattr(radiograph_archive, "PAUSES", (0.01,))


@pytest.fixture
def archive() -> Iterator[RadiographDouble]:
    double = RadiographDouble()
    double.images = [Image("PAT-A", 0), Image("PAT-A", 1), Image("PAT-B"), Image("PAT-C")]
    double.images.append(Image("PAT-D", attributes={"BurnedInAnnotation": "YES"}))
    double.start()
    yield double
    double.stop()


def train(archive: RadiographDouble | None, out: Path, *options: str | Path) -> tuple[int, str]:
    source = () if archive is None else ("--from-archive", archive.url, "--archive-user", archive.username)
    words = ["train-prior", "--batch", "1", "--steps", "1", "--out", out, *source, *options]
    done = CliRunner().invoke(app, [str(word) for word in words])
    trace = "" if done.exc_info is None else "".join(traceback.format_exception(*done.exc_info))
    return done.exit_code, " ".join(f"{done.output} {trace}".split())


def test_the_card_names_the_archive_but_neither_host_nor_patient(
    archive: RadiographDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, archive.password)
    code, output = train(archive, tmp_path / "run", "--licence", "other: CC0")
    assert code == 0, output
    assert "archive: 4 images of 3 patients; left out: 1 burned-in-annotation" in output
    card = (tmp_path / "run" / "prior" / "MODEL_CARD.md").read_text()
    assert "- other: CC0\n- radiographs of the operator's own archive: 4 images of 3 patients\n" in card
    assert "--from-archive URL --modality CR,DX --archive-limit 500 --per-patient 10 --out DIR" in card
    for secret in ("127.0.0.1", str(archive.port), "PAT-", archive.username, archive.password):
        assert secret not in card
    sides = weights.manifest(tmp_path / "run" / "prior")["data"]
    assert sides["train"]["radiograph_patients"] + sides["validation"]["radiograph_patients"] == 3


def test_password_never_appears_in_output(
    archive: RadiographDouble,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv(PASSWORD, "open-sesame")
    code, output = train(archive, tmp_path / "refused")
    assert code == 1
    assert (
        f"HTTP 401); set --archive-user and {PASSWORD} (or --archive-password-file) to a user who may search"
        in output
    )
    archive.password = "open-sesame"
    code, more = train(archive, tmp_path / "run")
    assert code == 0, more
    archive.away = True
    _, after = train(archive, tmp_path / "away", "--debug")
    assert "ArchiveUnavailable: " in after  # the traceback is there
    for text in (output, more, after, caplog.text):
        assert "open-sesame" not in text
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"open-sesame" not in path.read_bytes(), path


def test_the_password_may_come_from_a_file(archive: RadiographDouble, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{archive.password}\n")
    code, output = train(archive, tmp_path / "run", "--archive-password-file", tmp_path / "password")
    assert code == 0, output


def test_patients_do_not_cross_the_split(tmp_path: Path) -> None:
    """The same PatientID in the archive, in a file and in a CT is one patient."""
    cache = RadiographCache(tmp_path)
    image, views = np.zeros((4, 4), np.uint8), torch.zeros(2, 4, 4)
    names = [f"P{number}" for number in range(20)]
    archived = archived_radiographs.ArchivedRadiographs(
        tuple(Radiograph(cache.key(name), image) for name in names for _ in range(2)), "", cache
    )
    radiographs = archived.with_radiographs([Radiograph(f"{name} ", image) for name in names])
    volumes = archived.same_patients([ProjectedVolume(name, views) for name in names])
    train_pool, validation = split(radiographs, volumes, Augmentation())
    sides = [{one.patient for one in (*pool.radiographs, *pool.volumes)} for pool in (train_pool, validation)]
    assert sides[0].isdisjoint(sides[1])
    assert len(sides[0] | sides[1]) == len(names)


def test_a_ct_of_the_archives_only_patient_leaves_nobody_to_validate_on(
    archive: RadiographDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = make_series(Spec())
    archive.images = [Image(str(series[0].PatientID))]
    monkeypatch.setenv(PASSWORD, archive.password)
    code, output = train(archive, tmp_path / "run", "--ct", save(series, tmp_path / "ct"))
    assert code == 2
    assert "at least 2 patients, one to validate on, got 1" in output


def test_an_archive_without_radiographs_is_refused(
    archive: RadiographDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, archive.password)
    archive.images = archive.images[-1:]
    code, output = train(archive, tmp_path / "one")
    assert code == 2
    assert "holds none among the first 500 studies (left out: 1 burned-in-annotation)" in output
    archive.images = []
    code, output = train(archive, tmp_path / "none", "--modality", "dx")
    assert code == 2
    assert "radiographs (DX) that can be used, the archive lists none to this user" in output


def test_an_archive_that_is_away_is_named_with_what_to_do(archive: RadiographDouble, tmp_path: Path) -> None:
    archive.stop()
    code, output = train(None, tmp_path / "run", "--from-archive", archive.url)
    assert code == 1
    assert "cannot be reached: connection refused; given up after several attempts" in output
    assert "start the same command again when the archive answers" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from-archive", "ftp://host/x"), "--from-archive must be an http or https URL"),
        (("--from-archive", "http://me:open-sesame@host/x"), "--from-archive must not carry credentials"),
        (("--from-archive", "http://host", "--archive-user", "me"), f"needs a password: set {PASSWORD}"),
        (("--from-archive", "http://host", "--modality", "CR,CT"), "some of CR, DX, RG, got CR, CT"),
        (("--from-archive", "http://host", "--modality", ","), "some of CR, DX, RG, got none"),
        (("--archive-user", "me"), "need --from-archive URL"),
        (("--from-archive", "http://host", "--ca-file", "nowhere.pem"), "nowhere.pem"),
    ],
)
def test_bad_options_end_with_code_2_and_their_reason(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    code, output = train(None, tmp_path / "run", *options)
    assert code == 2
    assert message in output
    assert "open-sesame" not in output
    assert not (tmp_path / "run").exists()


def test_two_passwords_are_one_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "one")
    request = ArchiveRequest("http://host", "me", tmp_path / "two", None, ("CR",), 1, 1)
    with pytest.raises(ConfigurationError, match="not both"):
        request.credentials()
