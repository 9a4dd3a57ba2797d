# SPDX-License-Identifier: AGPL-3.0-or-later
"""The section "NullSplat" of Orthanc's configuration, checked in full before anything starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, FrozenSet, Mapping, Optional, Tuple

from nullsplat_node import checks
from nullsplat_node.access import roles
from nullsplat_node.access.roles import Roles
from nullsplat_node.checks import Check, SettingsError
from nullsplat_node.lifecycle.routing import Backoff, Persistence
from nullsplat_node.lifecycle.transitions import RetryPolicy
from nullsplat_node.outgoing import partners, webhook
from nullsplat_node.outgoing.partners import Partner
from nullsplat_node.outgoing.webhook import Webhook
from nullsplat_node.rules.eligibility import Criteria
from nullsplat_node.rules.file import read_rules
from nullsplat_node.rules.rules import ProcessingOptions, RuleSet, default_rules
from nullsplat_node.series.dose import LowDoseRules

METADATA = "NullSplat"
"""Name of the series metadata that holds the state; must be registered in UserMetadata."""
FIRST_USER_METADATA = 1024
SECRET_VARIABLE = "NULLSPLAT_SECRET"  # noqa: S105 - the name of the variable, not the secret
ORTHANC_STABLE_AGE = 60
"""Orthanc's own default for StableAge, seconds."""


@dataclass(frozen=True)
class Engine:
    """Where the engine is, and the seed that it is given; `timeout` in seconds.

    Attributes:
        ca_file: certificates that an https engine's certificate is checked against; empty for the system's.
    """

    url: str
    timeout: float
    seed: int
    ca_file: str = ""


@dataclass(frozen=True)
class StorageCommitment:
    """Destinations that are asked for storage commitment, and how long to wait for their report, in seconds."""

    destinations: Tuple[str, ...] = ()
    timeout: float = 3600.0


@dataclass(frozen=True)
class Settings:
    """Everything that can be set.

    Attributes:
        secret: shared with the engine; never shown.
        roles: what each of Orthanc's users may do.
        trusted_origins: of other sites' pages that may change something.
        stable_age: seconds without a new instance after which a series counts as complete.
        reconcile_interval: seconds between scans of the whole archive.
        poll_interval: seconds between polls of a running job.
        send_further: maps and quality reports go along with the images.
        delivery_tries: stores of one series to one destination after which it is given up.
        partners: the destinations that take STOW-RS, by name.
        webhooks: systems notified of complete results, by their names among the destinations.
        commitment: storage commitment.
    """

    engine: Engine
    secret: str
    roles: Roles
    trusted_origins: FrozenSet[str]
    criteria: Criteria
    retry: RetryPolicy
    stable_age: float
    reconcile_interval: float
    poll_interval: float
    send_further: bool = True
    delivery_tries: int = 1000
    partners: Mapping[str, Partner] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    commitment: StorageCommitment = StorageCommitment()

    def __repr__(self) -> str:
        """Never show the secret."""
        return f"Settings(engine={self.engine!r}, rules={self.rules!r})"

    @property
    def persistence(self) -> Persistence:
        """Return how long a delivery is retried."""
        return Persistence(self.retry.backoff, self.delivery_tries)

    @property
    def rules(self) -> RuleSet:
        """Return which series are taken and what is done with them."""
        return self.criteria.rules


_LOW_DOSE_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "MaxCtdiVol": (LowDoseRules.max_ctdivol, checks.real(0, 1000)),
    "MaxMas": (LowDoseRules.max_mas, checks.real(0, 100000)),
    "Words": (LowDoseRules.words, checks.pattern),
    "CalledAets": ([], checks.names),
    "Stations": ([], checks.names),
    "BodyParts": ([], checks.names),
}


def _low_dose(name: str, value: Any) -> LowDoseRules:
    found = checks.section(name, value, _LOW_DOSE_FIELDS)
    return LowDoseRules(
        found["MaxCtdiVol"],
        found["MaxMas"],
        found["Words"],
        found["CalledAets"],
        found["Stations"],
        found["BodyParts"],
    )


