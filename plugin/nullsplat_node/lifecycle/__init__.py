# SPDX-License-Identifier: AGPL-3.0-or-later
"""States, transitions and the next step. Pure: nothing here acts."""
