import contextlib
from pathlib import Path
from typing import Any

import pytest

from nullsplat.node.configuration import configuration_folder, overlay, read_configuration
from nullsplat_node.settings import _FIELDS, _LOW_DOSE_FIELDS, Settings, SettingsError, read_settings
from nullsplat_node.views.series import settings_shown

SECRET = "sixteen-characters"


def configuration(**settings: Any) -> dict[str, Any]:
    return {"UserMetadata": {"NullSplat": 4701}, "RegisteredUsers": {"admin": "x"}, "NullSplat": settings}


def read(**settings: Any) -> Settings:
    return read_settings(configuration(**settings), {"NULLSPLAT_SECRET": SECRET})


def test_nothing_but_the_secret_needs_to_be_set() -> None:
    settings = read()
    assert settings.rules.defaults.scale is None
    assert settings.criteria.low_dose.max_ctdivol == 3.0
    assert settings.stable_age == 60


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Presets": "preview"}, "NullSplat.Presets is not a setting; did you mean Preset?"),
        ({"Xyzzy": 1}, "NullSplat.Xyzzy is not a setting; known are EngineUrl"),
        ({"Preset": "fast"}, "NullSplat.Preset must be one of preview, standard, sharp, paper, got 'fast'"),
        ({"Scale": "big"}, 'NullSplat.Scale must be "auto" or three factors'),
        ({"Scale": [4, 1]}, 'NullSplat.Scale must be "auto" or three factors'),
        ({"Scale": [1, 1, 1]}, "must refine at least one axis"),
        ({"Scale": [0.5, 1, 1]}, r"NullSplat.Scale\[0\] must be a number from 1 to 16, got 0.5"),
        ({"Scale": [4, "1", 1]}, r"NullSplat.Scale\[1\] must be a number"),
        ({"Seed": 1.5}, "NullSplat.Seed must be a whole number"),
        ({"Seed": True}, "NullSplat.Seed must be a whole number"),
        ({"Automatic": 1}, "NullSplat.Automatic must be true or false"),
        ({"EngineUrl": "localhost:8043"}, "NullSplat.EngineUrl must be like http://host:port"),
        ({"EngineUrl": "http://u:p@host"}, "without credentials"),
        ({"EngineUser": 1}, "NullSplat.EngineUser must be text"),
        ({"Destinations": "PACS"}, "NullSplat.Destinations must be a list of names"),
        ({"Destinations": ["../x"]}, "letters, digits"),
        ({"LowDose": 3}, "NullSplat.LowDose must be a section"),
        (
            {"LowDose": {"MaxCTDIvol": 3}},
            "NullSplat.LowDose.MaxCTDIvol is not a setting; did you mean MaxCtdiVol",
        ),
        ({"LowDose": {"Words": "("}}, "NullSplat.LowDose.Words must be a regular expression"),
        ({"ReconcileInterval": 0}, "NullSplat.ReconcileInterval must be a number from 0.2"),
        ({"PollInterval": float("nan")}, "NullSplat.PollInterval must be a number"),
        (
            {"SecretFile": "/does/not/exist"},
            "NullSplat.SecretFile must name a readable file, /does/not/exist: No such file",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read(**settings)


@pytest.mark.parametrize("secret", ["", "too-short", "has spaces in its middle", "umlaut-ä-in-the-secret"])
def test_a_secret_that_would_not_work_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(SettingsError, match="NULLSPLAT_SECRET") as error:
        read_settings(configuration(), {"NULLSPLAT_SECRET": secret})
    assert not secret or secret not in str(error.value)


def test_the_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("\ufeff" + SECRET + "\n")
    assert read_settings(configuration(SecretFile=str(file)), {}).secret == SECRET


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"SecretFile": "telltale"}, "SecretFile"),
        ({"EngineUrl": "http://user:telltale@host"}, "EngineUrl"),
        ({"DicomWebDestinations": {"a": "https://user:telltale@host"}}, "a must be a section"),
        ({"DicomWebDestinations": ["telltale"]}, "DicomWebDestinations must be a section"),
        ({"DicomWebDestinations": {"a": {"Url": "https://user:telltale@host"}}}, "a.Url"),
        ({"DicomWebDestinations": {"a": {"Url": "https://host", "BearerTokenFile": "tell/telltale"}}}, "BearerTokenFile"),
        ({"DicomWebDestinations": {"a": {"Url": "https://host", "Token": "telltale"}}}, "Token is not a setting"),
        ({"DicomWebDestinations": {"a": {"Url": "https://host", "Username": "u", "PasswordFile": "telltale"}}}, "PasswordFile"),
        ({"Webhooks": {"a": {"Url": "https://host", "SecretFile": "whsec_telltale"}}}, "SecretFile"),
        ({"Webhooks": {"a": {"Url": "https://host", "SecretFile": "whsec_telltale\n"}}}, "SecretFile"),
    ],
)  # fmt: skip
def test_a_secret_that_was_written_where_its_file_belongs_is_not_shown(
    settings: dict[str, Any], setting: str
) -> None:
    """Orthanc ends with these words in its log, which more people read than may know the secret."""
    with pytest.raises(SettingsError, match=setting) as refusal:
        read(**settings)
    assert "telltale" not in str(refusal.value)


