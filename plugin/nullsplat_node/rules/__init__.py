# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which series are taken, by which rule, and with which processing options."""