_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "EngineUrl": ("http://127.0.0.1:8043", checks.url),
    "EngineCaFile": ("", checks.file_name),
    "EngineTimeout": (10, checks.real(0.1, 300)),
    "EngineUser": ("engine", checks.string),
    "Roles": (roles.BY_DEFAULT, roles.check_roles),
    "TrustedOrigins": ([], checks.origins),
    "SecretFile": ("", checks.file_name),
    "RulesFile": ("", checks.file_name),
    "Automatic": (True, checks.truth),
    "Preset": ("preview", checks.choice(checks.PRESETS)),
    "Scale": ("auto", checks.scale),
    "TargetSliceSpacing": (1.25, checks.real(0.1, 10)),
    "Seed": (0, checks.whole(0, 2**31 - 1)),
    "Samples": (1, checks.whole(1, 64)),
    "Priority": ("normal", checks.choice(checks.PRIORITIES)),
    "MaxAgeDays": (30, checks.real(0, 100_000)),
    "MinSlices": (10, checks.whole(2, 10000)),
    "LowDose": ({}, _low_dose),
    "Destinations": ([], checks.destinations),
    "DicomWebDestinations": ({}, partners.dicomweb_servers),
    "Webhooks": ({}, webhook.webhooks),
    "StorageCommitment": ([], checks.destinations),
    "CommitmentTimeout": (3600, checks.real(1, 604_800)),
    "SendFurther": (True, checks.truth),
    "DeliveryTries": (1000, checks.whole(1, 1_000_000)),
    "MaxAttempts": (60, checks.whole(1, 100)),
    "RetryFirst": (5, checks.real(0.1, 3600)),
    "RetryLongest": (300, checks.real(0.1, 86400)),
    "ReconcileInterval": (60, checks.real(0.2, 3600)),
    "PollInterval": (5, checks.real(0.2, 600)),
}


