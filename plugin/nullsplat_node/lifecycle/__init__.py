# SPDX-License-Identifier: AGPL-3.0-or-later
"""What follows from what: states, transitions and the next step. Pure: nothing here acts."""
