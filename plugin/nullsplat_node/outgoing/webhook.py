# SPDX-License-Identifier: AGPL-3.0-or-later
"""Notifies another system that a result is complete, signed according to Standard Webhooks 1.0.0 (standardwebhooks.com).

The message holds UIDs and Orthanc's identifiers, no name, no patient ID, no text of a header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, Tuple

from nullsplat_node import checks
from nullsplat_node.checks import Check, SettingsError
from nullsplat_node.lifecycle.routing import Outcome, Route
from nullsplat_node.lifecycle.state import SeriesState
from nullsplat_node.outgoing.partners import Partner, check_encryption, named_sections, read_secret
from nullsplat_node.outgoing.post import Body, Unreachable, post
from nullsplat_node.outgoing.store_response import refusal

SECTION = "NullSplat.Webhooks"
EVENT = "result.complete"
PREFIX = "whsec_"
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes that the standard requires."""


@dataclass(frozen=True)
class Webhook:
    """The URL to notify, and the file of the secret by which the receiver checks signatures."""

    partner: Partner
    secret_file: str

    def check_files(self) -> None:
        """Refuse certificates and a secret that cannot be used.

        Raises:
            SettingsError: names the setting; never says what a file holds.
        """
        self.partner.check_files()
        self._secret()

    def send(self, message: bytes, route: Route, clock: Callable[[], float] = time.time) -> Outcome:
        """Send a message; the receiver recognises one of an earlier try by its identifier."""
        identifier, timestamp = f"msg_{hashlib.sha256(message).hexdigest()[:32]}", int(clock())
        try:
            headers = {
                "Content-Type": "application/json",
                "webhook-id": identifier,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signature(self._secret(), identifier, timestamp, message),
            }
            answer = post(self.partner, "", headers, Body(len(message), [message]))
        except (Unreachable, SettingsError) as error:
            return Outcome(error=str(error))
        return Outcome(done=True) if 200 <= answer.status < 300 else refusal(answer.status, route)

    def _secret(self) -> bytes:
        setting = f"{SECTION}.{self.partner.name}.SecretFile"
        text = read_secret(self.secret_file, setting)
        try:
            secret = base64.b64decode(text[len(PREFIX) :], validate=True) if text.startswith(PREFIX) else b""
        except (binascii.Error, ValueError):
            secret = b""
        if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
            raise SettingsError(
                f"{setting} must name a file with {PREFIX} and {SHORTEST_SECRET} to {LONGEST_SECRET} bytes in Base64, such as "
                f'"{PREFIX}$(openssl rand -base64 32)"; {checks.shown(self.secret_file)} holds something else'
            )
        return secret


def signature(secret: bytes, identifier: str, timestamp: int, message: bytes) -> str:
    """Return the header `webhook-signature`: HMAC-SHA256 over identifier, time in seconds since the epoch, and message."""
    signed = f"{identifier}.{timestamp}.".encode("ascii") + message
    return f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode('ascii')}"


def message_about(series: str, state: SeriesState) -> bytes:
    """Return the message about the result of a series of Orthanc; the same state gives the same bytes."""
    request, result = state.request or {}, state.result
    data: Dict[str, Any] = {
        "series": series,
        "study_instance_uid": request.get("study_instance_uid"),
        "series_instance_uid": request.get("series_instance_uid"),
        "job": state.key,
        "attempt": state.attempt,
        "marked": state.message if state.code == "marked" else None,
        "deliveries": [
            {"destination": route.destination, "what": route.what or "images", "state": route.phase}
            for route in state.routes
            if not route.is_notification
        ],
    }
    if result is not None:
        data["result"] = {
            "series": result.series,
            "series_instance_uid": result.series_uid,
            "instances": result.instances,
            "further_series_instance_uids": sorted(result.further),
        }
    return json.dumps({"type": EVENT, "data": data}, sort_keys=True).encode("utf-8")


_FIELDS: Dict[str, Tuple[Any, Check]] = {
    "Url": ("", checks.url),
    "AllowHttp": (False, checks.truth),
    "CaFile": ("", checks.file_name),
    "Timeout": (10, checks.real(1, 3600)),
    "SecretFile": ("", checks.file_name),
}


def webhooks(name: str, value: Any) -> Dict[str, Webhook]:
    """Check for a section of webhooks by name."""
    return {one: _webhook(one, found) for one, found in named_sections(name, value, _FIELDS).items()}


def _webhook(name: str, found: Mapping[str, Any]) -> Webhook:
    check_encryption(f"{SECTION}.{name}", found)
    if not found["SecretFile"]:
        raise SettingsError(f"{SECTION}.{name}.SecretFile must name the file with the secret, it is empty")
    partner = Partner(name, found["Url"], found["CaFile"], found["Timeout"], section=SECTION)
    return Webhook(partner, found["SecretFile"])