def read_settings(configuration: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Return the settings out of Orthanc's whole configuration.

    Raises:
        SettingsError: one is missing, misspelt or out of range; names it.
    """
    _check_orthanc(configuration)
    found = checks.section("NullSplat", configuration.get("NullSplat", {}), _FIELDS)
    stable_age = checks.real(1, 86400)("StableAge", configuration.get("StableAge", ORTHANC_STABLE_AGE))
    backoff = Backoff(found["RetryFirst"], found["RetryLongest"])
    _check_partners(found, configuration)
    return Settings(
        engine=_engine(found),
        secret=_secret(found["SecretFile"], environment),
        roles=roles.assign(found["Roles"], found["EngineUser"], configuration),
        trusted_origins=found["TrustedOrigins"],
        criteria=_criteria(found, configuration),
        retry=RetryPolicy(found["MaxAttempts"], backoff),
        stable_age=stable_age,
        reconcile_interval=found["ReconcileInterval"],
        poll_interval=found["PollInterval"],
        send_further=found["SendFurther"],
        delivery_tries=found["DeliveryTries"],
        partners=found["DicomWebDestinations"],
        webhooks=found["Webhooks"],
        commitment=_commitment(found, configuration),
    )


def read_criteria(configuration: Mapping[str, Any]) -> Criteria:
    """Return the criteria for series, out of Orthanc's whole configuration; needs no secret.

    Raises:
        SettingsError: as `read_settings`.
    """
    found = checks.section("NullSplat", configuration.get("NullSplat", {}), _FIELDS)
    return _criteria(found, configuration)


def _engine(found: Mapping[str, Any]) -> Engine:
    ca_file = found["EngineCaFile"]
    if ca_file:
        _check_ca_file(ca_file, found["EngineUrl"])
    return Engine(found["EngineUrl"], found["EngineTimeout"], found["Seed"], ca_file)


def _check_ca_file(ca_file: str, url: str) -> None:
    if not url.startswith("https:"):
        raise SettingsError(f"NullSplat.EngineCaFile needs an EngineUrl that begins with https, got {url!r}")
    partners.check_ca_file("NullSplat.EngineCaFile", ca_file)


def _check_partners(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """Refuse a name that rules could mean two destinations by, and files that cannot be used."""
    taken = dict.fromkeys(configuration.get("DicomModalities", {}), "DicomModalities")
    for section in ("DicomWebDestinations", "Webhooks"):
        for name, partner in found[section].items():
            if name in taken:
                raise SettingsError(
                    f"NullSplat.{section}.{name} must have another name: one of {taken[name]} has this one, and a rule could "
                    "mean either"
                )
            taken[name] = section
            partner.check_files()


def _commitment(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> StorageCommitment:
    """Return the commitment settings; Orthanc would reject the report of an unknown destination, or one without permission."""
    modalities, names = configuration.get("DicomModalities", {}), found["StorageCommitment"]
    in_database = configuration.get("DicomModalitiesInDatabase", False)
    for name in names:
        entry = modalities.get(name, {} if in_database else None)
        if entry is None:
            raise SettingsError(
                f"NullSplat.StorageCommitment must hold names in Orthanc's DicomModalities, got {name!r}"
                f"{checks.nearest(name, modalities)}"
            )
        if isinstance(entry, dict) and not entry.get("AllowStorageCommitment", True):
            raise SettingsError(
                f"NullSplat.StorageCommitment names {name!r}, so DicomModalities.{name} must have AllowStorageCommitment true: "
                "Orthanc would not take its reports"
            )
    return StorageCommitment(names, found["CommitmentTimeout"])


def _criteria(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> Criteria:
    options = ProcessingOptions(
        scale=found["Scale"],
        target_spacing=found["TargetSliceSpacing"],
        preset=found["Preset"],
        samples=found["Samples"],
        priority=found["Priority"],
        destinations=found["Destinations"],
    )
    file = found["RulesFile"]
    return Criteria(
        automatic=found["Automatic"],
        max_age_days=found["MaxAgeDays"],
        min_slices=found["MinSlices"],
        low_dose=found["LowDose"],
        rules=read_rules(Path(file), options, _known(found, configuration))
        if file
        else default_rules(options),
    )


def _known(found: Mapping[str, Any], configuration: Mapping[str, Any]) -> Optional[Tuple[str, ...]]:
    """Return the names that results can be sent to; None when they are not in the configuration."""
    known = configuration.get("DicomModalities")
    in_database = configuration.get("DicomModalitiesInDatabase", False)
    others = (*found["DicomWebDestinations"], *found["Webhooks"])
    return (*known, *others) if isinstance(known, dict) and not in_database else None


def _secret(file: str, environment: Mapping[str, str]) -> str:
    if file:
        secret = partners.read_secret(file, "NullSplat.SecretFile")
        source = f"the file {checks.shown(file)} (NullSplat.SecretFile)"
    else:
        secret, source = environment.get(SECRET_VARIABLE, ""), f"the environment variable {SECRET_VARIABLE}"
    if not secret:
        raise SettingsError(
            f"{source} must hold the secret shared with the engine, it is empty; set it or NullSplat.SecretFile"
        )
    if not re.fullmatch(r"[!-~]{16,}", secret):
        raise SettingsError(f"{source} must hold at least 16 printable ASCII characters without spaces")
    return secret


def _check_orthanc(configuration: Mapping[str, Any]) -> None:
    """Refuse a configuration that would lose the states or leave the archive open."""
    for name in ("UserMetadata", "RegisteredUsers", "DicomModalities"):
        if not isinstance(configuration.get(name, {}), dict):  # not shown: it may hold passwords
            raise SettingsError(f"{name} of Orthanc's configuration must be a section {{...}}")
    number = configuration.get("UserMetadata", {}).get(METADATA)
    if not isinstance(number, int) or number < FIRST_USER_METADATA:
        raise SettingsError(
            f'UserMetadata must register "{METADATA}" with a number of {FIRST_USER_METADATA} or more, got {number!r}'
        )
    for user, password in configuration.get("RegisteredUsers", {}).items():
        if ":" in user:
            raise SettingsError(
                f"RegisteredUsers: the name {user!r} must not hold a colon, which ends it in HTTP Basic authentication"
            )
        if not password:
            raise SettingsError(
                f"RegisteredUsers: the user {user!r} has an empty password; set the environment variable "
                "that the configuration takes it from"
            )
