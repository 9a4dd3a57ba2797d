# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sending over HTTP: to DICOMweb servers, each in its own thread."""
