# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine's user may use DICOMweb to read and store images, and nothing else.

Orthanc checks the password before it asks this filter, but plugin 4.0 does not say who was let in; the name is
taken from the same Authorization header that Orthanc compared.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Mapping

_DICOMWEB = re.compile(r"/dicom-web/(studies|series|instances)(/.*)?")
"""Images only: /dicom-web/servers/ would let the engine send them anywhere."""


def user_of(headers: Mapping[str, str]) -> str:
    """Return the user name of HTTP Basic authentication, empty when there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def allowed(uri: str, headers: Mapping[str, str], engine_user: str) -> bool:
    """Return whether the request may go on.

    Args:
        uri: path of the request, already normalised by Orthanc, without query.
    """
    return user_of(headers) != engine_user or _DICOMWEB.fullmatch(uri) is not None
