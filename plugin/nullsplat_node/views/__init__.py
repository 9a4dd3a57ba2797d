# SPDX-License-Identifier: AGPL-3.0-or-later
"""States as people and programs read them: JSON and Prometheus."""
