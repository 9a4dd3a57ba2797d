# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may ask for what, and from where."""
