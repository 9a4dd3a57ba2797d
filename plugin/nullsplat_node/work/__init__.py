# SPDX-License-Identifier: AGPL-3.0-or-later
"""What acts: one thread, its steps, and the audit log."""
