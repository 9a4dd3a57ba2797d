"""Settings are complete and right, or say which one is not, without repeating secrets."""

from pathlib import Path

import pytest

from nullsplat.core.errors import ConfigurationError
from nullsplat.dicom.write import encoding
from nullsplat.dicom.write.encoding import OutputSyntax
from nullsplat.service.settings import Settings, unknown_variables

SECRET = "sixteen-letters-or-more"


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("NULLSPLAT_ARCHIVE_URL", "http://127.0.0.1:8042/dicom-web/")
    monkeypatch.setenv("NULLSPLAT_SECRET", SECRET)
    return monkeypatch


def test_two_settings_are_enough(surroundings: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert settings.archive_url == "http://127.0.0.1:8042/dicom-web"
    assert settings.host == "127.0.0.1"
    assert settings.database == "sqlite:////var/lib/nullsplat/nullsplat.sqlite"


def test_what_is_missing_is_named_by_its_variable() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings()
    assert str(caught.value) == "NULLSPLAT_ARCHIVE_URL must be set; NULLSPLAT_SECRET must be set"


def test_secrets_may_lie_in_files(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in (
        ("SECRET", "\ufefffrom-a-file-0123456789\r\n"),
        ("ARCHIVE_PASSWORD", "pass word\n"),
    ):
        (tmp_path / name).write_text(content)  # the first one as an editor of Windows leaves it
        surroundings.setenv(f"NULLSPLAT_{name}_FILE", str(tmp_path / name))
    surroundings.delenv("NULLSPLAT_SECRET")
    surroundings.setenv("NULLSPLAT_ARCHIVE_USERNAME", "engine")
    settings = Settings()
    assert settings.secret.get_secret_value() == "from-a-file-0123456789"
    assert settings.archive_password is not None
    assert settings.archive_password.get_secret_value() == "pass word"


def test_a_secret_and_its_file_together_are_refused(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surroundings.setenv("NULLSPLAT_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigurationError, match="either NULLSPLAT_SECRET or NULLSPLAT_SECRET_FILE"):
        Settings()


def test_a_secret_that_was_written_where_its_file_belongs_is_not_shown(
    surroundings: pytest.MonkeyPatch,
) -> None:
    surroundings.delenv("NULLSPLAT_SECRET")
    surroundings.setenv("NULLSPLAT_SECRET_FILE", "telltale-0123456789")
    with pytest.raises(
        ConfigurationError, match="NULLSPLAT_SECRET_FILE must name a readable text file"
    ) as refusal:
        Settings()
    assert "telltale" not in str(refusal.value)


def test_a_missing_secret_file_is_named(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    surroundings.delenv("NULLSPLAT_SECRET")
    surroundings.setenv("NULLSPLAT_SECRET_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(
        ConfigurationError, match=r"NULLSPLAT_SECRET_FILE must name a readable text file.*nowhere"
    ):
        Settings()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SECRET", "tooshort", "NULLSPLAT_SECRET: .*at least 16"),
        ("PORT", "70000", "NULLSPLAT_PORT: .*less than or equal to 65535"),
        ("PORT", "tooshort", "NULLSPLAT_PORT: .*integer"),
        ("ARCHIVE_URL", "ftp://tooshort", "NULLSPLAT_ARCHIVE_URL: must be an http or https URL"),
        ("ARCHIVE_URL", "http://user:tooshort@host/", "NULLSPLAT_ARCHIVE_URL: must not carry credentials"),
        ("ARCHIVE_URL", "http://tooshort:99999/", "NULLSPLAT_ARCHIVE_URL: must be an http or https URL"),
        ("ARCHIVE_URL", "http://tooshort/ dicom-web", "NULLSPLAT_ARCHIVE_URL: .*without blanks"),
        ("ARCHIVE_URL", "http://host/dicom-web?tooshort", "NULLSPLAT_ARCHIVE_URL: .*without blanks"),
        ("SECRET", "tooshort but with ümlauts", "NULLSPLAT_SECRET: must be printable ASCII without spaces"),
        (
            "ARCHIVE_PASSWORD",
            "tooshort",
            "NULLSPLAT_ARCHIVE_USERNAME and NULLSPLAT_ARCHIVE_PASSWORD must be set",
        ),
        ("STAGE1_LIMIT_SECONDS", "0", "NULLSPLAT_STAGE1_LIMIT_SECONDS: .*greater than 0"),
        ("EXECUTOR_ID", "tooshort; drop", "NULLSPLAT_EXECUTOR_ID: .*pattern"),
        ("LOG_LEVEL", "tooshort", "NULLSPLAT_LOG_LEVEL: .*pattern"),
        ("LOG_FORMAT", "tooshort", "NULLSPLAT_LOG_FORMAT: .*pattern"),
        ("METRICS_PUBLIC", "tooshort", "NULLSPLAT_METRICS_PUBLIC: .*boolean"),
        ("REQUEST_BYTES", "10", "NULLSPLAT_REQUEST_BYTES: .*greater than or equal to 1024"),
        ("REQUESTS_PER_SECOND", "-1", "NULLSPLAT_REQUESTS_PER_SECOND: .*greater than or equal to 0"),
        ("REQUEST_BURST", "0", "NULLSPLAT_REQUEST_BURST: .*greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(
    surroundings: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    surroundings.setenv(f"NULLSPLAT_{name}", value)
    with pytest.raises(ConfigurationError, match=words) as caught:
        Settings()
    assert "tooshort" not in str(caught.value)


def test_secrets_are_not_shown(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("NULLSPLAT_DATABASE_URL", f"postgresql://user:{SECRET}@host/db")
    assert SECRET not in repr(Settings())


def test_a_spool_that_cannot_be_made_is_named(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="NULLSPLAT_SPOOL must be a folder"):
        Settings(spool=tmp_path / "file" / "spool").prepare_spool()


def test_a_spool_that_others_may_read_is_closed_with_what_lies_in_it(
    surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jobs").mkdir()
    for name in ("nullsplat.sqlite", "audit.jsonl"):
        (tmp_path / name).touch()
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o775)
    Settings(spool=tmp_path).prepare_spool()
    assert [path.stat().st_mode & 0o077 for path in (tmp_path, *tmp_path.iterdir())] == [0] * 4


def test_a_spool_of_somebody_else_that_others_may_read_is_refused(
    surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    surroundings.setattr("os.geteuid", lambda: 4242)
    with pytest.raises(
        ConfigurationError, match=r"NULLSPLAT_SPOOL must be .*belongs to another one.*chmod 0700"
    ):
        Settings(spool=tmp_path).prepare_spool()


def test_stage_limits_are_found_by_stage(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("NULLSPLAT_STAGE2_LIMIT_SECONDS", "12.5")
    assert Settings().stage_limit("stage2") == 12.5


def test_maps_are_stored_unless_somebody_says_never(surroundings: pytest.MonkeyPatch) -> None:
    assert Settings().parametric_maps == "auto"
    surroundings.setenv("NULLSPLAT_PARAMETRIC_MAPS", "never")
    assert Settings().parametric_maps == "never"
    surroundings.setenv("NULLSPLAT_PARAMETRIC_MAPS", "sometimes")
    with pytest.raises(ConfigurationError, match="NULLSPLAT_PARAMETRIC_MAPS"):
        Settings()


def test_slices_are_as_the_header_says_unless_somebody_knows_better(surroundings: pytest.MonkeyPatch) -> None:
    assert (Settings().slice_profile, Settings().in_plane_profile) == ("auto", "gaussian")
    surroundings.setenv("NULLSPLAT_SLICE_PROFILE", "1mm:0.1,0.2,0.4,0.2,0.1")
    surroundings.setenv("NULLSPLAT_IN_PLANE_PROFILE", "bell*1.2")
    assert (Settings().slice_profile, Settings().in_plane_profile) == ("1mm:0.1,0.2,0.4,0.2,0.1", "bell*1.2")


@pytest.mark.parametrize(
    ("name", "value"), [("SLICE_PROFILE", "sharp"), ("SLICE_PROFILE", "bell*9"), ("IN_PLANE_PROFILE", "auto")]
)
def test_a_profile_that_stands_for_nothing_is_refused_with_what_does(
    surroundings: pytest.MonkeyPatch, name: str, value: str
) -> None:
    surroundings.setenv(f"NULLSPLAT_{name}", value)
    with pytest.raises(
        ConfigurationError, match=f"NULLSPLAT_{name}: .*bell, box or gaussian, with a factor from 0.2 to 5"
    ):
        Settings()


def test_a_report_is_stored_unless_somebody_says_no(surroundings: pytest.MonkeyPatch) -> None:
    assert Settings().quality_report
    surroundings.setenv("NULLSPLAT_QUALITY_REPORT", "false")
    assert not Settings().quality_report


def test_a_key_image_is_stored_only_if_somebody_says_so(surroundings: pytest.MonkeyPatch) -> None:
    assert not Settings().key_image
    surroundings.setenv("NULLSPLAT_KEY_IMAGE", "true")
    assert Settings().key_image


def test_the_transfer_syntax_is_one_that_can_be_written(surroundings: pytest.MonkeyPatch) -> None:
    assert Settings().transfer_syntax is OutputSyntax.EXPLICIT
    surroundings.setenv("NULLSPLAT_TRANSFER_SYNTAX", "jpeg-ls")
    assert Settings().transfer_syntax is OutputSyntax.JPEG_LS
    surroundings.setenv("NULLSPLAT_TRANSFER_SYNTAX", "jpeg")
    with pytest.raises(ConfigurationError, match=r"NULLSPLAT_TRANSFER_SYNTAX.*'jpeg-ls'"):
        Settings()
    surroundings.setenv("NULLSPLAT_TRANSFER_SYNTAX", "htj2k")
    with pytest.raises(
        ConfigurationError, match=r"neither shows nor sends it.*choose one of explicit, jpeg-ls"
    ):
        Settings()


def test_an_encoder_that_is_not_there_is_named(surroundings: pytest.MonkeyPatch) -> None:
    class Absent:
        is_available = False
        missing_dependencies = ("pyjpegls - numpy",)

    surroundings.setattr(encoding, "get_encoder", lambda _uid: Absent)
    surroundings.setenv("NULLSPLAT_TRANSFER_SYNTAX", "jpeg-ls")
    with pytest.raises(
        ConfigurationError, match=r"NULLSPLAT_TRANSFER_SYNTAX.*explicit, .*or install pyjpegls"
    ):
        Settings()


def test_a_folder_that_others_use_is_not_taken_from_them(
    surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As root, with NULLSPLAT_SPOOL=/tmp or /etc, nobody else could do anything on this machine any more."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "lost+found").mkdir()
    (shared / "nullsplat.sqlite").touch()
    settings = Settings(spool=shared)
    (shared / "passwd").write_text("of somebody else")
    with pytest.raises(
        ConfigurationError, match=r"must be a separate folder.* holds passwd; name another one"
    ):
        settings.prepare_spool()
    assert shared.stat().st_mode & 0o777 == 0o755
    (shared / "passwd").unlink()
    settings.prepare_spool()
    assert shared.stat().st_mode & 0o777 == 0o700


def test_a_misspelt_variable_is_named_with_what_was_probably_meant() -> None:
    (words,) = unknown_variables(
        ["NULLSPLAT_RETENTION_DAY", "NULLSPLAT_SECRET_FILE", "NULLSPLAT_VIEWER", "HOME"]
    )
    assert words == "NULLSPLAT_RETENTION_DAY is not a setting; did you mean NULLSPLAT_RETENTION_DAYS?"
