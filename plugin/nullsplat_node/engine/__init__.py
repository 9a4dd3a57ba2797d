# SPDX-License-Identifier: AGPL-3.0-or-later
"""The engine over HTTP, according to the contract."""
