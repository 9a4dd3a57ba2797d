# SPDX-License-Identifier: AGPL-3.0-or-later
"""Orthanc as the plugin sees it, and the states that are kept in it."""
