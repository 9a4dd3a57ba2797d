# SPDX-License-Identifier: AGPL-3.0-or-later
"""States as JSON and Prometheus metrics."""
