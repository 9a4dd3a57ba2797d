# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a series is: its tags and slices, geometry, kind, dose, and why it is not taken."""