def test_the_secret_is_never_shown() -> None:
    settings = read()
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings_shown(settings))


@pytest.mark.parametrize("number", [None, 1023, "4701"])
def test_unregistered_metadata_is_refused_because_states_would_be_lost(number: object) -> None:
    wrong = {**configuration(), "UserMetadata": {} if number is None else {"NullSplat": number}}
    with pytest.raises(SettingsError, match="UserMetadata must register"):
        read_settings(wrong, {"NULLSPLAT_SECRET": SECRET})


SERVER = {"Url": "https://pacs.example"}
STRANGE: list[Any] = [
    None, True, -1, float("nan"), "", "\0", "\ud800", "/", [], [None], [[]], {}, {"": {}}, {"a": None}, {"a": []}, {"a": {"Url": None}},
    {"a": {"Url": "https://["}}, {"a": {**SERVER, "Timeout": True}}, {"a": {**SERVER, "CaFile": "\0"}}, {"a": {**SERVER, "CaFile": "/"}},
    {"a": {**SERVER, "BearerTokenFile": "\0"}}, {"a": {**SERVER, "Username": "u", "PasswordFile": "/"}}, {"a": {**SERVER, "SecretFile": "\0"}},
]  # fmt: skip


def test_no_value_of_any_setting_is_a_surprise() -> None:
    """Whatever somebody types, Orthanc ends with the setting's name and what it must be, or starts."""
    whole = {
        **configuration(),
        "NullSplat": {"StorageCommitment": ["PACS"], "DicomWebDestinations": {"a": SERVER}},
    }
    sections = ("NullSplat", "UserMetadata", "RegisteredUsers", "DicomModalities", "StableAge")
    wrong = [{**whole, name: value} for name in sections for value in STRANGE]
    wrong += [{**configuration(), "NullSplat": {name: value}} for name in _FIELDS for value in STRANGE]
    for one in wrong:
        with contextlib.suppress(SettingsError):
            read_settings(one, {"NULLSPLAT_SECRET": SECRET})


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(SettingsError, match="'engine' has an empty password"):
        read_settings({**configuration(), "RegisteredUsers": {"engine": ""}}, {"NULLSPLAT_SECRET": SECRET})


def test_the_shipped_configuration_is_valid_and_says_the_defaults() -> None:
    shipped = read_configuration(configuration_folder())
    shipped = overlay(
        shipped,
        {
            "NullSplat": {
                "EngineUrl": "http://127.0.0.1:8043",
                "EngineCaFile": "",
                "SecretFile": "",
                "RulesFile": "",
            }
        },
    )
    assert shipped["AuthenticationEnabled"] is True
    assert shipped["RemoteAccessAllowed"] is False
    assert shipped["DicomAlwaysAllowStore"] is False
    assert settings_shown(read_settings(shipped, {"NULLSPLAT_SECRET": SECRET})) == settings_shown(read())


def test_the_shipped_configuration_shows_every_setting() -> None:
    shown = read_configuration(configuration_folder())["NullSplat"]
    assert shown.keys() == _FIELDS.keys()
    assert shown["LowDose"].keys() == _LOW_DOSE_FIELDS.keys()


def test_the_shipped_configuration_holds_no_password() -> None:
    users = read_configuration(configuration_folder())["RegisteredUsers"]
    assert users == {"admin": "${NULLSPLAT_ADMIN_PASSWORD}", "engine": "${NULLSPLAT_ENGINE_PASSWORD}"}
